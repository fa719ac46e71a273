// config.json -> DecoderConfig: every field that decides a number is read, checked or refused.
#include <fmt/core.h>

#include <array>
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/models/decoder.h"
#include "headroom/models/labels.h"

namespace headroom {
namespace {

constexpr int64_t kLargest = int64_t{1} << 24;  // of any dimension: beyond it a config is absurd, not big

// Fields that say nothing about the numbers of a forward or a training step: where the config comes from, what other
// tasks and frameworks would do, and how transformers would generate.
constexpr std::string_view kHarmless =
    " _attn_implementation _attn_implementation_autoset _commit_hash _name_or_path architectures "
    "attn_implementation auto_map bad_words_ids begin_suppress_tokens chunk_size_feed_forward "
    "cross_attention_hidden_size decoder_start_token_id diversity_penalty do_sample early_stopping "
    "encoder_no_repeat_ngram_size exponential_decay_length_penalty finetuning_task forced_bos_token_id "
    "forced_eos_token_id headroom id2label is_decoder label2id length_penalty max_length min_length model_type "
    "no_repeat_ngram_size num_beam_groups num_beams num_return_sequences output_attentions output_hidden_states "
    "output_scores pad_token_id prefix pretraining_tp problem_type remove_invalid_values repetition_penalty "
    "return_dict return_dict_in_generate sep_token_id suppress_tokens task_specific_params temperature "
    "tf_legacy_loss tie_encoder_decoder tokenizer_class top_k top_p torchscript transformers_version typical_p "
    "use_bfloat16 use_cache ";

// The same of other programs: trainers, converters, merged adapters, and generation settings of newer transformers.
constexpr std::string_view kOfOtherPrograms =
    " _flash_attn_2_enabled add_bos_token add_eos_token assistant_confidence_threshold attribute_map base_model "
    "base_model_name_or_path bos_token cache_config cache_implementation chat_template cls_token_id constraints "
    "dataset "
    "ddp eos_token epsilon_cutoff eta_cutoff flash_attention force_words_ids fp16 generation_config "
    "gradient_checkpointing gradient_checkpointing_kwargs guidance_scale initializer_factor is_composition "
    "keys_to_ignore_at_inference language license local_rank low_cpu_mem_usage low_memory mask_token_id "
    "max_new_tokens max_seq_len max_seq_length max_sequence_length max_time merged_from min_new_tokens min_p "
    "model_max_length model_parallel n_ctx n_positions name output_router_logits pad_to_multiple_of pad_token "
    "padding_side penalty_alpha renormalize_logits router_aux_loss_coef seq_len seq_length stop_strings tags "
    "tokenizer_file tokenizer_name torch_compile training_args transformers.js_config trust_remote_code unk_token "
    "unk_token_id unsloth_fixed unsloth_version use_fast use_flash_attention use_flash_attention_2 use_flash_attn "
    "use_gradient_checkpointing use_reentrant world_size ";

// Fields that are known to change the numbers unless they have the value.
struct KnownToMatter {
  std::string_view fields;
  const char* value;  // as JSON; null: unless they are absent
};
constexpr std::array kMatter = {
    KnownToMatter{
        " add_bias_linear add_qkv_bias alibi apply_residual_connection_post_layernorm attn_output_gate bias "
        "head_bias interleaved lm_head_bias mlp_bias norm_bias normalize_embedding parallel_attn qk_layernorm "
        "qk_norm qkv_bias rope_interleaved sandwich_norm scale_attn_by_inverse_layer_idx scale_embedding "
        "use_alibi use_bias use_mrope use_parallel_residual use_qk_norm use_sliding_window ",
        "false"},
    KnownToMatter{
        " attention_probs_dropout_prob attn_logit_softcapping attn_pdrop classifier_dropout dropout embd_pdrop "
        "embedding_dropout embedding_noise final_logit_softcapping hidden_dropout hidden_dropout_prob "
        "kv_lora_rank n_routed_experts n_shared_experts neftune_noise_alpha num_experts num_local_experts "
        "num_nextn_predict_layers q_lora_rank resid_dropout resid_pdrop residual_dropout ",
        "0"},
    KnownToMatter{" attention_multiplier embedding_multiplier embedding_scale lm_head_multiplier logit_scale "
                  "logits_scaling residual_multiplier residual_scale rope_ratio rotary_pct rotary_percent scale_emb ",
                  "1"},
    KnownToMatter{" audio_config clip_qkv dim_model_base layer_types mlp_only_layers moe_intermediate_size "
                  "no_rope_layers quantization rotary_dim scale_depth sliding_window text_config vision_config ",
                  "null"},
};

bool is_among(std::string_view word, std::string_view words) {
  return word.find(' ') == std::string_view::npos &&
         words.find(" " + std::string(word) + " ") != std::string_view::npos;
}

void refuse_what_matters(const JsonObject& config, const std::string& key) {
  for (const KnownToMatter& known : kMatter) {
    if (!is_among(key, known.fields)) continue;
    const nlohmann::ordered_json expected = nlohmann::ordered_json::parse(known.value);
    expect_field(config, key, config.json().at(key) == expected,
                 expected.is_null() ? "absent" : std::string_view(known.value));
  }
}

bool is_known(const std::string& key) {
  if (is_among(key, kHarmless) || is_among(key, kOfOtherPrograms)) return true;
  for (const KnownToMatter& known : kMatter) {
    if (is_among(key, known.fields)) return true;
  }
  return false;
}

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
  if (config.has("quantization_config")) {
    throw InvalidInput("{}: quantized weights are not supported; expected a model in float32, bfloat16 or float16",
                       config.where("quantization_config"));
  }
}

}  // namespace

void expect_field(const JsonObject& config, std::string_view key, bool holds, std::string_view expected) {
  if (!holds) throw InvalidInput("{}: {} is not supported; expected {}", config.where(key), config.show(key), expected);
}

void refuse_unknown_fields(const JsonObject& config) {
  for (const std::string& key : config.unread()) {
    refuse_what_matters(config, key);
    if (is_known(key)) continue;
    throw InvalidInput("{}: this field is unknown and might change the numbers; remove it if it does not",
                       config.where(key));
  }
}

DecoderConfig read_decoder_config(const JsonObject& config) {
  DecoderConfig decoder;
  decoder.vocabulary = config.integer("vocab_size", 1, kLargest);
  decoder.features = config.integer("hidden_size", 1, kLargest);
  decoder.mlp_features = config.integer("intermediate_size", 1, kLargest);
  decoder.layers = config.integer("num_hidden_layers", 1, 1 << 10);
  read_heads(config, decoder);
  decoder.max_positions = config.integer_or("max_position_embeddings", 2048, 1, kLargest);
  decoder.norm_eps = config.real_or("rms_norm_eps", 1e-6, 0.0, 1.0);
  decoder.rotary = read_rotary(config, decoder.max_positions);
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
