#include <gtest/gtest.h>

#include "tests/techniques/read_settings.h"

namespace headroom {
namespace {

using testing::read_settings;
using testing::refusal_of;
using testing::taken;

TEST(ActivationCompression, IsAPassOnlyWhereItIsAskedFor) {
  const Technique& technique = testing::technique_called("compressed activations");
  for (const char* format : {"none", "bf16", "8", "4"}) {
    const TrainingSettings settings = read_settings({{"--compress-activations", format}});
    EXPECT_EQ(taken(technique, settings, 0).rewrites.step.empty(), format == std::string("none")) << format;
  }
}

TEST(ActivationCompression, RefusesWhatItCannotDo) {
  EXPECT_EQ(refusal_of({{"--compress-activations", "2"}}),
            "--compress-activations 2: expected none, bf16, 8, 4 or sparse");
  EXPECT_EQ(
      refusal_of({{"--compress-activations", "sparse"}}),
      "--compress-activations sparse: no op of this model makes many zeros (SiLU has none; ReLU would), so nothing "
      "would get smaller; expected bf16, 8 or 4");
  EXPECT_EQ(refusal_of({{"--compress-activations", "8"}, {"--precision", "bf16"}}),
            "--compress-activations 8: compresses activations of f32; expected --precision f32, got bf16");
}

// The budget may not choose what decides numbers.
TEST(ActivationCompression, LeavesTheBudgetNoChoiceOfCheckpointing) {
  const Technique& checkpointing = testing::technique_called("checkpointing");
  const auto words = [&](const std::map<std::string, std::string>& flags) {
    return checkpointing.levels(read_settings(flags))->words;
  };
  EXPECT_EQ(words({{"--compress-activations", "8"}}), std::vector<std::string>{"checkpointing none"});
  EXPECT_EQ(words({{"--compress-activations", "8"}, {"--checkpointing", "full"}}),
            std::vector<std::string>{"checkpointing full"});
  EXPECT_EQ(words({}).size(), 18u);
}

}  // namespace
}  // namespace headroom
