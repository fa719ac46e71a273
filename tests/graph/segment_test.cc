#include "headroom/graph/segment.h"

#include <gtest/gtest.h>

namespace headroom {
namespace {

TEST(Segment, OfALayerKnowsItsNumber) {
  EXPECT_EQ(layer_segment(3).name, "layers.3");
  EXPECT_EQ(layer_segment(3).layer, 3);
  EXPECT_TRUE(layer_segment(0).is_layer());
  EXPECT_EQ(parse_segment("layers.12"), layer_segment(12));
}

TEST(Segment, OfAnythingElseIsNoLayer) {
  for (const char* name : {"", "head", "layers", "layers.", "layers.x", "layers.1x", "layers.-1", "model.layers.0"}) {
    EXPECT_FALSE(parse_segment(name).is_layer()) << name;
    EXPECT_EQ(parse_segment(name).name, name);
  }
}

}  // namespace
}  // namespace headroom
