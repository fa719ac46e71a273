// Parts of tensors in grouped formats, against the whole as the format decodes it.
#include "headroom/formats/weights/grouped_reader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "headroom/base/convert.h"
#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/formats/weights/safetensors.h"
#include "headroom/formats/weights/safetensors_writer.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

std::vector<std::byte> encoded(const GroupedFormat& format, const Shape& shape) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> numbers(static_cast<size_t>(shape.elements()));
  for (float& number : numbers) number = normal(random);
  std::vector<std::byte> bytes(static_cast<size_t>(format.bytes(shape)));
  EXPECT_EQ(format.encode(shape, 0, numbers, bytes.data(), {}), -1);
  format.finish(shape, bytes.data(), {});
  return bytes;
}

class GroupedReaderTest : public testing::Test {
 protected:
  // One tensor behind another, so that it does not begin where the data do.
  SafetensorsFile open(const GroupedFormat& format, const Shape& shape, const std::vector<std::byte>& bytes) {
    SafetensorsWriter writer(directory_ / "w.safetensors", {{"n", f32({3})}, {"w", {format.dtype(), shape}}});
    const float numbers[] = {1, 2, 3};
    writer.write("n", DType::f32, numbers, 3);
    writer.write_at(1, 0, bytes.data(), static_cast<int64_t>(bytes.size()));
    writer.finish();
    return SafetensorsFile(directory_ / "w.safetensors");
  }
  TemporaryDirectory directory_;
};

// Rows of 2,816 elements of 8 bits are more than 32 KiB a panel: their parts are some columns of it.
TEST_F(GroupedReaderTest, GivesAnyPartOfAnyFormat) {
  const Shape shape = {35, 2816};
  std::mt19937_64 random(5);
  for (const int bits : {2, 3, 4, 8}) {
    for (const bool zeros : {false, true}) {
      for (const int64_t group : {0, 32, 128}) {
        const GroupedFormat& format = *find_grouped(bits, zeros, group);
        SCOPED_TRACE(format.name());
        const std::vector<std::byte> bytes = encoded(format, shape);
        const SafetensorsFile file = open(format, shape, bytes);
        const StoredTensor tensor = file.tensor(file.find("w"));
        EXPECT_EQ(tensor.type, StoredType::encoded);
        EXPECT_EQ(tensor.type_name, format.name());
        EXPECT_EQ(tensor.format, &format);
        EXPECT_EQ(tensor.shape, shape);
        EXPECT_EQ(tensor.size_bytes, format.bytes(shape));
        std::vector<float> whole(static_cast<size_t>(shape.elements()));
        format.decode(shape, bytes.data(), 0, shape.elements(), whole.data());
        for (int i = 0; i < 12; ++i) {
          const auto first = static_cast<int64_t>(random() % static_cast<uint64_t>(shape.elements()));
          const int64_t most = i % 3 == 0 ? 40 : i % 3 == 1 ? 3000 : shape.elements();
          const int64_t count =
              std::min(static_cast<int64_t>(random() % static_cast<uint64_t>(most)) + 1, shape.elements() - first);
          std::vector<float> part(static_cast<size_t>(count));
          file.read(tensor, first, count, DType::f32, part.data(), NanCheck::refuse);
          ASSERT_EQ(std::memcmp(part.data(), whole.data() + first, part.size() * sizeof(float)), 0) << first;
          std::vector<uint16_t> half(part.size()), expected(part.size());
          file.read(tensor, first, count, DType::bf16, half.data());
          convert_elements(DType::f32, part.data(), DType::bf16, expected.data(), count);
          ASSERT_EQ(half, expected);
        }
      }
    }
  }
}

TEST_F(GroupedReaderTest, RefusesIntegersAndScalesThatAreNoNumbers) {
  const GroupedFormat& format = *find_grouped(4, false, 32);
  const Shape shape = {40, 64};
  std::vector<std::byte> bytes = encoded(format, shape);
  const GroupedLayout layout(format, shape);
  const uint16_t infinity = 0xfc00;
  // Row 21, its second group.
  std::memcpy(bytes.data() + layout.panel_bytes() + layout.scales_at() + 2 * (16 + 5), &infinity, 2);
  EXPECT_EQ(find_bad_scale(layout, bytes.data()), 21);
  const SafetensorsFile file = open(format, shape, bytes);
  const StoredTensor tensor = file.tensor(file.find("w"));
  std::vector<float> out(2560);
  file.read(tensor, 0, 16 * 64, DType::f32, out.data());
  EXPECT_ERROR(InvalidInput, "tensor w has a scale in row 21 that is NaN or infinite; the file is damaged",
               file.read(tensor, 0, 2560, DType::f32, out.data()));
  EXPECT_ERROR(InvalidInput, "tensor w is stored as int4_g32; expected a dtype that converts to i32",
               file.read(tensor, 0, 1, DType::i32, out.data()));
}

}  // namespace
}  // namespace headroom
