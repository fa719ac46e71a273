// A rank's part of a model, against the split of each of its tensors.
#include "headroom/models/rank_part.h"

#include <gtest/gtest.h>

#include "headroom/models/presets.h"
#include "tests/models/config_text.h"

namespace headroom {
namespace {

// Elements of one tensor rank, by what Megatron-LM does with a tensor of that name.
int64_t split_elements(const Parameter& parameter, int64_t ranks, int64_t kv_heads) {
  const std::string& name = parameter.name;
  const int64_t elements = parameter.shape.elements();
  if (name.find("norm") != std::string::npos) return elements;
  if (name.find("embed_tokens") != std::string::npos || name.find("lm_head") != std::string::npos) {
    return (parameter.shape[0] + ranks - 1) / ranks * parameter.shape[1];
  }
  const bool of_keys = name.find("k_proj") != std::string::npos || name.find("v_proj") != std::string::npos;
  return elements / (of_keys ? std::min(ranks, kv_heads) : ranks);
}

int64_t parts_of(const JsonObject& config, int64_t ranks, int64_t kv_heads) {
  int64_t sum = 0;
  for (const Parameter& parameter : make_model(config)->parameters()) {
    sum += split_elements(parameter, ranks, kv_heads);
  }
  return sum;
}

TEST(RankPart, HoldsItsSplitOfEveryTensor) {
  for (const int64_t ranks : {1, 2, 4, 8, 16}) {
    for (const char* name : {"deepseek-llm-67b", "deepseek-r1-distill-qwen-32b", "deepseek-r1-distill-llama-8b"}) {
      const JsonObject config = config_of(*find_preset(name));
      if (config.integer("num_attention_heads", 1, 1000) % ranks != 0) continue;
      const int64_t layers = config.integer("num_hidden_layers", 1, 1000);
      EXPECT_EQ(parameter_count(*make_model(config_of_rank(config, ranks, layers))), parts_of(config, ranks, 8))
          << name << " on " << ranks;
    }
  }
}

TEST(RankPart, RefusesRanksThatDoNotDivide) {
  const JsonObject config = testing::llama();
  const auto refusal = [&](int64_t ranks) -> std::string {
    try {
      config_of_rank(config, ranks, 2);
    } catch (const InvalidInput& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(refusal(4), "accepted");
  EXPECT_EQ(refusal(3),
            "--mesh: tensor=3, but the model has 2 heads of keys and values; expected a divisor or a "
            "multiple of that");
  EXPECT_EQ(refusal(8), "--mesh: tensor=8, but config.json: num_attention_heads is 4; expected a divisor");
}

TEST(RankPart, StagesAddUpToTheModel) {
  for (const bool tied : {false, true}) {
    const JsonObject config = testing::llama({{"tie_word_embeddings", tied}, {"num_hidden_layers", 5}});
    const ParameterCounts counts = count_parameters(config);
    const int64_t all = parameter_count(*make_model(config));
    EXPECT_EQ(counts.tied, tied);
    EXPECT_EQ(parameters_of_stage(counts, 5, true, true), all);
    const int64_t stages = parameters_of_stage(counts, 2, true, false) + parameters_of_stage(counts, 2, false, false) +
                           parameters_of_stage(counts, 1, false, true);
    EXPECT_EQ(stages, all + (tied ? counts.embedding : 0));
  }
}

}  // namespace
}  // namespace headroom
