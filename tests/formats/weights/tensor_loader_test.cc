#include "headroom/formats/weights/tensor_loader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "headroom/base/block_reader.h"
#include "headroom/base/convert.h"
#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/formats/weights/weight_writer.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

// A model of two shards, with tensors of every dtype that large blocks cut and many small ones share.
class TensorLoaderTest : public testing::Test {
 protected:
  TensorLoaderTest() {
    std::vector<TensorDeclaration> tensors;
    for (const DType dtype : {DType::f64, DType::f32, DType::f16, DType::bf16}) {
      tensors.push_back({fmt::format("large.{}", name_of(dtype)), {dtype, {300, 1001}}});
      for (int i = 0; i < 30; ++i) tensors.push_back({fmt::format("{}.{}", i, name_of(dtype)), {dtype, {i}}});
    }
    tensors_ = tensors;
    std::mt19937 random(1);
    WeightWriter(tensors, 4'000'000).write(directory_.path(), [&](SafetensorsWriter& file, auto members) {
      for (size_t place = 0; place < members.size(); ++place) {
        const Type& type = tensors_[members[place]].type;
        std::vector<float> values(static_cast<size_t>(type.shape.elements()));
        for (float& value : values) value = static_cast<float>(random() % 2001) / 64 - 15;
        std::vector<std::byte> stored(static_cast<size_t>(type.bytes()));
        convert_elements(DType::f32, values.data(), type.dtype, stored.data(), type.shape.elements());
        file.write_at(place, 0, stored.data(), type.shape.elements());
      }
    });
  }

  TemporaryDirectory directory_;
  std::vector<TensorDeclaration> tensors_;
};

TEST_F(TensorLoaderTest, GivesTheBitsOfOrdinaryReadsThroughAnyStaging) {
  const WeightFiles files(directory_.path());
  for (const DType wanted : {DType::f32, DType::bf16}) {
    for (const int64_t staging_bytes : {BlockReader::kLeastStagingBytes, int64_t{1} << 20, int64_t{9} << 20}) {
      std::vector<std::byte> staging(static_cast<size_t>(staging_bytes));
      std::vector<std::vector<std::byte>> loaded, expected;
      std::vector<TensorLoad> loads;
      int64_t bytes = 0;
      for (int64_t i = 0; i < files.count(); ++i) {
        const WeightTensor tensor = files.tensor(i);
        const int64_t elements = tensor.stored.shape.elements();
        loaded.emplace_back(static_cast<size_t>(elements * size_of(wanted)));
        expected.push_back(loaded.back());
        tensor.read(0, elements, wanted, expected.back().data());
        loads.push_back({tensor, wanted, loaded.back().data()});
        bytes += tensor.stored.size_bytes;
      }
      int64_t last = 0;
      const LoadStatistics statistics =
          load_tensors(loads, staging, NanCheck::refuse, [&](int64_t done, int64_t total) {
            EXPECT_EQ(total, bytes);
            EXPECT_LE(done, total);
            last = done;
          });
      EXPECT_EQ(loaded, expected);
      EXPECT_EQ(statistics.bytes, bytes);
      EXPECT_GT(statistics.seconds, 0);
    }
  }
}

// Out of a file that holds them in the format that is wanted, beside others that are decoded or encoded.
TEST_F(TensorLoaderTest, CopiesWhatIsStoredAsItIsWanted) {
  const GroupedFormat& format = *find_grouped(4, false, 32);
  const Shape shape = {4000, 320};  // more than the largest block of the least staging memory
  std::vector<float> numbers(static_cast<size_t>(shape.elements()));
  std::mt19937 random(2);
  for (float& number : numbers) number = static_cast<float>(random() % 2001) / 64 - 15;
  std::vector<std::byte> bytes(static_cast<size_t>(format.bytes(shape)));
  ASSERT_EQ(format.encode(shape, 0, numbers, bytes.data(), {}), -1);
  format.finish(shape, bytes.data(), {});
  const auto write = [&](const char* name) {
    SafetensorsWriter writer(directory_ / name, {{"w", {format.dtype(), shape}}, {"n", f32({320})}});
    writer.write_at(0, 0, bytes.data(), static_cast<int64_t>(bytes.size()));
    writer.write_at(1, 0, numbers.data(), 320);
    writer.finish();
    return WeightFiles(std::make_unique<SafetensorsFile>(directory_ / name));
  };
  const WeightFiles files = write("grouped.safetensors");
  const WeightTensor tensor = *files.find("w");
  std::vector<float> decoded(numbers.size()), expected(numbers.size()), norm(320);
  format.decode(shape, bytes.data(), 0, shape.elements(), expected.data());
  for (const int64_t staging_bytes : {BlockReader::kLeastStagingBytes, int64_t{9} << 20}) {
    std::vector<std::byte> staging(static_cast<size_t>(staging_bytes)), copied(bytes.size());
    load_tensors({{tensor, format.dtype(), copied.data()},
                  {*files.find("n"), DType::f32, reinterpret_cast<std::byte*>(norm.data())}},
                 staging, NanCheck::refuse);
    EXPECT_EQ(copied, bytes);
    EXPECT_EQ(norm[319], numbers[319]);
    load_tensors({{tensor, DType::f32, reinterpret_cast<std::byte*>(decoded.data())}}, staging, NanCheck::refuse);
    EXPECT_EQ(decoded, expected);
    std::vector<std::byte> again(static_cast<size_t>(find_grouped(4, true, 64)->bytes(shape)));
    EXPECT_NO_THROW(
        load_tensors({{tensor, find_grouped(4, true, 64)->dtype(), again.data()}}, staging, NanCheck::refuse));
  }
  const GroupedLayout layout(format, shape);
  const uint16_t nan = 0x7e01;
  std::memcpy(bytes.data() + 3 * layout.panel_bytes() + layout.scales_at() + 2 * 7, &nan, 2);
  const WeightFiles damaged = write("damaged.safetensors");
  std::vector<std::byte> staging(BlockReader::kLeastStagingBytes), out(bytes.size());
  EXPECT_ERROR(InvalidInput, "damaged.safetensors: tensor w has a scale in row 55 that is NaN or infinite",
               load_tensors({{*damaged.find("w"), format.dtype(), out.data()}}, staging, NanCheck::refuse));
}

TEST_F(TensorLoaderTest, RefusesTheFirstNanAndNothingElse) {
  std::vector<float> values(3'000'000, 1.0f);
  values[2'500'000] = values[1'234'567] = std::nanf("");
  values[7] = INFINITY;
  {
    SafetensorsWriter writer(directory_ / "nan.safetensors", {{"w", f32({3'000'000})}});
    writer.write("w", DType::f32, values.data(), 3'000'000);
    writer.finish();
  }
  const WeightFiles files(directory_ / "nan.safetensors");
  std::vector<std::byte> staging(1 << 20);
  std::vector<float> out(3'000'000);
  const TensorLoad load = {files.tensor(0), DType::f32, reinterpret_cast<std::byte*>(out.data())};
  EXPECT_ERROR(InvalidInput, "tensor w holds a NaN at element 1234567",
               load_tensors({load}, staging, NanCheck::refuse));
  load_tensors({load}, staging, NanCheck::allow);
  EXPECT_TRUE(std::isnan(out[2'500'000]));
}

}  // namespace
}  // namespace headroom
