// Weights out of 4 and 8 bits: kernels agree, and NF4 is bitsandbytes' (tests/data/nf4) but for the rounding of a mean.
#include "headroom/backend/dynamic_map.h"
#include "headroom/backend/quantized_weights.h"
#include "headroom/formats/weights/safetensors.h"
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

Attributes shape(int64_t rows, int64_t columns) { return {{"rows", rows}, {"columns", columns}}; }

TEST(Dequantize, KernelsAgree) {
  Random random(1);
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 1}, {7, 11}, {3, 64}, {40, 1000}, {65, 8192}}) {
    const int64_t elements = rows * columns, blocks = quantized_blocks(elements);
    SCOPED_TRACE(elements);
    const Array scales = random.integers(u8({blocks}), 0, 255);
    expect_kernels_agree("dequantize_nf4",
                         {random.integers(u8({(elements + 1) / 2}), 0, 255), scales,
                          random.array(f32({scale_blocks(elements) + 1}), 0.1, 1)},
                         shape(rows, columns));
    expect_kernels_agree("dequantize_int8", {random.integers(u8({elements}), 0, 255), random.array(f32({blocks}))},
                         shape(rows, columns));
  }
}

TEST(Dequantize, TheMapIsBitsandbytes) {
  const SafetensorsFile file(std::string(HEADROOM_SOURCE_DIR) + "/tests/data/nf4/weights.safetensors");
  std::array<float, 256> map;
  file.read(file.tensor(file.find("map")), 0, 256, DType::f32, map.data());
  EXPECT_EQ(map, kSignedMap.values);
}

TEST(Dequantize, Nf4IsBitsandbytes) {
  const SafetensorsFile file(std::string(HEADROOM_SOURCE_DIR) + "/tests/data/nf4/weights.safetensors");
  const auto raw = [&](const std::string& name, std::byte* out) {
    const StoredTensor stored = file.tensor(file.find(name));
    file.file().read(stored.offset_bytes, out, stored.size_bytes);
  };
  for (const std::string name : {"normal", "outliers", "ragged"}) {
    const Shape of = file.tensor(file.find(name)).shape;
    const Array codes(u8({(of.elements() + 1) / 2})), scales(u8({quantized_blocks(of.elements())}));
    const Array scale_block(f32({scale_blocks(of.elements()) + 1})), expected(f32(of));
    raw(name + ".codes", codes.as<std::byte>());
    raw(name + ".scales", scales.as<std::byte>());
    raw(name + ".scale_blocks", scale_block.as<std::byte>());
    raw(name + ".mean", scale_block.as<std::byte>() + 4 * scale_blocks(of.elements()));
    raw(name + ".back", expected.as<std::byte>());
    const Array got =
        run_kernel(Isa::reference, "dequantize_nf4", {codes, scales, scale_block}, shape(of[0], of[1]))[0];
    expect_same_bits(expected, got, name);
  }
}

}  // namespace
}  // namespace headroom::testing
