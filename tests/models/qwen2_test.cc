// Qwen2: its biases, and the windows of its configs.
#include "tests/models/config_text.h"

namespace headroom::testing {
namespace {

TEST(Qwen2, HasBiasesOfQueriesKeysAndValues) {
  std::vector<std::string> biases;
  for (const std::string& name : parameter_names(*make_model(qwen2({{"num_hidden_layers", 1}})))) {
    if (name.ends_with(".bias")) biases.push_back(name);
  }
  EXPECT_EQ(biases,
            (std::vector<std::string>{"model.layers.0.self_attn.q_proj.bias", "model.layers.0.self_attn.k_proj.bias",
                                      "model.layers.0.self_attn.v_proj.bias"}));
}

// The fields of R1-Distill-Qwen's files, and what transformers 5 makes of them.
TEST(Qwen2, AcceptsWindowsThatHideNothing) {
  for (const char* text :
       {R"({"use_sliding_window": false, "sliding_window": 16, "max_window_layers": 1, "use_mrope": false})",
        R"({"use_sliding_window": false, "sliding_window": null, "layer_types": ["full_attention", "full_attention"]})",
        R"({"use_sliding_window": true, "sliding_window": 128, "max_window_layers": 0})",
        R"({"use_sliding_window": true, "sliding_window": 16, "max_window_layers": 2})",
        R"({"use_sliding_window": true, "sliding_window": 16, "layer_types": ["full_attention", "full_attention"]})"}) {
    EXPECT_EQ(refusal(qwen2(Json::parse(text))), "accepted") << text;
  }
}

TEST(Qwen2, RefusesWindowsThatHideSomething) {
  const char* sentence =
      "config.json: use_sliding_window: attention in a sliding window is not supported; expected use_sliding_window "
      "false, or a sliding_window that is no shorter than max_position_embeddings (128), got 127";
  EXPECT_EQ(refusal(qwen2({{"use_sliding_window", true}, {"sliding_window", 127}, {"max_window_layers", 1}})),
            sentence);
  EXPECT_EQ(refusal(qwen2({{"use_sliding_window", true},
                           {"sliding_window", 127},
                           {"layer_types", {"full_attention", "sliding_attention"}}})),
            sentence);
  for (const Json& window : {Json(0), Json(nullptr)}) {
    const std::string refused = refusal(qwen2({{"use_sliding_window", true},
                                               {"sliding_window", window},
                                               {"max_window_layers", 1},
                                               {"max_position_embeddings", 8192}}));
    EXPECT_NE(refused.find("attention in a sliding window is not supported"), std::string::npos) << refused;
  }
  EXPECT_EQ(
      refusal(qwen2({{"layer_types", {"full_attention"}}})),
      "config.json: layer_types: [\"full_attention\"] is not supported; expected full_attention, once a layer (2)");
  EXPECT_EQ(refusal(qwen2({{"use_mrope", true}})), "config.json: use_mrope: true is not supported; expected false");
}

}  // namespace
}  // namespace headroom::testing
