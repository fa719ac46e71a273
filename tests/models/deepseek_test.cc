// DeepSeek-V2 and V3: their configs, the names of their weights, stacks of experts.
#include <algorithm>

#include "tests/models/config_text.h"

namespace headroom::testing {
namespace {

JsonObject deepseek(bool is_v3, const Json& changes = Json::object()) {
  Json config = {{"num_key_value_heads", 4},
                 {"q_lora_rank", 12},
                 {"kv_lora_rank", 16},
                 {"qk_nope_head_dim", 8},
                 {"qk_rope_head_dim", 4},
                 {"v_head_dim", 6},
                 {"n_routed_experts", 16},
                 {"n_shared_experts", 1},
                 {"num_experts_per_tok", 4},
                 {"first_k_dense_replace", 1},
                 {"moe_intermediate_size", 24},
                 {"n_group", 4},
                 {"topk_group", 2}};
  for (const auto& [key, value] : changes.items()) config[key] = value;
  return small_config(is_v3 ? "DeepseekV3ForCausalLM" : "DeepseekV2ForCausalLM", config);
}

TEST(Deepseek, HasItsWeightsByTheirNames) {
  const std::unique_ptr<Model> model = make_model(deepseek(true));
  EXPECT_EQ(model->architecture(), "DeepseekV3ForCausalLM");
  std::vector<std::string> of_layer;
  for (const Parameter& parameter : model->parameters()) {
    if (parameter.name.starts_with("model.layers.1.")) of_layer.push_back(parameter.name.substr(15));
  }
  EXPECT_EQ(of_layer,
            (std::vector<std::string>{
                "input_layernorm.weight", "self_attn.q_a_proj.weight", "self_attn.q_a_layernorm.weight",
                "self_attn.q_b_proj.weight", "self_attn.kv_a_proj_with_mqa.weight", "self_attn.kv_a_layernorm.weight",
                "self_attn.kv_b_proj.weight", "self_attn.o_proj.weight", "post_attention_layernorm.weight",
                "mlp.gate.weight", "mlp.gate.e_score_correction_bias", "mlp.shared_experts.gate_proj.weight",
                "mlp.shared_experts.up_proj.weight", "mlp.shared_experts.down_proj.weight",
                "mlp.experts.gate_proj.weight", "mlp.experts.up_proj.weight", "mlp.experts.down_proj.weight"}));
  for (const Parameter& parameter : model->parameters()) {
    if (parameter.name != "model.layers.1.mlp.experts.down_proj.weight") continue;
    EXPECT_EQ(parameter.shape, (Shape{16, 32, 24}));
    ASSERT_EQ(parameter.binding->slices.size(), 16u);
    EXPECT_EQ(parameter.binding->slices[5].tensor, "model.layers.1.mlp.experts.5.down_proj.weight");
    EXPECT_EQ(parameter.binding->slices[5].shape, (Shape{32, 24}));
    EXPECT_EQ(parameter.binding->slices[5].to.first, (Shape{5, 0, 0}));
  }
  // The experts' bindings are made once, however often a graph is built.
  const auto down = [&] {
    const std::vector<Parameter> all = model->parameters();
    return std::find_if(all.begin(), all.end(),
                        [](const Parameter& one) { return one.name == "model.layers.1.mlp.experts.down_proj.weight"; })
        ->binding;
  };
  EXPECT_EQ(down(), down());
}

TEST(Deepseek, RefusesWhatItWouldComputeOtherwise) {
  const auto expect = [](bool is_v3, const Json& changes, const std::string& sentence) {
    EXPECT_EQ(refusal(deepseek(is_v3, changes)), "config.json: " + sentence);
  };
  EXPECT_EQ(refusal(deepseek(true)), "accepted");
  EXPECT_EQ(refusal(deepseek(false, {{"q_lora_rank", nullptr}, {"topk_method", "greedy"}})), "accepted");
  expect(true, {{"n_group", 3}}, "n_group: 3 is not supported; expected a divisor of n_routed_experts (16)");
  expect(true, {{"topk_group", 5}}, "topk_group: 5 is not supported; expected n_group (4) at most");
  expect(true, {{"num_experts_per_tok", 9}},
         "num_experts_per_tok: 9 is not supported; expected as many as take part (8) at most");
  expect(true, {{"topk_method", "greedy"}}, "topk_method: \"greedy\" is not supported; expected noaux_tc");
  expect(false, {{"scoring_func", "sigmoid"}}, "scoring_func: \"sigmoid\" is not supported; expected softmax");
  expect(false, {{"topk_method", "noaux_tc"}},
         "topk_method: \"noaux_tc\" is not supported; expected greedy or group_limited_greedy");
  expect(false, {{"norm_topk_prob", true}}, "norm_topk_prob: true is not supported; expected false beside softmax");
  expect(true, {{"moe_layer_freq", 2}}, "moe_layer_freq: 2 is not supported; expected 1");
  expect(true, {{"num_key_value_heads", 2}},
         "num_key_value_heads: 2 is not supported; expected num_attention_heads (4): all heads attend one latent");
  expect(true, {{"head_dim", 8}}, "head_dim: 8 is not supported; expected 4");
  expect(true, {{"qk_rope_head_dim", 5}}, "qk_rope_head_dim: 5 is not supported; expected an even number");
  expect(true, {{"index_topk", 2048}},
         "index_topk: this field is unknown and might change the numbers; remove it if it does not, or try "
         "--ignore-unknown-fields");
}

}  // namespace
}  // namespace headroom::testing
