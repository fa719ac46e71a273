#include "headroom/formats/gguf/gguf_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/base/real_math.h"
#include "headroom/formats/gguf/gguf_deepseek2.h"
#include "headroom/formats/gguf/gguf_end_tokens.h"
#include "headroom/formats/gguf/gguf_keys.h"
#include "headroom/formats/gguf/gguf_names.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {
namespace {

constexpr double kTwoPi = 6.283185307179586;

GgufHeads read_heads(GgufKeys& keys) {
  GgufHeads heads;
  heads.heads = keys.integer("attention.head_count", 1 << 16);
  heads.kv_heads = keys.integer_or("attention.head_count_kv", heads.heads, 1 << 16);
  const int64_t features = keys.integer("embedding_length");
  heads.head_dim = keys.integer_or("attention.key_length", std::max<int64_t>(1, features / heads.heads), 1 << 16);
  keys.expect("attention.value_length", keys.integer_or("attention.value_length", heads.head_dim) == heads.head_dim,
              fmt::format("attention.key_length, which is {}", heads.head_dim));
  keys.expect("rope.dimension_count", keys.integer_or("rope.dimension_count", heads.head_dim) == heads.head_dim,
              fmt::format("the size of a head, which is {}", heads.head_dim));
  heads.interleaved = keys.architecture().interleaved;
  return heads;
}

nlohmann::ordered_json llama3_scaling(const GgufFile& file, int64_t tensor, const GgufHeads& heads, double theta) {
  const GgufTensor factors = file.tensor(tensor);
  if (factors.type->number != kGgmlF32 || factors.shape != Shape{heads.head_dim / 2}) {
    throw InvalidInput("{}: tensor {} is {} {}; expected F32 [{}], half of a head", file.path(), kRopeFactors,
                       factors.type->name, to_string(factors.shape), heads.head_dim / 2);
  }
  std::vector<float> divisors(static_cast<size_t>(heads.head_dim / 2));
  factors.file->read(factors.offset_bytes, divisors.data(), factors.size_bytes);
  const std::optional<Llama3Scaling> scaling = fit_llama3_scaling(divisors, theta);
  if (!scaling) {
    throw InvalidInput("{}: tensor {} holds divisors of rotary frequencies that are not those of llama3 scaling",
                       file.path(), kRopeFactors);
  }
  return {{"rope_type", "llama3"},
          {"factor", scaling->factor},
          {"low_freq_factor", scaling->low_freq_factor},
          {"high_freq_factor", scaling->high_freq_factor},
          {"original_max_position_embeddings", static_cast<int64_t>(scaling->original_positions)}};
}

// rope_scaling of config.json; null for none.
nlohmann::ordered_json rope_scaling(GgufKeys& keys, const GgufHeads& heads, double theta) {
  const GgufFile& file = keys.file();
  const std::string type = file.text_or(keys.full("rope.scaling.type"), "none");
  const double factor = keys.decimal_or("rope.scaling.factor", 1.0, 1.0, 1e6);
  const double old_factor = keys.decimal_or("rope.scale_linear", 1.0, 1.0, 1e6);
  const int64_t divisors = file.find(kRopeFactors);
  keys.expect("rope.scaling.type", type == "none" || type == "linear" || type == "yarn",
              "none, linear or yarn, got " + printable(type));
  if (divisors >= 0) {
    keys.expect("rope.scaling.type", type == "none" && old_factor == 1.0,
                fmt::format("none beside the tensor {}", kRopeFactors));
    return llama3_scaling(file, divisors, heads, theta);
  }
  if (type == "yarn") {
    nlohmann::ordered_json yarn = {{"type", "yarn"}, {"factor", factor}};
    constexpr const char* kOriginal = "rope.scaling.original_context_length";
    const int64_t original = keys.integer_or(kOriginal, 0);
    if (original > 0) yarn["original_max_position_embeddings"] = original;
    return yarn;
  }
  if (type == "linear" && factor != 1.0) return {{"type", "linear"}, {"factor", factor}};
  if (old_factor != 1.0) return {{"type", "linear"}, {"factor", old_factor}};
  return nullptr;
}

// What all matrices are stored as; float32 where they differ or are quantised.
const char* dtype_of_matrices(const GgufFile& file) {
  uint32_t common = kGgmlF32;
  bool first = true;
  for (int64_t index = 0; index < file.count(); ++index) {
    const GgufTensor tensor = file.tensor(index);
    if (tensor.shape.rank() < 2) continue;
    if (!first && tensor.type->number != common) return "float32";
    common = tensor.type->number;
    first = false;
  }
  return common == kGgmlF16 ? "float16" : common == kGgmlBf16 ? "bfloat16" : "float32";
}

int64_t vocabulary_of(GgufKeys& keys) {
  const GgufFile& file = keys.file();
  const int64_t embedding = file.find("token_embd.weight");
  if (embedding >= 0 && file.tensor(embedding).shape.rank() > 0) return file.tensor(embedding).shape[0];
  return keys.integer_or("vocab_size", std::max<int64_t>(1, file.length("tokenizer.ggml.tokens")));
}

// Divides a frequency with a wavelength of at most original/high by 1, of at least original/low by factor; between the
// two its inverse goes linearly with the frequency.
double llama3_divisor(const Llama3Scaling& scaling, double frequency) {
  const double turns = scaling.original_positions * frequency / kTwoPi;
  const double share = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
  const double smooth = std::clamp(share, 0.0, 1.0);
  return 1.0 / ((1.0 - smooth) / scaling.factor + smooth);
}

double frequency_of(double theta, size_t pair, size_t pairs) {
  return real::pow(theta, -static_cast<double>(pair) / static_cast<double>(pairs));
}

}  // namespace

GgufHeads read_gguf_heads(const GgufFile& file) {
  GgufKeys keys(file);
  return keys.architecture().has_latents ? GgufHeads{} : read_heads(keys);
}

nlohmann::ordered_json gguf_config(const GgufFile& file) {
  GgufKeys keys(file);
  const bool has_latents = keys.architecture().has_latents;
  const GgufHeads heads = has_latents ? GgufHeads{} : read_heads(keys);
  const bool is_llama = keys.architecture().interleaved;
  const double theta = keys.decimal_or("rope.freq_base", 10000.0, 1.0, 1e12);
  nlohmann::ordered_json config = {
      {"architectures", {keys.architecture().hugging_face}},
      {"model_type", keys.architecture().name},
      {"vocab_size", vocabulary_of(keys)},
      {"hidden_size", keys.integer("embedding_length")},
      {"intermediate_size", keys.integer("feed_forward_length")},
      {"num_hidden_layers", keys.integer("block_count", 1 << 16)},
      {"hidden_act", "silu"},
      {"max_position_embeddings", keys.integer("context_length")},
      {"rms_norm_eps", keys.decimal_or("attention.layer_norm_rms_epsilon", 1e-6, 0.0, 1.0)},
      {"rope_theta", theta},
      {"tie_word_embeddings", file.find("token_embd.weight") >= 0 && file.find("output.weight") < 0},
      {"torch_dtype", dtype_of_matrices(file)}};
  if (has_latents) {
    add_deepseek2_fields(keys, config);
  } else {
    config["num_attention_heads"] = heads.heads;
    config["num_key_value_heads"] = heads.kv_heads;
    config["head_dim"] = heads.head_dim;
    keys.expect("expert_count", file.integer_or(keys.full("expert_count"), 0, 0, GgufKeys::kLargest) == 0,
                "0: no experts");
    const nlohmann::ordered_json scaling = rope_scaling(keys, heads, theta);
    if (!scaling.is_null()) config["rope_scaling"] = scaling;
  }
  if (is_llama) {
    config["attention_bias"] = file.find("blk.0.attn_q.bias") >= 0;
    config["mlp_bias"] = file.find("blk.0.ffn_gate.bias") >= 0;
  }
  constexpr const char* kBegin = "tokenizer.ggml.bos_token_id";
  if (file.has(kBegin)) config["bos_token_id"] = file.integer(kBegin, 0, GgufKeys::kLargest);
  const std::vector<int64_t> ends = gguf_end_ids(file);
  if (ends.size() == 1) config["eos_token_id"] = ends[0];
  if (ends.size() > 1) config["eos_token_id"] = ends;
  keys.add_others(config);
  return config;
}

std::vector<float> llama3_divisors(const Llama3Scaling& scaling, double rope_theta, int64_t head_dim) {
  std::vector<float> divisors(static_cast<size_t>(head_dim / 2));
  for (size_t pair = 0; pair < divisors.size(); ++pair) {
    divisors[pair] = static_cast<float>(llama3_divisor(scaling, frequency_of(rope_theta, pair, divisors.size())));
  }
  return divisors;
}

std::optional<Llama3Scaling> fit_llama3_scaling(std::span<const float> divisors, double rope_theta) {
  if (divisors.empty()) return std::nullopt;
  Llama3Scaling scaling;
  scaling.factor = gguf_decimal(*std::max_element(divisors.begin(), divisors.end()));
  if (!(scaling.factor >= 1.0 && scaling.factor <= 1e6)) return std::nullopt;
  // Between the borders 1/divisor = (1 - s)/factor + s with s linear in the frequency: two points give the line.
  double first_frequency = 0, first_share = 0;
  for (size_t pair = 0; pair < divisors.size(); ++pair) {
    const double divisor = divisors[pair];
    if (!(divisor > 1.0 + 1e-6 && divisor < scaling.factor * (1.0 - 1e-6))) continue;
    const double share = (1.0 / divisor - 1.0 / scaling.factor) / (1.0 - 1.0 / scaling.factor);
    const double frequency = frequency_of(rope_theta, pair, divisors.size());
    if (first_frequency == 0) {
      first_frequency = frequency;
      first_share = share;
      continue;
    }
    const double slope = (first_share - share) / (first_frequency - frequency);
    const double at_zero = share - slope * frequency;  // -low / (high - low)
    scaling.high_freq_factor = gguf_decimal(1.0 - 1.0 / at_zero);
    scaling.original_positions = std::round(slope * kTwoPi * (scaling.high_freq_factor - 1.0));
  }
  const double rounded = std::round(scaling.high_freq_factor * 64) / 64;
  if (std::abs(rounded - scaling.high_freq_factor) < 1e-3) scaling.high_freq_factor = rounded;
  for (size_t pair = 0; pair < divisors.size(); ++pair) {
    const double expected = llama3_divisor(scaling, frequency_of(rope_theta, pair, divisors.size()));
    if (!(std::abs(divisors[pair] - expected) <= 1e-5 * expected)) return std::nullopt;
  }
  return scaling;
}

}  // namespace headroom
