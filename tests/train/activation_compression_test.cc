#include "headroom/train/activation_compression.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

TrainingRequest compressing(const char* format) {
  TrainingRequest options;
  options.compress_activations = format;
  return options;
}

TEST(ActivationCompression, ReadsItsFormats) {
  EXPECT_EQ(compression_bits(compressing("none")), 0);
  EXPECT_EQ(compression_bits(compressing("bf16")), 16);
  EXPECT_EQ(compression_bits(compressing("8")), 8);
  EXPECT_EQ(compression_bits(compressing("4")), 4);
}

TEST(ActivationCompression, RefusesWhatItCannotDo) {
  const auto message_of = [](const TrainingRequest& options) -> std::string {
    try {
      compression_bits(options);
    } catch (const InvalidInput& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message_of(compressing("2")), "--compress-activations 2: expected none, bf16, 8, 4 or sparse");
  EXPECT_EQ(
      message_of(compressing("sparse")),
      "--compress-activations sparse: no op of this model makes many zeros (SiLU has none; ReLU would), so nothing "
      "would get smaller; expected bf16, 8 or 4");
  TrainingRequest options = compressing("8");
  options.precision = "bf16";
  EXPECT_EQ(
      message_of(options),
      "--compress-activations 8: compresses activations of f32, and --precision bf16 makes them 16 bits; expected "
      "one of the two");
}

// The budget may not choose what decides numbers.
TEST(ActivationCompression, LeavesTheBudgetNoChoiceOfCheckpointing) {
  TrainingRequest options = compressing("8");
  EXPECT_EQ(checkpointing_of(options), "none");
  options.checkpointing = "full";
  EXPECT_EQ(checkpointing_of(options), "full");
  EXPECT_EQ(checkpointing_of(TrainingRequest{}), "auto");
}

}  // namespace
}  // namespace headroom
