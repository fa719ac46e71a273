#include "headroom/techniques/flag.h"

#include <gtest/gtest.h>

#include "tests/techniques/read_settings.h"

namespace headroom {
namespace {

using testing::refusal_of;

TEST(FlagValues, AFlagThatIsNotGivenHasItsDefault) {
  const FlagValues flags({{"--lora-alpha", "2.5"}, {"--grad-accum", "6"}});
  EXPECT_EQ(flags.number("--lora-alpha"), 2.5);
  EXPECT_EQ(flags.integer("--grad-accum"), 6);
  EXPECT_EQ(flags.text("--checkpointing"), "auto");
  EXPECT_TRUE(flags.is("--adapter", ""));
  EXPECT_THROW(flags.text("--nothing"), InternalError);
}

TEST(FlagValues, WhatIsNoValueOfAFlagIsRefused) {
  EXPECT_EQ(refusal_of({{"--nothing", "1"}}), "--nothing: no technique has this flag");
  EXPECT_EQ(refusal_of({{"--grad-accum", "1.5"}}), "--grad-accum 1.5: expected a whole number");
  EXPECT_EQ(refusal_of({{"--lora-alpha", "much"}}), "--lora-alpha much: expected a number");
  EXPECT_EQ(refusal_of({{"--clip-mode", "two"}}), "--clip-mode two: expected auto, one-pass, two-pass or tensor");
  EXPECT_EQ(refusal_of({{"--checkpointing", "some"}}), "--checkpointing some: expected none, full or auto");
  EXPECT_EQ(refusal_of({{"--base-bits", "5"}}), "--base-bits 5: expected 4 or 8");
}

}  // namespace
}  // namespace headroom
