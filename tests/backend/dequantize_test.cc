// Weights out of block formats: kernels agree with the formats' definition, to the bit.
#include "headroom/base/block_format.h"
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

Array encoded(const Type& type, const Array& values) {
  const BlockFormat& format = block_format(type.dtype);
  const Array result(type);
  std::vector<float> waiting(static_cast<size_t>(format.waiting_floats(type.shape)));
  format.encode(type.shape, 0, {values.as<float>(), static_cast<size_t>(values.elements())}, result.as<std::byte>(),
                waiting);
  format.finish(type.shape, result.as<std::byte>(), waiting);
  return result;
}

TEST(Dequantize, KernelsAgree) {
  Random random(1);
  for (const char* name : {"nf4", "int8", "q8_0"}) {
    for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 1}, {7, 11}, {3, 64}, {40, 1000}, {65, 8192}}) {
      SCOPED_TRACE(fmt::format("{} {} x {}", name, rows, columns));
      const BlockFormat& format = *find_block_format(name);
      if (format.name() == "q8_0" && columns % 32 != 0) continue;
      const Type type = {format.dtype(), {rows, columns}};
      expect_kernels_agree("dequantize", {encoded(type, random.array(f32(type.shape)))}, {});
    }
  }
}

}  // namespace
}  // namespace headroom::testing
