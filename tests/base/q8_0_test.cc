#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "headroom/base/block_format.h"
#include "headroom/formats/gguf/gguf_file.h"

namespace headroom {
namespace {

template <class Element>
std::vector<Element> read_tensor(const GgufFile& file, const char* name) {
  const GgufTensor tensor = file.tensor(file.find(name));
  std::vector<Element> elements(static_cast<size_t>(tensor.size_bytes) / sizeof(Element));
  file.file().read(tensor.offset_bytes, elements.data(), tensor.size_bytes);
  return elements;
}

// The Python package's quantiser has the bits of ggml's (tests/data/gguf/make.py): normal numbers, a block of zeros,
// scales that are denormal in f16, and products that lie on halves.
TEST(Q8Test, HasTheBitsOfTheReference) {
  const GgufFile file(HEADROOM_SOURCE_DIR "/tests/data/gguf/values.gguf");
  const auto source = read_tensor<float>(file, "q8_0.source");
  const auto expected = read_tensor<std::byte>(file, "q8_0");
  const BlockFormat& format = *find_block_format("q8_0");
  const Shape shape = {static_cast<int64_t>(source.size())};
  ASSERT_EQ(format.bytes(shape), static_cast<int64_t>(expected.size()));
  std::vector<std::byte> blocks(expected.size());
  ASSERT_EQ(format.encode(shape, 0, source, blocks.data(), {}), -1);
  EXPECT_EQ(blocks, expected);
  std::vector<float> numbers(source.size());
  format.decode(shape, blocks.data(), 0, shape.elements(), numbers.data());
  const auto theirs = read_tensor<float>(file, "q8_0.numbers");
  EXPECT_EQ(std::memcmp(numbers.data(), theirs.data(), numbers.size() * sizeof(float)), 0);
}

}  // namespace
}  // namespace headroom
