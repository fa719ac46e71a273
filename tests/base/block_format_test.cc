// The table of formats, and what each says of bytes: NF4 against what bitsandbytes makes of the same tensors
// (tests/data/nf4), int8 against its definition, Q8_0 against ggml's (q8_0_test.cc).
#include "headroom/base/block_format.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "headroom/base/dynamic_map.h"
#include "headroom/base/errors.h"
#include "headroom/base/int8_blocks.h"
#include "headroom/base/nf4.h"
#include "headroom/formats/weights/safetensors.h"

namespace headroom {
namespace {

std::vector<float> wave(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i * i % 9973)) * 0.03f;
  return values;
}

std::vector<std::byte> encoded(const BlockFormat& format, const Shape& shape, const std::vector<float>& values) {
  std::vector<std::byte> tensor(static_cast<size_t>(format.bytes(shape)));
  std::vector<float> waiting(static_cast<size_t>(format.waiting_floats(shape)));
  EXPECT_EQ(format.encode(shape, 0, values, tensor.data(), waiting), -1);
  format.finish(shape, tensor.data(), waiting);
  return tensor;
}

// 4.127 bits an element for a weight of any size that matters, and 8.5 twice.
TEST(BlockFormat, TypesKnowTheirBytes) {
  const Shape shape = {4096, 11008};
  for (const auto& [name, bits] : {std::pair{"nf4", 4.127}, {"int8", 8.5}, {"q8_0", 8.5}}) {
    const BlockFormat* format = find_block_format(name);
    ASSERT_NE(format, nullptr);
    EXPECT_EQ(&block_format(format->dtype()), format);
    const Type type = {format->dtype(), shape};
    EXPECT_EQ(to_string(type), std::string(name) + "[4096, 11008]");
    EXPECT_NEAR(8.0 * static_cast<double>(type.bytes()) / static_cast<double>(shape.elements()), bits, 1e-3);
    EXPECT_FALSE(is_scalar(type.dtype));
    EXPECT_THROW(size_of(type.dtype), InternalError);
  }
  EXPECT_EQ(find_block_format("f32"), nullptr);
  EXPECT_THROW((Type{find_block_format("q8_0")->dtype(), {4, 33}}.bytes()), InvalidInput);
}

TEST(BlockFormat, AnyPartDecodesAsTheWhole) {
  for (const char* name : {"nf4", "int8", "q8_0"}) {
    const BlockFormat& format = *find_block_format(name);
    const Shape shape = {7, 96};
    const std::vector<std::byte> tensor = encoded(format, shape, wave(shape.elements()));
    std::vector<float> whole(static_cast<size_t>(shape.elements()));
    format.decode(shape, tensor.data(), 0, shape.elements(), whole.data());
    for (const int64_t first : {1, 63, 64, 100, 600}) {
      std::array<float, 70> part;
      format.decode(shape, tensor.data(), first, part.size(), part.data());
      EXPECT_EQ(std::memcmp(part.data(), whole.data() + first, sizeof part), 0) << name << " from " << first;
    }
  }
}

TEST(BlockFormat, InfinitiesAreFound) {
  for (const char* name : {"nf4", "int8", "q8_0"}) {
    const BlockFormat& format = *find_block_format(name);
    std::vector<float> values = wave(256), waiting(16);
    std::vector<std::byte> tensor(static_cast<size_t>(format.bytes({256})));
    values[200] = HUGE_VALF;
    EXPECT_EQ(format.encode({256}, 0, values, tensor.data(), waiting), 192) << name;
  }
}

class Nf4 : public ::testing::TestWithParam<std::string> {
 protected:
  template <class T>
  std::vector<T> read(const std::string& part) const {
    const StoredTensor stored = file_.tensor(file_.find(part.empty() ? GetParam() : GetParam() + "." + part));
    std::vector<T> values(static_cast<size_t>(stored.size_bytes) / sizeof(T));
    file_.file(stored).read(stored.offset_bytes, values.data(), stored.size_bytes);
    return values;
  }
  // The bytes of a plane.
  template <class T>
  static std::vector<T> plane(const std::vector<std::byte>& tensor, int64_t at, int64_t count) {
    std::vector<T> values(static_cast<size_t>(count));
    std::memcpy(values.data(), tensor.data() + at, values.size() * sizeof(T));
    return values;
  }
  const SafetensorsFile file_{std::string(HEADROOM_SOURCE_DIR) + "/tests/data/nf4/weights.safetensors"};
};

TEST_P(Nf4, CodesAreThoseOfBitsandbytes) {
  const std::vector<float> values = read<float>("");
  const auto elements = static_cast<int64_t>(values.size());
  const std::vector<std::byte> tensor = encoded(nf4(), {elements}, values);
  const Nf4Planes planes(elements);
  EXPECT_EQ(plane<uint8_t>(tensor, 0, (elements + 1) / 2), read<uint8_t>("codes"));
  EXPECT_EQ(plane<uint8_t>(tensor, planes.scales_at, planes.blocks), read<uint8_t>("scales"));
  const std::vector<float> theirs = read<float>("scale_blocks");  // their mean is added up in another order
  const std::vector<float> ours = plane<float>(tensor, planes.scale_blocks_at, planes.scale_blocks);
  for (size_t i = 0; i < theirs.size(); ++i) EXPECT_NEAR(ours[i], theirs[i], 1e-6 * theirs[i]);
  const float mean = read<float>("mean")[0];
  EXPECT_NEAR(plane<float>(tensor, planes.mean_at, 1)[0], mean, 1e-6 * mean);
}

TEST_P(Nf4, DecodesWhatBitsandbytesWrote) {
  const std::vector<float> expected = read<float>("back");
  const auto elements = static_cast<int64_t>(expected.size());
  const Nf4Planes planes(elements);
  std::vector<std::byte> tensor(static_cast<size_t>(nf4().bytes({elements})));
  const auto put = [&](int64_t at, const std::string& part) {
    const std::vector<std::byte> bytes = read<std::byte>(part);
    std::memcpy(tensor.data() + at, bytes.data(), bytes.size());
  };
  put(0, "codes");
  put(planes.scales_at, "scales");
  put(planes.scale_blocks_at, "scale_blocks");
  put(planes.mean_at, "mean");
  std::vector<float> got(expected.size());
  nf4().decode({elements}, tensor.data(), 0, elements, got.data());
  EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)), 0);
}

TEST_P(Nf4, TheMapIsBitsandbytes) {
  std::array<float, 256> map;
  file_.read(file_.tensor(file_.find("map")), 0, 256, DType::f32, map.data());
  EXPECT_EQ(map, kSignedMap.values);
}

INSTANTIATE_TEST_SUITE_P(Tensors, Nf4, ::testing::Values("normal", "outliers", "ragged"));

TEST(Int8Blocks, IsWithinHalfAStep) {
  const std::vector<float> values = wave(130);
  const std::vector<std::byte> tensor = encoded(int8_blocks(), {130}, values);
  std::vector<float> got(values.size());
  int8_blocks().decode({130}, tensor.data(), 0, 130, got.data());
  for (size_t i = 0; i < values.size(); ++i) {
    float scale;
    std::memcpy(&scale, tensor.data() + int8_scales_at(130) + i / kInt8Block * 4, sizeof scale);
    EXPECT_NEAR(got[i], values[i], scale * 0.5001f);
  }
  EXPECT_EQ(encoded(int8_blocks(), {5}, std::vector<float>(5, 0.0f)), std::vector<std::byte>(64 + 4));
}

}  // namespace
}  // namespace headroom
