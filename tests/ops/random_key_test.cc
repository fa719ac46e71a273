// The graph input of random numbers: declared once, checked, and places that have names.
#include "headroom/ops/random_key.h"

#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

TEST(RandomKey, IsOneInputOfAGraph) {
  GraphUnderTest test;
  const ValueId key = random_key(test.build);
  EXPECT_EQ(random_key(test.build), key);
  EXPECT_EQ(test.graph.value(key).name, "random_key");
  EXPECT_EQ(test.graph.value(key).type, i32({4}));
  Builder later(test.graph);
  EXPECT_EQ(random_key(later), key);
}

TEST(RandomKey, PlacesAreAFunctionOfTheName) {
  EXPECT_EQ(random_site("layers.0.w"), random_site("layers.0.w"));
  EXPECT_NE(random_site("layers.0.w"), random_site("layers.1.w"));
  EXPECT_LE(random_site("layers.0.w"), int64_t{0xffffffff});
}

TEST(RandomKey, IsChecked) {
  EXPECT_NO_THROW(expect_random_key("op", i32({4}), {{"site", int64_t{0xffffffff}}}));
  EXPECT_THROW(expect_random_key("op", i32({2}), {{"site", int64_t{1}}}), InvalidInput);
  EXPECT_THROW(expect_random_key("op", i32({4}), {{"site", int64_t{1} << 32}}), InvalidInput);
}

}  // namespace
}  // namespace headroom::testing
