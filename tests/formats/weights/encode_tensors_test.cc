// Loading into block formats by way of little memory, against encoding the whole tensor at once.
#include "headroom/formats/weights/encode_tensors.h"

#include <gtest/gtest.h>

#include <cmath>

#include "headroom/base/block_reader.h"
#include "headroom/base/errors.h"
#include "headroom/formats/weights/safetensors_writer.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

class EncodeTensors : public ::testing::Test {
 protected:
  std::string write(const std::vector<float>& values, DType dtype) {
    const std::string path = directory_ / "w.safetensors";
    const int64_t count = static_cast<int64_t>(values.size());
    SafetensorsWriter writer(path, {{"before", f32({3})}, {"w", {dtype, {count}}}});
    const float three[] = {1, 2, 3};
    writer.write("before", DType::f32, three, 3);
    writer.write("w", DType::f32, values.data(), count);
    writer.finish();
    return path;
  }
  static std::vector<float> wave(size_t count) {
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = std::sin(static_cast<float>(i % 9973) * 0.7f) * 0.02f;
    return values;
  }
  TemporaryDirectory directory_;
};

// More numbers that wait than the heap takes, a ragged end, 16-bit weights.
TEST_F(EncodeTensors, IsThatOfTheWholeTensor) {
  struct Case {
    const char* format;
    size_t count;
    DType dtype;
    size_t staging_bytes;
  };
  const size_t large = 17 * 1024 * 64;
  for (const Case& one : {Case{"nf4", 64 * 1000, DType::f32, BlockReader::kLeastStagingBytes},
                          Case{"nf4", large, DType::bf16, BlockReader::kLeastStagingBytes + large / 16},
                          Case{"nf4", 1000, DType::f16, BlockReader::kLeastStagingBytes},
                          Case{"int8", 1000, DType::f32, BlockReader::kLeastStagingBytes},
                          Case{"q8_0", 64 * 1000, DType::bf16, BlockReader::kLeastStagingBytes}}) {
    SCOPED_TRACE(fmt::format("{} {}", one.format, one.count));
    const BlockFormat& format = *find_block_format(one.format);
    const WeightFiles files(write(wave(one.count), one.dtype));
    const Shape shape = {static_cast<int64_t>(one.count)};
    std::vector<float> stored(one.count), waiting(static_cast<size_t>(format.waiting_floats(shape)));
    files.find("w")->read(0, shape.elements(), DType::f32, stored.data());
    std::vector<std::byte> expected(static_cast<size_t>(format.bytes(shape))), got(expected.size());
    format.encode(shape, 0, stored, expected.data(), waiting);
    format.finish(shape, expected.data(), waiting);
    std::vector<std::byte> staging(one.staging_bytes);
    const LoadStatistics use =
        load_tensors({{*files.find("w"), format.dtype(), got.data()}}, staging, NanCheck::refuse);
    EXPECT_EQ(use.bytes, shape.elements() * size_of(one.dtype));
    EXPECT_EQ(got, expected);
  }
}

TEST_F(EncodeTensors, NoNumbersAreRefused) {
  for (const float bad : {std::nanf(""), HUGE_VALF}) {
    std::vector<float> values = wave(256);
    values[77] = bad;
    const WeightFiles files(write(values, DType::f32));
    const BlockFormat& format = *find_block_format("nf4");
    std::vector<std::byte> got(static_cast<size_t>(format.bytes({256}))), staging(BlockReader::kLeastStagingBytes);
    EXPECT_THROW(load_tensors({{*files.find("w"), format.dtype(), got.data()}}, staging, NanCheck::refuse),
                 InvalidInput);
  }
}

}  // namespace
}  // namespace headroom
