// Llama: its parameters, with and without biases, and how they start.
#include "headroom/models/llama.h"

#include "tests/models/config_text.h"

namespace headroom::testing {
namespace {

TEST(Llama, NamesItsParametersAsHuggingFaceDoes) {
  const std::unique_ptr<Model> model = make_model(llama({{"num_hidden_layers", 1}}));
  EXPECT_EQ(
      parameter_names(*model),
      (std::vector<std::string>{"model.embed_tokens.weight", "model.layers.0.input_layernorm.weight",
                                "model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.k_proj.weight",
                                "model.layers.0.self_attn.v_proj.weight", "model.layers.0.self_attn.o_proj.weight",
                                "model.layers.0.post_attention_layernorm.weight", "model.layers.0.mlp.gate_proj.weight",
                                "model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.down_proj.weight",
                                "model.norm.weight", "lm_head.weight"}));
  EXPECT_TRUE(model->aliases().empty());
}

TEST(Llama, ATiedOutputLayerIsTheEmbedding) {
  const std::unique_ptr<Model> model = make_model(llama({{"tie_word_embeddings", true}}));
  EXPECT_EQ(parameter_names(*model).back(), "model.norm.weight");
  ASSERT_EQ(model->aliases().size(), 1u);
  EXPECT_EQ(model->aliases()[0].name, "lm_head.weight");
}

TEST(Llama, HasTheBiasesThatTheConfigAsksFor) {
  const auto plain = parameter_count(*make_model(llama({{"head_dim", 16}})));
  // q 4 x 16, k and v 2 x 16, o 32; gate and up 40, down 32: in each of two layers.
  EXPECT_EQ(parameter_count(*make_model(llama({{"head_dim", 16}, {"attention_bias", true}}))) - plain,
            2 * (64 + 2 * 32 + 32));
  EXPECT_EQ(parameter_count(*make_model(llama({{"head_dim", 16}, {"mlp_bias", true}}))) - plain, 2 * (2 * 40 + 32));
}

TEST(Llama, StartsNormsAtOneAndBiasesAtZero) {
  const std::unique_ptr<Model> model = make_model(llama({{"attention_bias", true}, {"initializer_range", 0.3}}));
  for (const Parameter& parameter : model->parameters()) {
    const Initial& initial = parameter.binding->initial;
    const bool is_matrix = parameter.shape.rank() == 2;
    EXPECT_EQ(initial.kind, is_matrix ? Initial::Kind::normal : Initial::Kind::constant) << parameter.name;
    EXPECT_EQ(initial.scale, is_matrix ? 0.3 : parameter.name.ends_with("norm.weight") ? 1.0 : 0.0) << parameter.name;
  }
}

}  // namespace
}  // namespace headroom::testing
