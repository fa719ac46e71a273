#include "headroom/passes/watch_numerics.h"

#include <gtest/gtest.h>

#include "headroom/graph/text.h"
#include "headroom/graph/verify.h"

namespace headroom {
namespace {

TEST(WatchNumerics, CountsByScopeAndDirectionWhereValuesAreMade) {
  const Graph before = parse_graph(
      "graph step\n"
      "input %x: f32[8, 4] input\n"
      "%a: f32[8, 4] activation = add(%x, %x) @layers.0 forward\n"
      "%b: f32[8, 4] activation = add(%a, %a) @layers.0 forward\n"
      "%da: f32[8, 4] activation = add(%b, %x) @layers.0 backward\n"
      "result %da\n");
  const Graph after = watch_numerics(before);
  verify(after);
  EXPECT_EQ(to_text(after),
            "graph step\n"
            "input %x: f32[8, 4] input\n"
            "%a: f32[8, 4] activation = add(%x, %x) @layers.0 forward\n"
            "%layers.0/count_numerics: f64[5] activation = count_numerics(%a) @layers.0 forward\n"
            "%b: f32[8, 4] activation = add(%a, %a) @layers.0 forward\n"
            "%numerics.layers.0.forward: f64[5] activation = count_numerics(%b, %layers.0/count_numerics) @layers.0 "
            "forward\n"
            "%da: f32[8, 4] activation = add(%b, %x) @layers.0 backward\n"
            "%numerics.layers.0.backward: f64[5] activation = count_numerics(%da) @layers.0 backward\n"
            "result %da\n"
            "result %numerics.layers.0.backward\n"
            "result %numerics.layers.0.forward\n");
}

}  // namespace
}  // namespace headroom
