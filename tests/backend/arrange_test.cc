// Rows and blocks of files as kernels read them: each number is where it belongs, and none is another.
#include <array>
#include <vector>

#include "headroom/base/grouped_format.h"
#include "headroom/ops/arrange.h"
#include "tests/backend/kernel_runner.h"

namespace headroom::testing {
namespace {

// The row of the file that a row of a head comes from, by the picture: 0, 2, 4, ... then 1, 3, 5, ...
int64_t row_of_file(int64_t row, int64_t head_rows) {
  if (head_rows == 0) return row;
  std::vector<int64_t> order;
  for (const int64_t odd : {0, 1}) {
    for (int64_t i = odd; i < head_rows; i += 2) order.push_back(i);
  }
  return row / head_rows * head_rows + order[static_cast<size_t>(row % head_rows)];
}

std::vector<Array> arranged_everywhere(const Array& raw, int64_t head_rows) {
  std::vector<Array> all;
  for (const Isa isa : {Isa::reference, Isa::avx2, Isa::avx512}) {
    if (!is_supported(isa)) continue;
    for (const int threads : {1, 3}) {
      all.push_back(run_kernel(isa, "arrange", {raw}, {{"head_rows", head_rows}}, threads)[0]);
    }
  }
  return all;
}

TEST(Arrange, RowsOfHeadsAreInOrder) {
  Random random(1);
  for (const auto& [dtype, head_rows] :
       {std::pair(DType::f32, 2), {DType::bf16, 6}, {DType::f16, 24}, {DType::bf16, 0}}) {
    const Array raw = random.array({dtype, {24, 37}});
    for (const Array& got : arranged_everywhere(raw, head_rows)) {
      for (int64_t row = 0; row < 24; ++row) {
        for (int64_t k = 0; k < 37; ++k) {
          ASSERT_EQ(got.at(row * 37 + k), raw.at(row_of_file(row, head_rows) * 37 + k)) << row << ", " << k;
        }
      }
    }
  }
}

// A whole number of panels and not; heads that are no panels. Blocks that are no groups only change places.
TEST(Arrange, BlocksKeepTheirNumbers) {
  Random random(2);
  for (const auto& [format, used_bytes] : {std::pair{"q8_0", 34}, {"q4_0", 18}, {"q6_k", 0}}) {
    const BlockFormat& blocks = *find_block_format(format);
    for (const auto& [rows, columns, head_rows] :
         {std::array<int64_t, 3>{48, 256, 0}, {48, 64, 12}, {40, 192, 8}, {35, 64, 0}, {1, 64, 0}, {24, 256, 8}}) {
      SCOPED_TRACE(fmt::format("{}, {} x {}, heads of {}", format, rows, columns, head_rows));
      const Shape shape = {rows, columns};
      if (columns % blocks.block_elements(shape) != 0) continue;
      const Array raw = random_blocks(format, shape, random);
      std::vector<float> expected(static_cast<size_t>(shape.elements())), values(expected);
      blocks.decode(shape, raw.as<std::byte>(), 0, shape.elements(), expected.data());
      const std::vector<Array> every = arranged_everywhere(raw, head_rows);
      // Of groups; what follows is padding of zeros.
      const int64_t used = used_bytes == 0 ? raw.type().bytes() : (rows + 15) / 16 * 16 * columns / 32 * used_bytes;
      for (const Array& got : every) {
        const BlockFormat& kept = block_format(got.type().dtype);
        kept.decode(shape, got.as<std::byte>(), 0, shape.elements(), values.data());
        for (int64_t i = 0; i < shape.elements(); ++i) {
          const int64_t from = row_of_file(i / columns, head_rows) * columns + i % columns;
          ASSERT_EQ(values[static_cast<size_t>(i)], expected[static_cast<size_t>(from)]) << i;
        }
        for (int64_t i = used; i < got.type().bytes(); ++i) ASSERT_EQ(got.as<uint8_t>()[i], 0) << i;
        const auto bytes = static_cast<size_t>(got.type().bytes());
        ASSERT_EQ(std::memcmp(got.as<std::byte>(), every[0].as<std::byte>(), bytes), 0);
      }
    }
  }
}

}  // namespace
}  // namespace headroom::testing
