// config.json <-> LlamaConfig: every field that decides a number is read, checked or refused.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/formats/json_object.h"
#include "headroom/models/llama.h"

namespace headroom {
namespace {

constexpr int64_t kLargest = int64_t{1} << 24;  // of any dimension: beyond it a config is absurd, not big

// Fields that say nothing about the numbers of a forward or a training step.
constexpr std::array<std::string_view, 22> kHarmless = {"architectures",
                                                        "model_type",
                                                        "transformers_version",
                                                        "use_cache",
                                                        "pad_token_id",
                                                        "tokenizer_class",
                                                        "auto_map",
                                                        "_name_or_path",
                                                        "_attn_implementation",
                                                        "_attn_implementation_autoset",
                                                        "pretraining_tp",
                                                        "max_length",
                                                        "temperature",
                                                        "top_k",
                                                        "top_p",
                                                        "do_sample",
                                                        "return_dict",
                                                        "output_attentions",
                                                        "output_hidden_states",
                                                        "torchscript",
                                                        "is_decoder",
                                                        "headroom"};

void expect_value(const JsonObject& config, std::string_view key, bool holds, std::string_view expected) {
  if (!holds) throw InvalidInput("{}: {} is not supported; expected {}", config.where(key), config.show(key), expected);
}

// Linear scaling as DeepSeek-Coder uses it; `rope` is rope_scaling or rope_parameters.
double rope_factor(const JsonObject& rope) {
  const std::string_view key = rope.has("rope_type") ? "rope_type" : "type";
  const std::string type = rope.text_or(key, "default");
  if (type == "default") return 1.0;
  expect_value(rope, key, type == "linear", "linear or default");
  return rope.real("factor", 1.0, 1e6);
}

void read_rope(const JsonObject& config, LlamaConfig& llama) {
  llama.rope_theta = config.real_or("rope_theta", 10000.0, 1.0, 1e12);
  const std::optional<JsonObject> parameters = config.object_if("rope_parameters");
  if (parameters) {
    llama.rope_theta = parameters->real_or("rope_theta", llama.rope_theta, 1.0, 1e12);
    llama.rope_factor = rope_factor(*parameters);
  }
  // Where both spellings stand, the older one wins, as in transformers.
  if (const std::optional<JsonObject> scaling = config.object_if("rope_scaling"))
    llama.rope_factor = rope_factor(*scaling);
}

std::vector<int32_t> token_ids(const JsonObject& config, std::string_view key) {
  if (!config.has(key)) return {};
  if (!config.is_array(key)) return {static_cast<int32_t>(config.integer(key, 0, kLargest))};
  std::vector<int32_t> ids;
  for (const int64_t id : config.integers(key, 0, kLargest)) ids.push_back(static_cast<int32_t>(id));
  return ids;
}

void refuse_other_arithmetic(const JsonObject& config) {
  expect_value(config, "hidden_act", config.text_or("hidden_act", "silu") == "silu", "silu");
  for (const char* key : {"attention_bias", "mlp_bias"})
    expect_value(config, key, !config.boolean_or(key, false), "false");
  expect_value(config, "attention_dropout", config.real_or("attention_dropout", 0.0, 0.0, 1.0) == 0.0, "0");
  for (const std::string& key : config.unread()) {
    if (std::find(kHarmless.begin(), kHarmless.end(), key) != kHarmless.end()) continue;
    throw InvalidInput("{}: this field is unknown and might change the numbers; remove it if it does not",
                       config.where(key));
  }
}

}  // namespace

LlamaConfig read_llama_config(const JsonObject& config) {
  LlamaConfig llama;
  llama.vocabulary = config.integer("vocab_size", 1, kLargest);
  llama.features = config.integer("hidden_size", 1, kLargest);
  llama.mlp_features = config.integer("intermediate_size", 1, kLargest);
  llama.layers = config.integer("num_hidden_layers", 1, 1 << 16);
  llama.heads = config.integer("num_attention_heads", 1, 1 << 16);
  llama.kv_heads = config.integer_or("num_key_value_heads", llama.heads, 1, 1 << 16);
  expect_value(config, "num_key_value_heads", llama.heads % llama.kv_heads == 0,
               fmt::format("a divisor of num_attention_heads ({})", llama.heads));
  if (!config.has("head_dim")) {
    expect_value(config, "hidden_size", llama.features % llama.heads == 0,
                 fmt::format("a multiple of num_attention_heads ({})", llama.heads));
  }
  llama.head_dim = config.integer_or("head_dim", llama.features / llama.heads, 1, 1 << 16);
  expect_value(config, config.has("head_dim") ? "head_dim" : "hidden_size",
               llama.head_dim % 8 == 0 && llama.head_dim <= 256, "a head size that is a multiple of 8 up to 256");
  llama.max_positions = config.integer_or("max_position_embeddings", 2048, 1, kLargest);
  llama.norm_eps = config.real_or("rms_norm_eps", 1e-6, 0.0, 1.0);
  llama.initializer_range = config.real_or("initializer_range", 0.02, 0.0, 10.0);
  llama.tied_embeddings = config.boolean_or("tie_word_embeddings", false);
  const std::string_view dtype_key = config.has("dtype") ? "dtype" : "torch_dtype";
  llama.dtype = parse_dtype(config.text_or(dtype_key, "float32"), config.where(dtype_key));
  const std::vector<int32_t> bos = token_ids(config, "bos_token_id");
  if (!bos.empty()) llama.bos = bos.front();
  llama.eos = token_ids(config, "eos_token_id");
  read_rope(config, llama);
  refuse_other_arithmetic(config);
  return llama;
}

nlohmann::ordered_json to_json(const LlamaConfig& llama) {
  constexpr std::array<const char*, 3> kHuggingFaceDtypes = {"float32", "bfloat16", "float16"};
  nlohmann::ordered_json config = {{"architectures", {"LlamaForCausalLM"}},
                                   {"model_type", "llama"},
                                   {"vocab_size", llama.vocabulary},
                                   {"hidden_size", llama.features},
                                   {"intermediate_size", llama.mlp_features},
                                   {"num_hidden_layers", llama.layers},
                                   {"num_attention_heads", llama.heads},
                                   {"num_key_value_heads", llama.kv_heads},
                                   {"head_dim", llama.head_dim},
                                   {"hidden_act", "silu"},
                                   {"max_position_embeddings", llama.max_positions},
                                   {"initializer_range", llama.initializer_range},
                                   {"rms_norm_eps", llama.norm_eps},
                                   {"rope_theta", llama.rope_theta},
                                   {"tie_word_embeddings", llama.tied_embeddings},
                                   {"attention_bias", false},
                                   {"mlp_bias", false},
                                   {"torch_dtype", kHuggingFaceDtypes[static_cast<size_t>(llama.dtype)]}};
  if (llama.rope_factor != 1.0) config["rope_scaling"] = {{"type", "linear"}, {"factor", llama.rope_factor}};
  if (llama.bos) config["bos_token_id"] = *llama.bos;
  if (llama.eos.size() == 1) config["eos_token_id"] = llama.eos.front();
  if (llama.eos.size() > 1) config["eos_token_id"] = llama.eos;
  return config;
}

}  // namespace headroom
