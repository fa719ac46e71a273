// The f64 sums and the global norm, against long double and against sizes whose trees are written out.
#include <limits>

#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

constexpr int64_t kSizes[] = {0, 1, 15, 16, 1023, 1024, 1025, 5 * 1024, 7 * 1024 + 3, 300 * 1024 + 77, 1025 * 1024};

TEST(Sum, MatchesLongDouble) {
  Random random(1);
  for (const int64_t size : kSizes) {
    const Array x = random.array(f32({size}));
    long double expected = 0, squares = 0;
    for (int64_t i = 0; i < size; ++i) {
      expected += static_cast<long double>(x.at(i));
      squares += static_cast<long double>(x.at(i)) * static_cast<long double>(x.at(i));
    }
    const double tolerance = 1e-15 * static_cast<double>(size);
    EXPECT_NEAR(expect_kernels_agree("sum", {x})[0].at(0), static_cast<double>(expected), tolerance) << size;
    EXPECT_NEAR(expect_kernels_agree("squared_norm", {x})[0].at(0), static_cast<double>(squares), tolerance) << size;
  }
}

// Independent of how a tensor is cut at a multiple of a power of two of blocks: the tree's own parts.
TEST(Sum, IsATreeOfBlocks) {
  Random random(2);
  const Array x = random.array(f32({7 * 1024}));
  const auto part = [&](int64_t first, int64_t count) {
    const Array blocks(f32({count * 1024}));
    for (int64_t i = 0; i < blocks.elements(); ++i) blocks.set(i, x.at(first * 1024 + i));
    return run_kernel(Isa::reference, "squared_norm", {blocks})[0].at(0);
  };
  const double expected =
      ((part(0, 1) + part(1, 1)) + (part(2, 1) + part(3, 1))) + ((part(4, 1) + part(5, 1)) + part(6, 1));
  EXPECT_EQ(expect_kernels_agree("squared_norm", {x})[0].at(0), expected);
  EXPECT_EQ(part(0, 4) + part(4, 3), expected);
}

Array number(double value) { return array_of(f64({1}), std::vector<double>{value}); }

TEST(ClipScale, ScalesDownToTheLargestNorm) {
  const std::vector<Array> got =
      expect_kernels_agree("clip_scale", {number(9), number(16), number(0)}, {{"max_norm", 1.0}});
  EXPECT_EQ(got[0].at(0), 5);
  EXPECT_EQ(got[1].as<float>()[0], static_cast<float>(1 / (5 + 1e-6)));
}

TEST(ClipScale, LeavesSmallerNormsAlone) {
  EXPECT_EQ(expect_kernels_agree("clip_scale", {number(4)}, {{"max_norm", 2.5}})[1].at(0), 1);
  EXPECT_EQ(expect_kernels_agree("clip_scale", {number(1e30)}, {{"max_norm", 0.0}})[1].at(0), 1);
}

TEST(ClipScale, PassesNaNOn) {
  const std::vector<Array> got = expect_kernels_agree("clip_scale", {number(4), number(NAN)}, {{"max_norm", 1.0}});
  EXPECT_TRUE(std::isnan(got[0].at(0)));
  EXPECT_TRUE(std::isnan(got[1].at(0)));
}

// Gradients that come multiplied by a loss scale.
TEST(ClipScale, DividesByTheLossScaleAndSkipsWhatOverflowed) {
  const auto number = [](const Type& type, double value) { return array_of(type, std::vector<double>{value}); };
  Attributes attributes = {{"max_norm", 2.0}};
  attributes.set("unscales", int64_t{1});
  const Array scale = number(f32({1}), 1024);
  const auto clip = [&](double squared) {
    return expect_kernels_agree("clip_scale", {number(f64({1}), squared), number(f64({1}), 0), scale}, attributes);
  };
  EXPECT_EQ(clip(64.0 * 1024 * 1024)[0].at(0), 8.0);
  EXPECT_NEAR(clip(64.0 * 1024 * 1024)[1].at(0), 0.25 / 1024, 1e-9);
  EXPECT_EQ(clip(1024.0 * 1024)[1].at(0), 1.0 / 1024);
  Attributes keeps = attributes;
  keeps.set("keeps", int64_t{1});
  const std::vector<Array> inputs = {number(f64({1}), 64.0 * 1024 * 1024), scale, number(f32({1}), 7)};
  EXPECT_EQ(expect_kernels_agree("clip_scale", inputs, keeps)[1].at(0), clip(64.0 * 1024 * 1024)[1].at(0));
  EXPECT_TRUE(std::isnan(clip(INFINITY)[1].at(0)));
  EXPECT_TRUE(std::isnan(clip(NAN)[1].at(0)));
}

}  // namespace
}  // namespace headroom::testing
