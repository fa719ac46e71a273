// The presets: as many parameters as the released models have, and the rules that tell the small ones' names.
#include "headroom/models/presets.h"

#include <gtest/gtest.h>

#include "headroom/models/model.h"

namespace headroom {
namespace {

int64_t parameters_of(const char* name) { return parameter_count(*make_model(config_of(*find_preset(name)))); }

// Published counts; that of 67B is the sum over its config's shapes.
TEST(Presets, HaveTheParametersOfTheReleasedModels) {
  EXPECT_EQ(parameters_of("deepseek-llm-7b"), 6'910'365'696);
  EXPECT_EQ(parameters_of("deepseek-llm-67b"), 67'425'001'472);
  EXPECT_EQ(parameters_of("deepseek-coder-1.3b"), 1'346'471'936);
  EXPECT_EQ(parameters_of("deepseek-coder-6.7b"), 6'740'512'768);
  EXPECT_EQ(parameters_of("deepseek-coder-33b"), 33'342'991'360);
  EXPECT_EQ(parameters_of("deepseek-coder-7b-v1.5"), 6'910'365'696);
  EXPECT_EQ(parameters_of("deepseek-math-7b"), 6'910'365'696);
  EXPECT_EQ(parameters_of("deepseek-v2-lite"), 15'706'484'224);
  EXPECT_EQ(parameters_of("deepseek-v2"), 235'741'434'880);
  for (const char* name : {"deepseek-v3", "deepseek-r1", "deepseek-v3.1"}) {
    EXPECT_EQ(parameters_of(name), 671'026'419'200) << name;
  }
  EXPECT_EQ(parameters_of("deepseek-r1-distill-llama-8b"), 8'030'261'248);
  EXPECT_EQ(parameters_of("deepseek-r1-distill-llama-70b"), 70'553'706'496);
  EXPECT_EQ(parameters_of("deepseek-r1-distill-qwen-1.5b"), 1'777'088'000);
  EXPECT_EQ(parameters_of("deepseek-r1-distill-qwen-7b"), 7'615'616'512);
  EXPECT_EQ(parameters_of("deepseek-r1-distill-qwen-14b"), 14'770'033'664);
  EXPECT_EQ(parameters_of("deepseek-r1-distill-qwen-32b"), 32'763'876'352);
}

TEST(Presets, AreWhatTheirNamesSay) {
  EXPECT_NEAR(static_cast<double>(parameters_of("tiny-124m")), 124e6, 1e6);
  EXPECT_NEAR(static_cast<double>(parameters_of("tiny-10m")), 10e6, 5e5);
  EXPECT_NEAR(static_cast<double>(parameters_of("tiny-4m")), 4e6, 5e5);
  EXPECT_NEAR(static_cast<double>(parameters_of("tiny-300k")), 3e5, 5e4);
  for (const Preset& preset : presets()) {
    EXPECT_EQ(make_model(config_of(preset))->architecture(), config_of(preset).texts("architectures")[0]);
    EXPECT_EQ(find_preset(preset.name), &preset);
  }
  EXPECT_EQ(find_preset("gpt-5"), nullptr);
}

}  // namespace
}  // namespace headroom
