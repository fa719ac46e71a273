#include "headroom/models/known_fields.h"

#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

// Fields that say nothing about the numbers of a forward or a training step: where the config comes from, what other
// tasks and frameworks would do, and how transformers would generate.
constexpr std::string_view kSilent =
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
constexpr std::string_view kNoted =
    " _flash_attn_2_enabled add_bos_token add_eos_token assistant_confidence_threshold attribute_map base_model "
    "base_model_name_or_path bos_token cache_config cache_implementation chat_template cls_token_id constraints "
    "dataset ddp eos_token epsilon_cutoff eta_cutoff flash_attention force_words_ids fp16 generation_config "
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

// Whether the field is one of those, and has the value. Throws where it has another.
bool is_without_effect(const JsonObject& config, const std::string& key) {
  for (const KnownToMatter& known : kMatter) {
    if (!is_among(key, known.fields)) continue;
    const nlohmann::ordered_json expected = nlohmann::ordered_json::parse(known.value);
    expect_field(config, key, config.json().at(key) == expected,
                 expected.is_null() ? "absent" : std::string_view(known.value));
    return true;
  }
  return false;
}

}  // namespace

bool is_among(std::string_view word, std::string_view words) {
  return word.find(' ') == std::string_view::npos &&
         words.find(" " + std::string(word) + " ") != std::string_view::npos;
}

void expect_field(const JsonObject& config, std::string_view key, bool holds, std::string_view expected) {
  if (!holds) throw InvalidInput("{}: {} is not supported; expected {}", config.where(key), config.show(key), expected);
}

void refuse_unknown_fields(const JsonObject& config) {
  for (const std::string& key : config.unread()) {
    if (is_among(key, kSilent) || is_without_effect(config, key)) continue;
    if (!is_among(key, kNoted) && !config.ignores_unknown()) {
      throw InvalidInput(
          "{}: this field is unknown and might change the numbers; remove it if it does not, or try "
          "--ignore-unknown-fields",
          config.where(key));
    }
    config.pass_over(key);
  }
}

}  // namespace headroom
