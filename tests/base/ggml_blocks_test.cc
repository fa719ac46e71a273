// What blocks of ggml stand for, against the Python package gguf (tests/data/gguf/make.py).
#include "headroom/base/ggml_blocks.h"

#include <gtest/gtest.h>

#include <vector>

#include "headroom/base/group_blocks.h"
#include "headroom/formats/gguf/gguf_file.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

constexpr const char* kBlockNames[] = {"q4_0", "q4_1", "q5_0", "q5_1",   "q2_k",   "q3_k",
                                       "q4_k", "q5_k", "q6_k", "iq4_nl", "iq4_xs", "mxfp4"};

class GgmlBlocksTest : public testing::Test {
 protected:
  template <class Element>
  std::vector<Element> read(const std::string& name) const {
    const GgufTensor tensor = file_.tensor(file_.find(name));
    std::vector<Element> elements(static_cast<size_t>(tensor.size_bytes) / sizeof(Element));
    file_.file().read(tensor.offset_bytes, elements.data(), tensor.size_bytes);
    return elements;
  }

  const GgufFile file_{HEADROOM_SOURCE_DIR "/tests/data/gguf/blocks.gguf"};
};

TEST_F(GgmlBlocksTest, AreTheNumbersOfThePackageToTheBit) {
  for (const std::string name : kBlockNames) {
    SCOPED_TRACE(name);
    const BlockFormat& format = *find_block_format(name);
    const auto blocks = read<std::byte>(name);
    const auto expected = read<float>(name + ".numbers");
    const Shape shape = file_.tensor(file_.find(name)).shape;
    ASSERT_EQ(format.bytes(shape), static_cast<int64_t>(blocks.size()));
    ASSERT_EQ(shape.elements(), static_cast<int64_t>(expected.size()));
    for (const int64_t step : {shape.elements(), int64_t{100}, int64_t{1}}) {
      std::vector<float> got(expected.size());
      for (int64_t first = 0; first < shape.elements(); first += step) {
        format.decode(shape, blocks.data(), first, std::min(step, shape.elements() - first), got.data() + first);
      }
      EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)), 0) << step;
    }
    EXPECT_EQ(format.find_bad_scale(shape, blocks.data()), -1);
  }
}

// Each f16 scale, and MXFP4's exponents beyond f32's.
TEST_F(GgmlBlocksTest, TheRowOfAScaleThatIsNoNumberIsFound) {
  const std::vector<std::pair<const char*, std::vector<size_t>>> places = {
      {"q4_0", {0}},    {"q4_1", {0, 2}}, {"q5_0", {0}},   {"q5_1", {0, 2}}, {"q2_k", {80, 82}}, {"q3_k", {108}},
      {"q4_k", {0, 2}}, {"q5_k", {0, 2}}, {"q6_k", {208}}, {"iq4_nl", {0}},  {"iq4_xs", {0}},    {"q8_0", {0}}};
  for (const auto& [name, scales] : places) {
    const BlockFormat& format = *find_block_format(name);
    const Shape shape = {3, 512};
    const auto block_bytes = static_cast<size_t>(format.bytes({format.block_elements(shape)}));
    for (const size_t scale : scales) {
      for (const uint16_t bits : {uint16_t{0x7c00}, uint16_t{0xfc00}, uint16_t{0x7e01}}) {
        std::vector<std::byte> blocks(static_cast<size_t>(format.bytes(shape)));
        EXPECT_EQ(format.find_bad_scale(shape, blocks.data()), -1);
        std::memcpy(blocks.data() + blocks.size() * 2 / 3 - block_bytes + scale, &bits, sizeof bits);
        EXPECT_EQ(format.find_bad_scale(shape, blocks.data()), 1) << name << ", " << scale;
      }
    }
  }
  const BlockFormat& format = *find_block_format("mxfp4");
  std::vector<std::byte> blocks(34);
  blocks[17] = std::byte{253};
  EXPECT_EQ(format.find_bad_scale({2, 32}, blocks.data()), 1);
}

TEST_F(GgmlBlocksTest, RowsAreWholeBlocks) {
  EXPECT_ERROR(InvalidInput, "q4_k: rows are whole blocks; expected a multiple of 256 elements, got [4, 128]",
               find_block_format("q4_k")->bytes({4, 128}));
}

TEST_F(GgmlBlocksTest, Q4BecomesGroupsOfTheSameNumbers) {
  const BlockFormat& blocks = *find_block_format("q4_0");
  const GroupedFormat& groups = *find_grouped(4, false, 32);
  ASSERT_EQ(arranged_format(blocks.dtype()), groups.dtype());
  const Shape shape = file_.tensor(file_.find("q4_0")).shape;
  const GroupedLayout layout(groups, shape);
  const auto raw = read<std::byte>("q4_0");
  std::vector<std::byte> tensor(static_cast<size_t>(groups.bytes(shape)));
  for (int64_t first = 0; first < shape.elements(); first += 32) {
    put_block(groups, layout, first, raw.data() + first / 32 * 18, tensor.data());
  }
  std::vector<float> got(static_cast<size_t>(shape.elements()));
  groups.decode(shape, tensor.data(), 0, shape.elements(), got.data());
  const auto expected = read<float>("q4_0.numbers");
  EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)), 0);
}

}  // namespace
}  // namespace headroom
