// convert --format gptq and awq: the layers of a model that headroom has quantised, as those programs pack their codes.
// The numbers stay the same: (code - zero) * scale, scales in f16.
//   N outputs, K inputs of a layer, b bits, G groups of a row
//
//   GPTQ  NAME.qweight i32[K b / 32, N]: a column's codes from its lowest input up, along the words' bits
//         NAME.qzeros  i32[G, N b / 32]: along the outputs; in version 1, which symmetric codes are written in, less
//         one NAME.scales  f16[G, N]         NAME.g_idx i32[K]: the group of each input
//   AWQ   NAME.qweight i32[K, N / 8]: eight outputs a word, from its lowest bits up 0 2 4 6 1 3 5 7
//         NAME.qzeros  i32[G, N / 8]: in the same order         NAME.scales  f16[G, N]
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "headroom/api/convert_format.h"
#include "headroom/api/model_source.h"
#include "headroom/base/atomic_file.h"
#include "headroom/base/convert.h"
#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/formats/weights/weight_files.h"
#include "headroom/formats/weights/weight_writer.h"
#include "headroom/models/stack.h"

namespace headroom {
namespace {

constexpr int64_t kHeapBytesPerLayer = 2048;  // names and declarations of four tensors for one
constexpr int64_t kConfigBytes = 1 * kMiB;    // the tokenizer's files, and the config's text
constexpr std::string_view kWeight = ".weight";

enum class Packing : uint8_t { gptq, awq };

// What one tensor of the output holds of one of the source.
enum class Part : uint8_t { plain, codes, zeros, scales, groups };

struct Packed {
  WeightTensor source;
  Part part = Part::plain;
  Type type;
  std::string name;
};

// Where number `output` of those that go along words stands in AWQ's word of eight.
int64_t place_in_awq_word(int64_t output) { return output % 2 == 0 ? output / 2 : 4 + output / 2; }

class PackedConversion final : public Conversion {
 public:
  PackedConversion(const ConvertOptions& options, const Model& model, Packing packing)
      : options_(options),
        packing_(packing),
        source_(options.model),
        parts_(list(model)),
        writer_(declarations(), parse_shard_size(options.shard_size)) {}

  int64_t read_bytes() const override { return read_bytes_; }
  int64_t written_bytes() const override { return writer_.file_bytes(); }
  int64_t heap_bytes() const override { return kConfigBytes + kHeapBytesPerLayer * source_.count(); }
  int64_t tensors() const override { return static_cast<int64_t>(parts_.size()); }
  int64_t files() const override { return writer_.shard_count(); }
  int64_t least_staging_bytes() const override { return staging_bytes_; }

  void run(std::span<std::byte> staging, Threads&, const Progress& progress) override {
    AtomicDirectory output(options_.output);
    write_config(config_of_model(options_.model, open_settings(options_)), DType::f16, output.temporary_path(),
                 quantization());
    copy_tokenizer(options_.model, output.temporary_path());
    int64_t done = 0;
    writer_.write(output.temporary_path(), [&](SafetensorsWriter& file, std::span<const size_t> members) {
      for (size_t place = 0; place < members.size(); ++place) {
        const Packed& packed = parts_[members[place]];
        packed.part == Part::plain ? copy(packed, file, place, staging) : pack(packed, file, place, staging);
        progress(done += packed.source.stored.size_bytes);
      }
    });
    output.commit();
  }

 private:
  std::vector<TensorDeclaration> declarations() const {
    std::vector<TensorDeclaration> declarations;
    for (const Packed& part : parts_) declarations.push_back({part.name, part.type});
    return declarations;
  }

  nlohmann::ordered_json quantization() const {
    const int64_t group = format_->group() == 0 ? -1 : format_->group();
    if (packing_ == Packing::awq) {
      return {{"quant_method", "awq"}, {"bits", 4}, {"group_size", group}, {"zero_point", true}, {"version", "gemm"}};
    }
    return {{"quant_method", "gptq"},
            {"bits", format_->bits()},
            {"group_size", group},
            {"desc_act", false},
            {"sym", !format_->has_zeros()},
            {"lm_head", false},
            {"checkpoint_format", format_->has_zeros() ? "gptq_v2" : "gptq"}};
  }

  // Matrices of layers are packed; the table, the output layer and vectors become f16.
  std::vector<Packed> list(const Model& model) {
    const Graph forward = forward_of_one_token(model);
    std::unordered_set<std::string> of_layers;
    for (const Node& node : forward.nodes) {
      if (node.op->name() == "matmul" && node.segment.is_layer()) of_layers.insert(forward.value(node.inputs[1]).name);
    }
    std::vector<Packed> parts;
    for (int64_t i = 0; i < source_.count(); ++i) {
      const WeightTensor tensor = source_.tensor(i);
      const std::string name(tensor.stored.name);
      if (of_layers.contains(name)) {
        add_layer(parts, tensor, name.substr(0, name.size() - kWeight.size()));
      } else {
        parts.push_back({tensor, Part::plain, {DType::f16, tensor.stored.shape}, name});
        staging_bytes_ = std::max(staging_bytes_, 6 * std::min<int64_t>(tensor.stored.shape.elements(), 1 << 16));
      }
      read_bytes_ = add_sizes(read_bytes_, tensor.stored.size_bytes, "the weights");
    }
    return parts;
  }

  void add_layer(std::vector<Packed>& parts, const WeightTensor& tensor, const std::string& name) {
    const StoredTensor& stored = tensor.stored;
    const auto refuse = [&](const std::string& expected) {
      throw InvalidInput("--format {}: tensor {} is {}{}; expected {}", options_.format, printable(stored.name),
                         stored.format == nullptr ? "stored as " : "",
                         stored.format == nullptr ? stored.type_name : stored.format->name(), expected);
    };
    const GroupedFormat* format = stored.format == nullptr ? nullptr : as_grouped(stored.format->dtype());
    if (format == nullptr) refuse("a model that headroom quantize has made; try that first");
    if (format_ == nullptr) format_ = format;
    if (format != format_) refuse(fmt::format("one format for all layers, here {}", format_->name()));
    const int64_t bits = format_->bits();
    const int64_t rows = stored.shape[0], columns = stored.shape[1];
    const GroupedLayout layout(*format_, stored.shape);
    const int64_t words_along_rows = packing_ == Packing::awq ? 8 : 32;
    if (packing_ == Packing::awq && bits != 4) refuse("4 bits");
    if (rows * bits % 32 != 0 || rows % (packing_ == Packing::awq ? words_along_rows : 1) != 0) {
      refuse("outputs that fill whole words of 32 bits");
    }
    const auto add = [&](Part part, std::string_view suffix, const Type& type) {
      parts.push_back({tensor, part, type, fmt::format("{}.{}", name, suffix)});
      staging_bytes_ = std::max(staging_bytes_, type.bytes() + 64 + layout.panel_bytes() + columns);
    };
    const bool is_awq = packing_ == Packing::awq;
    add(Part::codes, "qweight", i32(is_awq ? Shape{columns, rows / 8} : Shape{columns * bits / 32, rows}));
    add(Part::zeros, "qzeros", i32({layout.groups, rows * bits / 32}));
    add(Part::scales, "scales", {DType::f16, {layout.groups, rows}});
    if (!is_awq) add(Part::groups, "g_idx", i32({columns}));
  }

  void copy(const Packed& packed, SafetensorsWriter& file, size_t place, std::span<std::byte> staging) const {
    const int64_t elements = packed.type.shape.elements();
    const int64_t step = static_cast<int64_t>(staging.size()) / 6;
    auto* halves = reinterpret_cast<uint16_t*>(staging.data() + 4 * step);
    for (int64_t first = 0; first < elements; first += step) {
      const int64_t count = std::min(step, elements - first);
      auto* numbers = reinterpret_cast<float*>(staging.data());
      packed.source.read(first, count, DType::f32, numbers, NanCheck::refuse);
      convert_elements(DType::f32, numbers, DType::f16, halves, count);
      if (const int64_t over = find_overflow(DType::f32, numbers, DType::f16, halves, count); over >= 0) {
        throw InvalidInput("{}: tensor {} holds {} at element {}, which f16 cannot", packed.source.file->path(),
                           printable(packed.source.stored.name), numbers[over], first + over);
      }
      file.write_at(place, first, halves, count);
    }
  }

  // Adds `number` to the words of the output, at bit `bit` of the words that begin at `words` and are `stride` apart.
  static void put_bits(uint32_t* words, int64_t stride, int64_t bit, int64_t bits, uint32_t number) {
    words[bit / 32 * stride] |= number << (bit % 32);
    if (bit % 32 + bits > 32) words[(bit / 32 + 1) * stride] |= number >> (32 - bit % 32);
  }

  void put_along_rows(uint32_t* row_of_words, int64_t n, uint32_t number) const {
    const int64_t bits = format_->bits();
    const int64_t bit = packing_ == Packing::awq ? n / 8 * 32 + 4 * place_in_awq_word(n % 8) : n * bits;
    put_bits(row_of_words, 1, bit, bits, number);
  }

  uint32_t zero_in_file(uint8_t zero) const {
    const bool is_less_one = packing_ == Packing::gptq && !format_->has_zeros();
    return is_less_one ? zero - 1u : zero;
  }

  void pack(const Packed& packed, SafetensorsWriter& file, size_t place, std::span<std::byte> staging) const {
    const StoredTensor& stored = packed.source.stored;
    const GroupedLayout layout(*format_, stored.shape);
    std::byte* made = staging.data();
    std::memset(made, 0, static_cast<size_t>(packed.type.bytes()));
    auto* words = reinterpret_cast<uint32_t*>(made);
    if (packed.part == Part::groups) {
      for (int64_t k = 0; k < layout.columns; ++k) words[k] = static_cast<uint32_t>(k / layout.group);
      return file.write_at(place, 0, made, packed.type.shape.elements());
    }
    std::byte* panel_bytes = made + round_up(packed.type.bytes(), 64);
    auto* codes = reinterpret_cast<uint8_t*>(panel_bytes + layout.panel_bytes());
    const Shape panel_shape = {kPanelRows, layout.columns};
    const GroupedLayout of_panel(*format_, panel_shape);
    for (int64_t panel = 0; panel < layout.panels; ++panel) {
      packed.source.file->file(stored).read(stored.offset_bytes + panel * layout.panel_bytes(), panel_bytes,
                                            layout.panel_bytes());
      for (int64_t n = panel * kPanelRows; n < std::min((panel + 1) * kPanelRows, layout.rows); ++n) {
        for (int64_t g = 0; g < layout.groups; ++g) {
          const int64_t first = g * layout.group;
          const GroupedFormat::Group group =
              format_->take_group(of_panel, n % kPanelRows * layout.columns + first, panel_bytes,
                                  {codes + first, static_cast<size_t>(layout.group)});
          if (packed.part == Part::scales) {
            reinterpret_cast<uint16_t*>(made)[g * layout.rows + n] = group.scale_bits;
          } else if (packed.part == Part::zeros) {
            put_along_rows(words + g * packed.type.shape[1], n, zero_in_file(group.zero));
          }
        }
        if (packed.part != Part::codes) continue;
        for (int64_t k = 0; k < layout.columns; ++k) {
          if (packing_ == Packing::awq) {
            put_along_rows(words + k * packed.type.shape[1], n, codes[k]);
          } else {
            put_bits(words + n, layout.rows, k * layout.bits, layout.bits, codes[k]);
          }
        }
      }
    }
    file.write_at(place, 0, made, packed.type.shape.elements());
  }

  const ConvertOptions options_;
  const Packing packing_;
  const WeightFiles source_;
  const GroupedFormat* format_ = nullptr;  // of all layers
  int64_t read_bytes_ = 0;
  int64_t staging_bytes_ = 64 * kKiB;
  const std::vector<Packed> parts_;
  const WeightWriter writer_;
};

template <Packing kPacking>
std::unique_ptr<Conversion> open_packed(const ConvertOptions& options) {
  const std::unique_ptr<Model> model = open_model_directory(options.model, open_settings(options));
  for (const Parameter& parameter : model->parameters()) {
    if (!is_stack(*parameter.binding, parameter.shape)) continue;
    throw InvalidInput("--format {}: {} has experts ({}), which are not packed so; try --format hf or gguf",
                       options.format, options.model, parameter.name);
  }
  expect_new_directory(options.output);
  if (!options.dtype.empty()) {
    throw InvalidInput("--dtype {}: --format {} keeps the bits that the layers have; expected without it",
                       options.dtype, options.format);
  }
  if (!options.adapter.empty()) {
    throw InvalidInput(
        "--adapter: its sums with quantised weights would be rounded; expected --format hf, and "
        "headroom quantize behind it");
  }
  return std::make_unique<PackedConversion>(options, *model, kPacking);
}

}  // namespace

const ConvertFormat kGptqFormat = {"gptq", &open_packed<Packing::gptq>};
const ConvertFormat kAwqFormat = {"awq", &open_packed<Packing::awq>};

}  // namespace headroom
