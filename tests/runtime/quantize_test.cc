// Weights into 4 and 8 bits: NF4 against what bitsandbytes makes of the same tensors (tests/data/nf4), 8 bits against
// their definition, and loading by way of little memory against quantising at once.
#include "headroom/runtime/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "headroom/backend/quantized_weights.h"
#include "headroom/base/block_reader.h"
#include "headroom/base/errors.h"
#include "headroom/formats/weights/safetensors.h"
#include "headroom/formats/weights/safetensors_writer.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

class Vectors {
 public:
  template <class T>
  std::vector<T> read(const std::string& name) const {
    const StoredTensor stored = file_.tensor(file_.find(name));
    std::vector<T> values(static_cast<size_t>(stored.size_bytes) / sizeof(T));
    file_.file().read(stored.offset_bytes, values.data(), stored.size_bytes);
    return values;
  }

 private:
  const SafetensorsFile file_{std::string(HEADROOM_SOURCE_DIR) + "/tests/data/nf4/weights.safetensors"};
};

struct Quantized {
  std::vector<uint8_t> codes;
  std::vector<float> magnitudes;
};

Quantized quantize_nf4(const std::vector<float>& x) {
  const size_t blocks = static_cast<size_t>(quantized_blocks(static_cast<int64_t>(x.size())));
  Quantized result{std::vector<uint8_t>((x.size() + 1) / 2), std::vector<float>(blocks)};
  for (size_t block = 0; block < blocks; ++block) {
    const size_t first = block * kQuantizedBlock;
    const std::span<const float> part(x.data() + first, std::min<size_t>(kQuantizedBlock, x.size() - first));
    result.magnitudes[block] = quantize_nf4_block(part, result.codes.data() + first / 2);
  }
  return result;
}

TEST(Quantize, Nf4CodesAreThoseOfBitsandbytes) {
  const Vectors vectors;
  for (const std::string name : {"normal", "outliers", "ragged"}) {
    SCOPED_TRACE(name);
    const Quantized got = quantize_nf4(vectors.read<float>(name));
    EXPECT_EQ(got.codes, vectors.read<uint8_t>(name + ".codes"));
    EXPECT_EQ(got.magnitudes, vectors.read<float>(name + ".magnitudes"));
    const std::vector<float> scale_blocks = vectors.read<float>(name + ".scale_blocks");
    std::vector<uint8_t> scales(got.magnitudes.size());
    std::vector<float> ours(scale_blocks.size() + 1);
    quantize_magnitudes(got.magnitudes, scales, ours);
    EXPECT_EQ(scales, vectors.read<uint8_t>(name + ".scales"));
    const float mean = vectors.read<float>(name + ".mean")[0];  // PyTorch adds in another order
    EXPECT_NEAR(ours.back(), mean, 1e-6 * mean);
    for (size_t i = 0; i < scale_blocks.size(); ++i) EXPECT_NEAR(ours[i], scale_blocks[i], 1e-6 * scale_blocks[i]);
  }
}

TEST(Quantize, Int8IsWithinHalfAStep) {
  std::vector<float> block(kQuantizedBlock);
  for (size_t i = 0; i < block.size(); ++i) block[i] = std::sin(static_cast<float>(i * i)) * 0.03f;
  std::vector<uint8_t> codes(block.size());
  const float scale = quantize_int8_block(block, codes.data());
  for (size_t i = 0; i < block.size(); ++i) {
    EXPECT_NEAR(static_cast<float>(static_cast<int8_t>(codes[i])) * scale, block[i], scale * 0.5001f);
  }
  EXPECT_EQ(quantize_int8_block(std::vector<float>(5, 0.0f), codes.data()), 0.0f);
  EXPECT_EQ(codes[4], 0);
}

// A tensor's parts in memory, as a workspace would hold them.
struct Parts {
  Parts(int64_t elements, int bits)
      : codes(static_cast<size_t>(bits == 4 ? (elements + 1) / 2 : elements)),
        scales(static_cast<size_t>(quantized_blocks(elements)) * (bits == 4 ? 1 : sizeof(float))),
        scale_blocks(static_cast<size_t>(scale_blocks_of(elements))) {
    const int64_t blocks = quantized_blocks(elements);
    tensors.push_back({reinterpret_cast<std::byte*>(codes.data()), u8({static_cast<int64_t>(codes.size())})});
    tensors.push_back({reinterpret_cast<std::byte*>(scales.data()), bits == 4 ? u8({blocks}) : f32({blocks})});
    if (bits == 4) {
      tensors.push_back(
          {reinterpret_cast<std::byte*>(scale_blocks.data()), f32({static_cast<int64_t>(scale_blocks.size())})});
    }
  }
  static int64_t scale_blocks_of(int64_t elements) { return headroom::scale_blocks(elements) + 1; }

  std::vector<uint8_t> codes, scales;
  std::vector<float> scale_blocks;
  std::vector<Tensor> tensors;
};

class QuantizedLoading : public ::testing::Test {
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

// More magnitudes than the heap takes, a ragged end, 16-bit weights: the codes of the tensor quantised at once.
TEST_F(QuantizedLoading, IsThatOfTheWholeTensor) {
  struct Case {
    size_t count;
    DType dtype;
    size_t staging_bytes;
  };
  const size_t large = 17 * 1024 * kQuantizedBlock;
  for (const Case& one : {Case{64 * 1000, DType::f32, BlockReader::kLeastStagingBytes},
                          Case{large, DType::bf16, BlockReader::kLeastStagingBytes + large / 16},
                          Case{1000, DType::f16, BlockReader::kLeastStagingBytes}}) {
    SCOPED_TRACE(one.count);
    const std::string path = write(wave(one.count), one.dtype);
    const WeightFiles files(path);
    std::vector<float> stored(one.count);
    files.find("w")->read(0, static_cast<int64_t>(one.count), DType::f32, stored.data());
    const Quantized expected = quantize_nf4(stored);
    Parts parts(static_cast<int64_t>(one.count), 4);
    std::vector<std::byte> staging(one.staging_bytes);
    const LoadStatistics use = load_quantized({{*files.find("w"), parts.tensors}}, staging);
    EXPECT_EQ(use.bytes, static_cast<int64_t>(one.count) * size_of(one.dtype));
    EXPECT_EQ(parts.codes, expected.codes);
    std::vector<uint8_t> scales(expected.magnitudes.size());
    std::vector<float> scale_blocks(parts.scale_blocks.size());
    quantize_magnitudes(expected.magnitudes, scales, scale_blocks);
    EXPECT_EQ(parts.scales, scales);
    EXPECT_EQ(parts.scale_blocks, scale_blocks);
  }
}

TEST_F(QuantizedLoading, EightBitsKeepTheirScalesInPlace) {
  const std::vector<float> values = wave(640);
  const std::string path = write(values, DType::f32);
  const WeightFiles files(path);
  Parts parts(640, 8);
  std::vector<std::byte> staging(BlockReader::kLeastStagingBytes);
  load_quantized({{*files.find("w"), parts.tensors}}, staging);
  for (size_t i = 0; i < values.size(); ++i) {
    const float scale = parts.tensors[1].as<float>()[i / kQuantizedBlock];
    EXPECT_NEAR(static_cast<float>(static_cast<int8_t>(parts.codes[i])) * scale, values[i], scale * 0.5001f);
  }
}

TEST_F(QuantizedLoading, NoNumbersAreRefused) {
  for (const float bad : {std::nanf(""), HUGE_VALF}) {
    std::vector<float> values = wave(256);
    values[77] = bad;
    const std::string path = write(values, DType::f32);
    const WeightFiles files(path);
    Parts parts(256, 4);
    std::vector<std::byte> staging(BlockReader::kLeastStagingBytes);
    EXPECT_THROW(load_quantized({{*files.find("w"), parts.tensors}}, staging), InvalidInput);
  }
}

}  // namespace
}  // namespace headroom
