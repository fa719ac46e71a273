// config.json of decoders: what the released models' files hold is accepted, what would change the numbers is refused.
#include "headroom/models/decoder.h"
#include "tests/models/config_text.h"

namespace headroom::testing {
namespace {

// The fields of deepseek-ai's files and of those that transformers 4 and 5 write, at the values they have there.
TEST(DecoderConfig, AcceptsTheFieldsOfReleasedModels) {
  for (const char* text :
       {R"({"pretraining_tp": 1, "rope_scaling": null, "rope_theta": 10000.0, "transformers_version": "4.33.1",
            "use_cache": true, "bos_token_id": 60, "eos_token_id": 61, "tie_word_embeddings": false})",
        R"({"attention_bias": false, "attention_dropout": 0.0, "mlp_bias": false, "_name_or_path": "a/b",
            "eos_token_id": [60, 61], "pad_token_id": 62, "torch_dtype": "bfloat16"})",
        R"({"return_dict": true, "output_hidden_states": false, "use_bfloat16": false, "tf_legacy_loss": false,
            "pruned_heads": {}, "chunk_size_feed_forward": 0, "is_encoder_decoder": false, "is_decoder": false,
            "add_cross_attention": false, "max_length": 20, "num_beams": 1, "id2label": {"0": "LABEL_0"},
            "tokenizer_class": null, "problem_type": null, "prefix": null, "sep_token_id": null})",
        R"({"torch_dtype": null, "dtype": "float16", "head_dim": 16, "rope_parameters":
            {"rope_theta": 500000.0, "rope_type": "default"}, "transformers_version": "5.23.0"})"}) {
    EXPECT_EQ(refusal(llama(Json::parse(text))), "accepted") << text;
  }
}

// What fine-tuning tools and other frameworks leave in the files of real checkpoints.
TEST(DecoderConfig, PassesOverFieldsThatChangeNothing) {
  for (const char* text :
       {R"({"max_sequence_length": 4096, "unsloth_fixed": true, "unsloth_version": "2025.1", "bias": false})",
        R"({"gradient_checkpointing": false, "use_gradient_checkpointing": true, "gradient_checkpointing_kwargs": {}})",
        R"({"rotary_emb": null, "resid_pdrop": 0.0, "embd_pdrop": 0, "hidden_dropout": 0.0, "lm_head_bias": false})",
        R"({"logit_scale": 1.0, "embedding_multiplier": 1, "sliding_window": null, "num_experts": 0})",
        R"({"tokenizer_name": "x", "model_max_length": 2048, "padding_side": "right", "chat_template": "{{ x }}"})"}) {
    EXPECT_EQ(refusal(llama(Json::parse(text))), "accepted") << text;
  }
}

TEST(DecoderConfig, RunsHeadsOfAnyEvenSize) {
  for (const int size : {2, 4, 20, 80, 100, 256}) EXPECT_EQ(refusal(llama({{"head_dim", size}})), "accepted") << size;
}

TEST(DecoderConfig, TakesWeightsThatHeadroomHasQuantised) {
  const Json ours = {{"quant_method", "headroom"}, {"bits", 4}, {"group_size", 128}, {"symmetric", true}};
  const auto expect = [&](const char* key, const Json& value, const std::string& sentence) {
    Json changed = ours;
    changed[key] = value;
    EXPECT_EQ(refusal(llama({{"quantization_config", changed}})), sentence);
  };
  expect("bits", 8, "accepted");
  expect("bits", 16, "config.json: quantization_config.bits: expected an integer from 2 to 8, got 16");
  expect("quant_method", "quanto",
         "config.json: quantization_config.quant_method: quanto is not supported; expected one of headroom, gptq, awq, "
         "compressed-tensors, fp8, fbgemm_fp8 and bitsandbytes; try the model before it was quantised");
  expect("desc_act", true,
         "config.json: quantization_config.desc_act: this field is unknown; it may be a newer headroom's");
}

TEST(DecoderConfig, RefusesWhatWouldChangeTheNumbers) {
  const auto expect = [](const Json& changes, const std::string& sentence) {
    EXPECT_EQ(refusal(llama(changes)), "config.json: " + sentence);
  };
  expect({{"hidden_act", "gelu"}}, "hidden_act: \"gelu\" is not supported; expected silu");
  expect({{"attention_dropout", 0.1}}, "attention_dropout: 0.1 is not supported; expected 0");
  expect({{"partial_rotary_factor", 0.5}}, "partial_rotary_factor: 0.5 is not supported; expected 1");
  expect({{"is_encoder_decoder", true}}, "is_encoder_decoder: true is not supported; expected false");
  expect({{"pruned_heads", {{"0", {1}}}}}, "pruned_heads: {\"0\":[1]} is not supported; expected no pruned heads");
  expect({{"quantization_config", {{"bits", 4}}}},
         "quantization_config.quant_method: absent is not supported; expected one of headroom, gptq, awq, "
         "compressed-tensors, fp8, fbgemm_fp8 and bitsandbytes; try the model before it was quantised");
  expect({{"logit_scale", 2}}, "logit_scale: 2 is not supported; expected 1");
  expect({{"bias", true}}, "bias: true is not supported; expected false");
  expect({{"sliding_window", 64}}, "sliding_window: 64 is not supported; expected absent");
  expect({{"num_local_experts", 8}}, "num_local_experts: 8 is not supported; expected 0");
  expect({{"logit_scaling_of_tomorrow", 2}},
         "logit_scaling_of_tomorrow: this field is unknown and might change the numbers; remove it if it does not, or "
         "try --ignore-unknown-fields");
  expect({{"torch_dtype", "int32"}}, "torch_dtype: \"int32\" is not supported; expected float32, bfloat16 or float16");
  expect({{"num_key_value_heads", 3}},
         "num_key_value_heads: 3 is not supported; expected a divisor of num_attention_heads (4)");
  expect({{"num_attention_heads", 5}, {"num_key_value_heads", nullptr}},
         "hidden_size: 32 is not supported; expected a multiple of num_attention_heads (5)");
  expect({{"head_dim", 9}}, "head_dim: 9 is not supported; expected an even head size up to 256");
  expect({{"head_dim", 258}}, "head_dim: 258 is not supported; expected an even head size up to 256");
  expect({{"num_hidden_layers", 5000}}, "num_hidden_layers: expected an integer from 1 to 1024, got 5000");
  expect({{"vocab_size", nullptr}}, "vocab_size: is missing; expected an integer");
}

TEST(DecoderConfig, TakesTheDefaultsOfTransformers) {
  const JsonObject json =
      llama({{"num_key_value_heads", nullptr}, {"rms_norm_eps", nullptr}, {"torch_dtype", nullptr}});
  DecoderConfig config = read_decoder_config(json);
  read_heads(json, config);
  EXPECT_EQ(config.kv_heads, 4);
  EXPECT_EQ(config.head_dim, 8);
  EXPECT_EQ(config.norm_eps, 1e-6);
  EXPECT_FALSE(config.tied_embeddings);
  EXPECT_EQ(config.dtype, DType::f32);
  EXPECT_EQ(config.rotary.theta, 10000.0);
}

TEST(DecoderConfig, KeepsFloat64AsFloat32) {
  EXPECT_EQ(read_decoder_config(llama({{"torch_dtype", "float64"}})).dtype, DType::f32);
  EXPECT_EQ(read_decoder_config(llama({{"dtype", "torch.bfloat16"}})).dtype, DType::bf16);
}

}  // namespace
}  // namespace headroom::testing
