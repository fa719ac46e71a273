#include "headroom/formats/weights/adapter_config.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

#include "headroom/base/errors.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

constexpr const char* kPlain =
    R"("peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "mlp.up_proj"])";

class AdapterConfigTest : public ::testing::Test {
 protected:
  AdapterConfig read(const std::string& members) {
    std::ofstream(directory_.path() + "/adapter_config.json") << "{" << members << "}";
    return read_adapter_config(directory_.path());
  }
  void expect_refused(const std::string& member, const std::string& words) {
    try {
      read(std::string(kPlain) + ", " + member);
      ADD_FAILURE() << "accepted: " << member;
    } catch (const InvalidInput& error) {
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  }
  TemporaryDirectory directory_;
};

TEST_F(AdapterConfigTest, ReadsWhatDecidesTheNumbers) {
  const AdapterConfig config = read(std::string(kPlain) + R"(, "rank_pattern": {"layers.1.self_attn.q_proj": 4},
      "alpha_pattern": {"up_proj": 2}, "lora_dropout": 0.1, "bias": "none", "modules_to_save": null, "use_dora": false,
      "layers_to_transform": null, "init_lora_weights": true, "eva_config": null, "megatron_core": "megatron.core",
      "task_type": "CAUSAL_LM", "base_model_name_or_path": "a", "some_new_member": null, "another": {})");
  EXPECT_EQ(config.dropout, 0.1);
  EXPECT_TRUE(config.has_target("model.layers.0.self_attn.q_proj"));
  EXPECT_TRUE(config.has_target("model.layers.0.mlp.up_proj"));
  EXPECT_FALSE(config.has_target("model.layers.0.self_attn.xq_proj"));
  EXPECT_EQ(config.rank_of("model.layers.0.self_attn.q_proj"), 8);
  EXPECT_EQ(config.rank_of("model.layers.1.self_attn.q_proj"), 4);
  EXPECT_EQ(config.rank_of("model.layers.11.self_attn.q_proj"), 8);
  EXPECT_EQ(config.scale_of("model.layers.1.self_attn.q_proj"), 4.0);
  EXPECT_EQ(config.scale_of("model.layers.1.mlp.up_proj"), 0.25);
}

TEST_F(AdapterConfigTest, WaysOfBeginningThatLeaveTheBaseAreOneLikeAnother) {
  for (const char* way : {"gaussian", "eva", "orthogonal", "MiCA"}) {
    EXPECT_EQ(
        read(fmt::format(R"({}, "init_lora_weights": "{}", "eva_config": {{"rho": 2.0}}, "loftq_config": {{"a": 1}},
                  "corda_config": {{"b": 1}}, "fan_in_fan_out": true)",
                         kPlain, way))
            .rank,
        8);
  }
}

TEST_F(AdapterConfigTest, TargetsMayBeARegularExpressionAndInSomeLayersOnly) {
  constexpr const char* kFirst = "model.layers.0.self_attn.q_proj";
  constexpr const char* kSecond = "model.layers.1.self_attn.q_proj";
  const auto with = [&](const char* members) { return read(fmt::format(R"("peft_type": "LORA", {})", members)); };
  AdapterConfig config = with(R"("target_modules": ".*\\.1\\..*q_proj")");
  EXPECT_FALSE(config.has_target(kFirst));
  EXPECT_TRUE(config.has_target(kSecond));
  EXPECT_FALSE(with(R"("target_modules": "q_proj")").has_target(kFirst));  // the whole name
  EXPECT_TRUE(with(R"("target_modules": "all-linear")").has_target(kFirst));
  for (const char* members : {R"("target_modules": ["q_proj"], "layers_to_transform": [1])",
                              R"("target_modules": ["q_proj"], "layers_to_transform": 1, "layers_pattern": "layers")",
                              R"("target_modules": ["q_proj"], "exclude_modules": ["layers.0.self_attn.q_proj"])",
                              R"("target_modules": ["q_proj"], "exclude_modules": ".*layers.0.*")"}) {
    config = with(members);
    EXPECT_FALSE(config.has_target(kFirst)) << members;
    EXPECT_TRUE(config.has_target(kSecond)) << members;
    write_adapter_config(config, "base", directory_.path());
    config = read_adapter_config(directory_.path());
    EXPECT_FALSE(config.has_target(kFirst)) << members;
    EXPECT_TRUE(config.has_target(kSecond)) << members;
  }
}

TEST_F(AdapterConfigTest, ReadsWhatItWrites) {
  AdapterConfig config{.rank = 16,
                       .alpha = 12.5,
                       .dropout = 0.05,
                       .rank_stabilized = true,
                       .targets = {"v_proj"},
                       .ranks = {{"layers.3.self_attn.v_proj", 2}},
                       .alphas = {{"v_proj", 3}}};
  write_adapter_config(config, "base", directory_.path());
  const AdapterConfig read = read_adapter_config(directory_.path());
  EXPECT_EQ(read.rank, 16);
  EXPECT_EQ(read.alpha, 12.5);
  EXPECT_EQ(read.dropout, 0.05);
  EXPECT_EQ(read.targets, config.targets);
  EXPECT_EQ(read.ranks, config.ranks);
  EXPECT_EQ(read.alphas, config.alphas);
  EXPECT_EQ(read.scale_of("layers.0.self_attn.v_proj"), 3.0 / 4.0);
}

TEST_F(AdapterConfigTest, ReadsDoraAndWholeLayers) {
  const AdapterConfig config =
      read(std::string(kPlain) + R"(, "use_dora": true, "modules_to_save": ["lm_head", "score"])");
  EXPECT_TRUE(config.has_magnitudes);
  EXPECT_EQ(join_names(config.whole), "lm_head,score");
}

TEST_F(AdapterConfigTest, RefusesWhatItDoesNotCompute) {
  expect_refused(R"("use_qalora": true)",
                 "use_qalora: asks for QALoRA, which headroom does not compute; expected it to be absent, got true");
  expect_refused(R"("bias": "all")", "bias: asks for trained biases, which headroom does not compute; expected none");
  expect_refused(R"("target_parameters": ["x"])", "target_parameters");
  for (const char* way : {"pissa", "pissa_niter_4", "OLoRA", "corda", "loftq", "lora_ga"}) {
    expect_refused(fmt::format(R"("init_lora_weights": "{}")", way),
                   "changes the base's own weights when the adapter is loaded");
  }
  expect_refused(R"("rank_pattern": {"(q_proj": 4})", "rank_pattern: bad regular expression (missing closing");
  expect_refused(R"("layers_to_transform": 0, "layers_pattern": "l.*")",
                 "layers_pattern: expected the name of the list");
  expect_refused(R"("shiny_new_thing": 1)", "shiny_new_thing: unknown member, which might change the numbers; got 1");
  EXPECT_THROW(read(R"("peft_type": "LOHA")"), InvalidInput);
  EXPECT_THROW(read(R"("peft_type": "LORA", "r": 0, "target_modules": ["q"])"), InvalidInput);
  EXPECT_THROW(read(R"("peft_type": "LORA", "target_modules": null)"), InvalidInput);
  EXPECT_THROW(read(R"("peft_type": "LORA", "target_modules": ".*", "layers_to_transform": [1])"), InvalidInput);
  EXPECT_THROW(read(R"("peft_type": "LORA", "target_modules": ["q"], "lora_dropout": 2)"), InvalidInput);
  EXPECT_THROW(read_adapter_config(directory_.path() + "/nowhere"), InvalidInput);
}

}  // namespace
}  // namespace headroom
