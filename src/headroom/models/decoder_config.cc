// config.json -> DecoderConfig: every field that decides a number is read, checked or refused.
#include <fmt/core.h>

#include <array>
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/formats/weights/quantization_config.h"
#include "headroom/models/decoder.h"
#include "headroom/models/known_fields.h"
#include "headroom/models/labels.h"

namespace headroom {
namespace {

constexpr int64_t kLargest = int64_t{1} << 24;  // of any dimension: beyond it a config is absurd, not big

std::vector<int32_t> token_ids(const JsonObject& config, std::string_view key) {
  if (!config.has(key)) return {};
  if (!config.is_array(key)) return {static_cast<int32_t>(config.integer(key, 0, kLargest))};
  std::vector<int32_t> ids;
  for (const int64_t id : config.integers(key, 0, kLargest)) ids.push_back(static_cast<int32_t>(id));
  return ids;
}

// f64 is kept as f32, in which everything is computed.
DType read_dtype(const JsonObject& config) {
  const std::string_view key = config.has("dtype") ? "dtype" : "torch_dtype";
  const DType dtype = parse_dtype(config.text_or(key, "float32"), config.where(key));
  expect_field(config, key, dtype != DType::i32, "float32, bfloat16 or float16");
  return dtype == DType::f64 ? DType::f32 : dtype;
}

// The files say what each of the weights is (formats/weights/foreign_weights.h); here, that they can be read.
void check_quantization(const JsonObject& config) {
  if (config.has("quantization_config")) read_quantization_config(config.object("quantization_config"));
}

// What the field would change is not computed; the value that changes nothing is accepted.
void refuse_other_arithmetic(const JsonObject& config) {
  const std::string activation = config.text_or("hidden_act", "silu");
  expect_field(config, "hidden_act", activation == "silu" || activation == "swish", "silu");
  expect_field(config, "attention_dropout", config.real_or("attention_dropout", 0.0, 0.0, 1.0) == 0.0, "0");
  expect_field(config, "partial_rotary_factor", config.real_or("partial_rotary_factor", 1.0, 0.0, 1.0) == 1.0, "1");
  for (const char* key : {"is_encoder_decoder", "add_cross_attention"})
    expect_field(config, key, !config.boolean_or(key, false), "false");
  expect_field(config, "pruned_heads", !config.has("pruned_heads") || config.object("pruned_heads").keys().empty(),
               "no pruned heads");
  check_quantization(config);
}

}  // namespace

void read_heads(const JsonObject& config, DecoderConfig& decoder) {
  decoder.heads = config.integer("num_attention_heads", 1, 1 << 16);
  decoder.kv_heads = config.integer_or("num_key_value_heads", decoder.heads, 1, 1 << 16);
  expect_field(config, "num_key_value_heads", decoder.heads % decoder.kv_heads == 0,
               fmt::format("a divisor of num_attention_heads ({})", decoder.heads));
  if (!config.has("head_dim")) {
    expect_field(config, "hidden_size", decoder.features % decoder.heads == 0,
                 fmt::format("a multiple of num_attention_heads ({})", decoder.heads));
  }
  decoder.head_dim = config.integer_or("head_dim", decoder.features / decoder.heads, 1, 1 << 16);
  expect_field(config, config.has("head_dim") ? "head_dim" : "hidden_size",
               decoder.head_dim % 2 == 0 && decoder.head_dim <= 256, "an even head size up to 256");
}

DecoderConfig read_decoder_config(const JsonObject& config) {
  DecoderConfig decoder;
  decoder.vocabulary = config.integer("vocab_size", 1, kLargest);
  decoder.features = config.integer("hidden_size", 1, kLargest);
  decoder.mlp_features = config.integer("intermediate_size", 1, kLargest);
  decoder.layers = config.integer("num_hidden_layers", 1, 1 << 10);
  decoder.max_positions = config.integer_or("max_position_embeddings", 2048, 1, kLargest);
  decoder.norm_eps = config.real_or("rms_norm_eps", 1e-6, 0.0, 1.0);
  decoder.rotary = read_rotary(config, decoder.max_positions);
  decoder.max_positions = positions_of(decoder.rotary, decoder.max_positions);
  decoder.initializer_range = config.real_or("initializer_range", 0.02, 0.0, 10.0);
  decoder.tied_embeddings = config.boolean_or("tie_word_embeddings", false);
  decoder.dtype = read_dtype(config);
  const std::vector<int32_t> bos = token_ids(config, "bos_token_id");
  if (!bos.empty()) decoder.bos = bos.front();
  decoder.eos = token_ids(config, "eos_token_id");
  if (is_classifier(config)) {
    decoder.labels = read_labels(config, decoder.vocabulary);
    const int64_t padding = config.integer_or("pad_token_id", -1, -1, kLargest);
    if (padding >= 0) decoder.padding = static_cast<int32_t>(padding);
  }
  refuse_other_arithmetic(config);
  return decoder;
}

}  // namespace headroom
