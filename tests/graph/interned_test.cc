#include "headroom/graph/interned.h"

#include <gtest/gtest.h>

#include <string>

namespace headroom {
namespace {

TEST(Interned, EqualNamesAreOneAndOutliveWhatTheyWereMadeOf) {
  std::string name = "layers.3.mlp.down_proj.weight";
  const std::string_view kept = interned(name);
  EXPECT_EQ(kept, name);
  EXPECT_NE(kept.data(), name.data());
  EXPECT_EQ(interned(std::string(name)).data(), kept.data());
  name = "another";
  EXPECT_EQ(kept, "layers.3.mlp.down_proj.weight");
}

}  // namespace
}  // namespace headroom
