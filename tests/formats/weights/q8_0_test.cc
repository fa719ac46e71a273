#include "headroom/formats/weights/q8_0.h"

#include <gtest/gtest.h>

#include <cstring>

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
  const auto expected = read_tensor<uint8_t>(file, "q8_0");
  const auto count = static_cast<int64_t>(source.size());
  ASSERT_EQ(count / kQ8BlockElements * kQ8BlockBytes, static_cast<int64_t>(expected.size()));
  std::vector<uint8_t> blocks(expected.size());
  quantize_q8_0(source.data(), count, blocks.data());
  EXPECT_EQ(blocks, expected);
  std::vector<float> numbers(source.size());
  dequantize_q8_0(blocks.data(), count, numbers.data());
  const auto theirs = read_tensor<float>(file, "q8_0.numbers");
  EXPECT_EQ(std::memcmp(numbers.data(), theirs.data(), numbers.size() * sizeof(float)), 0);
}

}  // namespace
}  // namespace headroom
