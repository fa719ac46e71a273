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

// What transformers 5.24 computes (ROPE_INIT_FUNCTIONS["yarn"]), in float32; tests/data/llama/yarn.py.
TEST(Rotary, ScalesAsYarn) {
  const struct {
    Json changes;
    std::vector<double> frequencies;
  } cases[] = {
      {{{"head_dim", 16},
        {"rope_theta", 1e6},
        {"rope_scaling", {{"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 128}}}},
       {1.0, 0.111142464, 0.00790569466, 0.00140585331, 0.000250000012, 4.44569851e-05, 7.90569356e-06,
        1.40585337e-06}},
      {{{"head_dim", 16},
        {"max_position_embeddings", 4096},
        {"rope_scaling", {{"rope_type", "yarn"}, {"factor", 8.0}}}},
       {1.0, 0.316227764, 0.100000001, 0.0247052945, 0.00562499976, 0.00108703296, 0.000125000006, 3.95284733e-05}},
      {{{"head_dim", 12},
        {"rope_parameters",
         {{"rope_type", "yarn"},
          {"rope_theta", 500.0},
          {"factor", 16.0},
          {"beta_fast", 8.0},
          {"beta_slow", 2.0},
          {"original_max_position_embeddings", 64},
          {"mscale", 0.7},
          {"mscale_all_dim", 1.0},
          {"truncate", false}}}},
       {1.0, 0.164311364, 0.00787450653, 0.00279508508, 0.000992125599, 0.000352158706}},
      {{{"head_dim", 8},
        {"rope_theta", 100.0},
        {"rope_scaling",
         {{"rope_type", "yarn"},
          {"factor", 2.0},
          {"attention_factor", 0.9},
          {"original_max_position_embeddings", 16}}}},
       {1.0, 0.158113882, 0.0500000007, 0.0158113893}},
  };
  for (const auto& [changes, frequencies] : cases) {
    const std::vector<double> got = frequencies_of(changes);
    ASSERT_EQ(got.size(), frequencies.size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i] / frequencies[i], 1.0, 2e-6) << changes << i;
  }
}

TEST(Rotary, GivesPositionsUnderYarn) {
  const auto positions = [](int max_positions) {
    const Json scaling = {{"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 32}};
    return make_model(qwen2({{"max_position_embeddings", max_positions}, {"rope_scaling", scaling}}))->max_positions();
  };
  EXPECT_EQ(positions(32), 128);  // as Qwen2.5's cards
  EXPECT_EQ(positions(100), 100);
}

TEST(Rotary, RefusesOtherScalings) {
  EXPECT_EQ(refusal(llama({{"rope_scaling", {{"type", "longrope"}, {"factor", 4.0}}}})),
            "config.json: rope_scaling.type: \"longrope\" is not supported; expected default, linear, dynamic, yarn or "
            "llama3");
  EXPECT_EQ(refusal(llama({{"rope_scaling", {{"type", "linear"}}}})),
            "config.json: rope_scaling.factor: is missing; expected a number");
  EXPECT_EQ(refusal(llama({{"rope_parameters", {{"rope_type", "default"}, {"mrope_section", {1, 2}}}}})),
            "config.json: rope_parameters.mrope_section: [1,2] is not supported; expected absent");
  EXPECT_EQ(
      refusal(llama({{"rope_parameters", {{"rope_type", "default"}, {"of_tomorrow", 1}}}})),
      "config.json: rope_parameters.of_tomorrow: this field is none of rope_type default; remove it if it changes "
      "nothing, or try --ignore-unknown-fields");
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
