#include "headroom/models/step_inputs.h"

#include <gtest/gtest.h>

#include "headroom/models/model.h"
#include "headroom/models/presets.h"

namespace headroom {
namespace {

std::string declared(const StepShape& shape) {
  Graph graph;
  Builder build(graph);
  declare_step_inputs(build, *make_model(config_of(*find_preset("tiny-300k"))), shape);
  std::string text;
  for (const ValueId id : graph.inputs) text += graph.value(id).name + ": " + to_string(graph.value(id).type) + "\n";
  return text;
}

TEST(StepInputs, HaveOneOrder) {
  EXPECT_EQ(declared({.tokens = 6, .sequences = 2, .positions = 3}),
            "tokens: i32[6]\npositions: i32[6]\nsequences: i32[2, 4]\nrotary_table: f32[3, 8]\n");
}

TEST(StepInputs, OfOneStepOfSeveralHaveItsName) {
  EXPECT_EQ(declared({.tokens = 1, .positions = 9, .cache_rows = 9, .of_tokens = "decode."}),
            "decode.tokens: i32[1]\ndecode.positions: i32[1]\nsequences: i32[1, 4]\nrotary_table: f32[9, 8]\n"
            "cache_range: i32[2]\n");
  EXPECT_EQ(
      declared(
          {.tokens = 2, .sequences = 2, .positions = 9, .cache_rows = 18, .of_tokens = "d.", .of_sequences = "d."}),
      "d.tokens: i32[2]\nd.positions: i32[2]\nd.sequences: i32[2, 4]\nrotary_table: f32[9, 8]\n"
      "d.cache_range: i32[2, 2]\n");
}

}  // namespace
}  // namespace headroom
