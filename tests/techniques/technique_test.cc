#include "headroom/techniques/technique.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/techniques/read_settings.h"

namespace headroom {
namespace {

using testing::read_settings;
using testing::refusal_of;

TEST(Technique, NamesPlacesAndFlagsAreTheirOwn) {
  std::set<std::string_view> names;
  std::set<int> places;
  std::set<std::string_view> flags;
  for (const Technique* technique : techniques()) {
    EXPECT_TRUE(names.insert(technique->name()).second) << technique->name();
    EXPECT_TRUE(places.insert(technique->place()).second) << technique->name();
    for (const Flag& flag : technique->flags()) {
      EXPECT_TRUE(flags.insert(flag.name).second) << flag.name;
      EXPECT_TRUE(flag.name.starts_with("--"));
      EXPECT_FALSE(flag.help.empty() || flag.group.empty()) << flag.name;
      EXPECT_EQ(find_flag(flag.name)->help, flag.help);
    }
  }
  EXPECT_GE(names.size(), 12u);
}

// A default is no refusal, and each flag takes what it has by default.
TEST(Technique, DefaultsAreTaken) {
  std::map<std::string, std::string> defaults;
  for (const Technique* technique : techniques()) {
    for (const Flag& flag : technique->flags()) defaults.emplace(flag.name, flag.standard);
  }
  EXPECT_EQ(refusal_of(defaults), "");
  EXPECT_EQ(refusal_of({}), "");
}

TEST(Technique, LevelsHaveWordsAndAreTaken) {
  const TrainingSettings settings = read_settings({}, 1.0, "/tmp");
  for (const Technique* technique : techniques()) {
    const std::optional<Levels> levels = technique->levels(settings);
    if (!levels) continue;
    EXPECT_FALSE(levels->words.empty()) << technique->name();
    for (size_t level = 0; level < levels->words.size(); ++level) {
      testing::taken(*technique, settings, static_cast<int>(level));
    }
  }
}

// What is offered to a run that does not fit is a flag, and one that was not there.
TEST(Technique, OffersChangeSomethingOnce) {
  for (const Technique* technique : techniques()) {
    for (const Offer& offer : technique->offers()) {
      TechniqueRequest request;
      request.flags = FlagValues({{"--checkpointing", "none"}, {"--grad-accum", "4"}, {"--clip-mode", "one-pass"}});
      EXPECT_TRUE(offer.apply(request)) << offer.flags;
      EXPECT_FALSE(offer.apply(request)) << offer.flags;
    }
  }
}

TEST(Technique, WhatDoesNotGoTogetherIsRefused) {
  EXPECT_EQ(refusal_of({{"--clip-mode", "tensor"}}, 0),
            "--clip-mode tensor: --grad-clip 0 clips nothing; expected --grad-clip above 0, or no --clip-mode");
  EXPECT_EQ(refusal_of({{"--clip-mode", "two-pass"}, {"--grad-accum", "4"}}),
            "--clip-mode two-pass: with --grad-accum 4 and --data-shards 1 the sums of all gradients stay between "
            "micro-batches, and a second pass saves nothing; expected 1 of both, or another --clip-mode");
  EXPECT_EQ(refusal_of({{"--precision", "f16"}, {"--clip-mode", "tensor"}}),
            "--clip-mode tensor: updates each weight before it is known whether another gradient has overflowed f16; "
            "expected auto, one-pass or two-pass, or --precision bf16");
  EXPECT_EQ(refusal_of({{"--precision", "f16"}, {"--master-weights", "bf16"}}),
            "--master-weights bf16: products in f16 would round the weights again; expected --precision bf16 or f32");
  EXPECT_EQ(refusal_of({{"--precision", "bf16"}, {"--loss-scale", "8"}}),
            "--loss-scale: gradients of bf16 need none; expected with --precision f16 only");
  EXPECT_EQ(refusal_of({{"--precision", "bf16"}, {"--lora-rank", "4"}}),
            "--precision bf16 with --master-weights f32: adapters and what flows through them are computed in f32; "
            "expected f32 for both with --lora-rank or --adapter");
  EXPECT_EQ(refusal_of({{"--base-bits", "4"}}),
            "--base-bits: it is for adapters, beside which the model stays as it is; add --lora-rank 16");
  EXPECT_EQ(refusal_of({{"--offload", "weights"}}), "--offload weights: where to? Try --disk DIR as well");
}

}  // namespace
}  // namespace headroom
