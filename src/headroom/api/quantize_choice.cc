#include "headroom/api/quantize_choice.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "headroom/api/calibrate.h"
#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/formats/weights/name_pattern.h"

namespace headroom {
namespace {

constexpr std::array<int64_t, 4> kGroups = {0, 128, 64, 32};  // from large to small
constexpr int64_t kWholeLine = 32;                            // every group is a multiple of it
constexpr std::string_view kWeight = ".weight";

std::string layer_of(std::string_view tensor) {
  if (tensor.ends_with(kWeight)) tensor.remove_suffix(kWeight.size());
  return std::string(tensor);
}

// "down_proj" of "model.layers.0.mlp.down_proj".
std::string last_part(const std::string& layer) { return layer.substr(layer.rfind('.') + 1); }

// --keep: names with commas, in which * stands for anything, of layers or of what their names end in.
class KeptLayers {
 public:
  explicit KeptLayers(const std::string& flag) {
    for (size_t begin = 0; begin < flag.size();) {
      const size_t end = std::min(flag.find(',', begin), flag.size());
      add(layer_of(flag.substr(begin, end - begin)));
      begin = end + 1;
    }
  }

  // Every pattern that matches counts as used.
  bool match(const std::string& layer) {
    bool any = false;
    for (Pattern& pattern : patterns_) {
      if (!pattern.pattern.matches(layer)) continue;
      pattern.is_used = any = true;
    }
    return any;
  }

  void expect_all_used() const {
    for (const Pattern& pattern : patterns_) {
      if (!pattern.is_used) throw InvalidInput("--keep {}: no matrix of the model has such a name", pattern.text);
    }
  }

 private:
  struct Pattern {
    std::string text;
    NamePattern pattern;
    bool is_used = false;
  };

  void add(const std::string& text) {
    if (text.empty()) throw InvalidInput("--keep: expected names with commas: lm_head,*down_proj");
    if (text.find('*') == std::string::npos) return patterns_.push_back({text, text});
    std::string regex;
    for (const char c : text) {
      const bool is_sign = c > 0 && std::isalnum(static_cast<unsigned char>(c)) == 0;
      regex += c == '*' ? ".*" : is_sign ? fmt::format("\\{}", c) : std::string(1, c);
    }
    patterns_.push_back({text, NamePattern::ending(regex, "--keep " + text)});
  }

  std::vector<Pattern> patterns_;
};

// Codes of a table are chosen number by number, since it is multiplied with nothing: with a method that does better for
// the rest, the table would lose most.
int embedding_bits(const QuantizeOptions& options) {
  if (options.embedding_bits != 0) return options.embedding_bits;
  return is_calibrated(options) ? options.head_bits : options.bits;
}

void check_flags(const QuantizeOptions& options) {
  if (options.method != "rtn" && !is_calibrated(options)) {
    throw InvalidInput("--method {}: expected rtn, gptq or best", options.method);
  }
  for (const auto& [flag, bits] : {std::pair{"--bits", options.bits},
                                   {"--head-bits", options.head_bits},
                                   {"--embedding-bits", embedding_bits(options)}}) {
    if (find_grouped(bits, false, 0) == nullptr) throw InvalidInput("{} {}: expected 8, 4, 3 or 2", flag, bits);
  }
  if (std::find(kGroups.begin(), kGroups.end(), options.group_size) == kGroups.end()) {
    throw InvalidInput("--group-size {}: expected 32, 64, 128 or 0, which is the whole row", options.group_size);
  }
}

void refuse_quantised(const std::string& model, const WeightFiles& files) {
  for (int64_t i = 0; i < files.count(); ++i) {
    const StoredTensor& tensor = files.tensor(i).stored;
    if (tensor.format == nullptr) continue;
    throw InvalidInput("{}: is quantised already, tensor {} as {}; expected a model in float32, bfloat16 or float16",
                       model, printable(tensor.name), tensor.type_name);
  }
}

int64_t columns_of(const QuantizedWeight& weight) { return weight.source.stored.shape[1]; }

bool has_whole_groups(int64_t columns, int64_t group) { return columns % std::max(group, kWholeLine) == 0; }

// Flags with which the weights can be quantised: the largest groups of which most rows are whole, and what else is
// kept.
std::string flags_that_fit(const QuantizeOptions& options, const std::vector<const QuantizedWeight*>& weights) {
  int64_t best = 0, most = 0;
  for (const int64_t group : kGroups) {
    const int64_t fit = std::count_if(weights.begin(), weights.end(), [group](const auto* weight) {
      return group > 0 && has_whole_groups(columns_of(*weight), group);
    });
    if (fit > most) best = group;
    most = std::max(most, fit);
  }
  std::set<std::string> kept;
  for (const QuantizedWeight* weight : weights) {
    if (best == 0 || has_whole_groups(columns_of(*weight), best)) continue;
    kept.insert(std::string(last_part(layer_of(weight->source.stored.name))));
  }
  if (best == 0) return "another model";
  if (!kept.empty() && !options.keep.empty()) kept.insert(options.keep);
  return fmt::format("--group-size {}{}{}", best, kept.empty() ? "" : " --keep ", fmt::join(kept, ","));
}

// Of the weights that are to be quantised.
void expect_whole_groups(const QuantizeOptions& options, const std::vector<const QuantizedWeight*>& weights) {
  const auto wrong = std::find_if(weights.begin(), weights.end(), [&](const auto* weight) {
    return !has_whole_groups(columns_of(*weight), options.group_size);
  });
  if (wrong == weights.end()) return;
  const StoredTensor& tensor = (*wrong)->source.stored;
  throw InvalidInput("{}: tensor {} has rows of {} elements; expected a multiple of {} for --group-size {}; try {}",
                     options.model, printable(tensor.name), columns_of(**wrong),
                     std::max<int64_t>(options.group_size, kWholeLine), options.group_size,
                     flags_that_fit(options, weights));
}

DType kept_dtype(StoredType type) {
  for (const DType dtype : {DType::f64, DType::f32, DType::f16, DType::bf16}) {
    if (stored_type_of(dtype) == type) return dtype;
  }
  return DType::f32;
}

// The name of the weight that makes the logits.
std::string head_of(const Model& model) {
  Graph graph = forward_of_one_token(model);
  Builder build(graph);
  const ValueId head = model.head_weight(build, all_in(DType::f32));
  return graph.value(head).name;
}

// The name of the table that tokens are looked up in.
std::string table_of(const Model& model) {
  const Graph graph = forward_of_one_token(model);
  const auto found = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                  [](const Node& node) { return node.op->name() == "embedding"; });
  return found == graph.nodes.end() ? "" : graph.value(found->inputs[0]).name;
}

// The names of the weights that decide which experts a token goes to: small, and a wrong choice costs more than a
// number.
std::set<std::string> gates_of(const Model& model) {
  const Graph graph = forward_of_one_token(model);
  std::set<ValueId> scores;
  for (const Node& node : graph.nodes) {
    if (node.op->name() == "route") scores.insert(node.inputs[0]);
  }
  std::set<std::string> gates;
  for (const Node& node : graph.nodes) {
    if (node.op->name() == "matmul" && scores.contains(node.outputs[0])) gates.insert(graph.value(node.inputs[1]).name);
  }
  return gates;
}

}  // namespace

std::vector<QuantizedWeight> choose_formats(const QuantizeOptions& options, const Model& model,
                                            const WeightFiles& files) {
  check_flags(options);
  refuse_quantised(options.model, files);
  const std::vector<Alias> aliases = model.aliases();
  const std::string head = head_of(model);
  const std::string table = table_of(model);
  const std::set<std::string> gates = gates_of(model);
  KeptLayers kept(options.keep);
  std::vector<QuantizedWeight> weights;
  for (const ModelTensor& tensor : model.tensors()) {
    QuantizedWeight weight{files.require(tensor.name, tensor.shape), {}, tensor.name == head};
    weight.type = {kept_dtype(weight.source.stored.type), tensor.shape};
    bool is_kept = tensor.shape.rank() != 2 || gates.contains(tensor.name) || kept.match(layer_of(tensor.name));
    for (const Alias& alias : aliases) {
      if (alias.parameter == tensor.name && kept.match(layer_of(alias.name))) is_kept = true;
    }
    if (!is_kept) {
      const int bits = weight.is_head         ? options.head_bits
                       : tensor.name == table ? embedding_bits(options)
                                              : options.bits;
      weight.type.dtype = find_grouped(bits, options.asymmetric, options.group_size)->dtype();
    }
    weights.push_back(weight);
  }
  kept.expect_all_used();
  std::vector<const QuantizedWeight*> quantised;
  for (const QuantizedWeight& weight : weights) {
    if (!is_scalar(weight.type.dtype)) quantised.push_back(&weight);
  }
  if (quantised.empty()) throw InvalidInput("--keep {}: keeps all matrices; nothing is left to quantise", options.keep);
  expect_whole_groups(options, quantised);
  std::stable_sort(weights.begin(), weights.end(),
                   [](const QuantizedWeight& a, const QuantizedWeight& b) { return is_before(a.source, b.source); });
  return weights;
}

std::map<std::string, QuantizeResult::Format> formats_of(const std::vector<QuantizedWeight>& weights) {
  std::map<std::string, QuantizeResult::Format> formats;
  for (const QuantizedWeight& weight : weights) {
    QuantizeResult::Format& format = formats[std::string(name_of(weight.type.dtype))];
    ++format.weights;
    format.bytes += weight.type.bytes();
  }
  return formats;
}

double bits_per_weight(const std::vector<QuantizedWeight>& weights) {
  double bytes = 0, elements = 0;
  for (const QuantizedWeight& weight : weights) {
    bytes += static_cast<double>(weight.type.bytes());
    elements += static_cast<double>(weight.type.shape.elements());
  }
  return 8 * bytes / elements;
}

}  // namespace headroom
