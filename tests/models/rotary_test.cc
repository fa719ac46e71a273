// Rotary settings in both spellings, and the frequencies of each kind of scaling.
#include "headroom/models/rotary.h"

#include <cmath>

#include "tests/models/config_text.h"

namespace headroom::testing {
namespace {

const Json kLlama3 = {{"rope_type", "llama3"},
                      {"factor", 8.0},
                      {"low_freq_factor", 1.0},
                      {"high_freq_factor", 4.0},
                      {"original_max_position_embeddings", 8192}};

RotarySettings settings(const Json& changes) { return read_rotary(llama(changes), 128); }

TEST(Rotary, ReadsBothSpellings) {
  EXPECT_EQ(settings({{"rope_theta", 5e5}}).theta, 5e5);
  EXPECT_EQ(settings({{"rope_parameters", {{"rope_theta", 5e5}, {"rope_type", "default"}}}}).theta, 5e5);
  const RotarySettings older = settings({{"rope_theta", 1e5}, {"rope_scaling", {{"type", "linear"}, {"factor", 4.0}}}});
  EXPECT_EQ(older.theta, 1e5);
  EXPECT_EQ(older.scaling, RotaryScaling::linear);
  EXPECT_EQ(older.factor, 4.0);
  Json parameters = kLlama3;
  parameters["rope_theta"] = 5e5;
  for (const RotarySettings& llama3 :
       {settings({{"rope_theta", 5e5}, {"rope_scaling", kLlama3}}), settings({{"rope_parameters", parameters}})}) {
    EXPECT_EQ(llama3.theta, 5e5);
    EXPECT_EQ(llama3.scaling, RotaryScaling::llama3);
    EXPECT_EQ(llama3.original_positions, 8192);
  }
}

// transformers 5: rope_scaling replaces rope_parameters, theta and all.
TEST(Rotary, TakesTheOlderSpellingWhereBothStand) {
  const RotarySettings both = settings({{"rope_parameters", {{"rope_theta", 7.0}, {"rope_type", "default"}}},
                                        {"rope_scaling", {{"rope_type", "linear"}, {"factor", 2.0}}}});
  EXPECT_EQ(both.theta, 10000.0);
  EXPECT_EQ(both.factor, 2.0);
  EXPECT_EQ(settings({{"rope_parameters", {{"rope_theta", 7.0}}}, {"rope_scaling", Json::object()}}).theta, 7.0);
}

TEST(Rotary, TakesTheModelsPositionsWhereTheOriginalOnesAreMissing) {
  Json scaling = kLlama3;
  scaling.erase("original_max_position_embeddings");
  EXPECT_EQ(settings({{"rope_scaling", scaling}}).original_positions, 128);
}

std::vector<double> frequencies_of(const Json& changes) { return make_model(qwen2(changes))->rotary_frequencies(); }

// transformers 5: it computes with them where the kind of scaling asks for them.
TEST(Rotary, PassesOverWhatItsKindDoesNotAskFor) {
  EXPECT_EQ(refusal(qwen2(
                {{"rope_scaling", {{"type", "linear"}, {"factor", 4.0}, {"original_max_position_embeddings", 32}}}})),
            "accepted");
  EXPECT_EQ(refusal(qwen2({{"rope_parameters", {{"rope_type", "default"}, {"original_max_position_embeddings", 32}}}})),
            "accepted");
}

// transformers stretches beyond max_position_embeddings only, where headroom does not go.
TEST(Rotary, LeavesAnglesUnderDynamicScalingInsideThePositions) {
  EXPECT_EQ(frequencies_of({{"rope_scaling", {{"type", "dynamic"}, {"factor", 2.0}}}}),
            frequencies_of({{"rope_scaling", nullptr}}));
}

TEST(Rotary, RefusesOtherScalings) {
  EXPECT_EQ(
      refusal(llama({{"rope_scaling", {{"type", "longrope"}, {"factor", 4.0}}}})),
      "config.json: rope_scaling.type: \"longrope\" is not supported; expected default, linear, dynamic or llama3");
  EXPECT_EQ(refusal(llama({{"rope_scaling", {{"type", "linear"}}}})),
            "config.json: rope_scaling.factor: is missing; expected a number");
  EXPECT_EQ(refusal(llama({{"rope_parameters", {{"rope_type", "default"}, {"mrope_section", {1, 2}}}}})),
            "config.json: rope_parameters.mrope_section: this field is none of rope_type default; remove it if it "
            "changes nothing");
  EXPECT_EQ(refusal(llama({{"rope_parameters", {{"rope_type", "default"}, {"partial_rotary_factor", 0.5}}}})),
            "config.json: rope_parameters.partial_rotary_factor: heads that are rotated in part are not supported; "
            "expected 1, got 0.5");
  Json scaling = kLlama3;
  scaling["high_freq_factor"] = 1.0;
  EXPECT_EQ(refusal(llama({{"rope_scaling", scaling}})),
            "config.json: rope_scaling.high_freq_factor: expected a number above low_freq_factor 1, got 1");
}

TEST(Rotary, DividesAllFrequenciesUnderLinearScaling) {
  const std::vector<double> frequencies =
      rotary_frequencies({.theta = 10000.0, .scaling = RotaryScaling::linear, .factor = 4.0}, 16);
  ASSERT_EQ(frequencies.size(), 8u);
  for (int i = 0; i < 8; ++i) EXPECT_NEAR(frequencies[i], std::pow(10000.0, -i / 8.0) / 4, 1e-15);
}

// What transformers 5.23 computes for R1-Distill-Llama-8B (ROPE_INIT_FUNCTIONS["llama3"]), in float32.
TEST(Rotary, ScalesAsLlama3) {
  const std::vector<double> got = rotary_frequencies(
      {.theta = 500000.0, .scaling = RotaryScaling::llama3, .factor = 8.0, .original_positions = 8192.0}, 128);
  ASSERT_EQ(got.size(), 64u);
  const struct {
    size_t pair;
    double frequency;
  } expected[] = {{0, 1},
                  {1, 0.814617217},
                  {20, 0.0165604409},
                  {28, 0.00321144611},
                  {29, 0.00216657063},
                  {30, 0.00137189368},
                  {31, 0.00085675146},
                  {32, 0.000524846022},
                  {33, 0.00031269365},
                  {34, 0.000178507791},
                  {35, 9.55621217e-05},
                  {36, 7.78465546e-05},
                  {50, 4.41153452e-06},
                  {63, 3.06892588e-07}};
  for (const auto& [pair, frequency] : expected) EXPECT_NEAR(got[pair] / frequency, 1.0, 1e-6) << pair;
}

}  // namespace
}  // namespace headroom::testing
