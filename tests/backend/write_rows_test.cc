// Rows written in place: what is inside the range changes, nothing else.
#include "headroom/base/cache_format.h"
#include "headroom/base/cache_kind.h"
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

void expect_written(const Shape& target_shape, const Shape& rows_shape, int first, int count) {
  Random random(1);
  const Array target = random.array(f32(target_shape)), rows = random.array(f32(rows_shape));
  const Array range = array_of(i32({2}), std::vector<int>{first, count});
  const Array got = expect_kernels_agree("write_rows", {target, rows, range})[0];
  const int64_t width = rows.elements() / rows_shape[0];
  for (int64_t i = 0; i < got.elements(); ++i) {
    const bool written = i / width >= first && i / width < first + count;
    EXPECT_EQ(got.at(i), written ? rows.at(i - first * width) : target.at(i)) << "element " << i;
  }
}

TEST(WriteRows, ChangesTheRangeOnly) {
  expect_written({20, 33}, {6, 33}, 3, 6);
  expect_written({20, 33}, {6, 33}, 18, 2);
  expect_written({20, 33}, {6, 33}, 5, 0);
  expect_written({64, 1}, {64, 1}, 0, 64);
}

// One range a sequence: rows follow each other, ranges lie anywhere.
TEST(WriteRows, FillsRangeAfterRange) {
  Random random(2);
  const Array target = random.array(f32({20, 33})), rows = random.array(f32({6, 33}));
  const Array ranges = array_of(i32({4, 2}), std::vector<int>{15, 2, 3, 0, 0, 3, 9, 1});
  const Array got = expect_kernels_agree("write_rows", {target, rows, ranges})[0];
  const std::vector<int> source = {2, 3, 4, -1, -1, -1, -1, -1, -1, 5, -1, -1, -1, -1, -1, 0, 1, -1, -1, -1};
  for (int64_t i = 0; i < got.elements(); ++i) {
    const int row = source[static_cast<size_t>(i / 33)];
    EXPECT_EQ(got.at(i), row < 0 ? target.at(i) : rows.at(row * 33 + i % 33)) << "element " << i;
  }
}

// 1 + 2^-8 and 1 + 3 * 2^-8 lie between two numbers of bf16, 1 + 2^-11 and 1 + 3 * 2^-11 of f16: each goes to the even
// one.
TEST(WriteRows, RoundsToNearestEven) {
  const auto written = [](DType dtype, const std::vector<double>& values) {
    const Array target({dtype, {3, 4}});
    for (int64_t i = 0; i < 12; ++i) target.set(i, 7);
    const Array got = expect_kernels_agree(
        "write_rows", {target, array_of(f32({1, 4}), values), array_of(i32({2}), std::vector<int>{1, 1})})[0];
    for (const int64_t i : {0, 3, 8, 11}) EXPECT_EQ(got.at(i), 7);
    return std::vector<double>{got.at(4), got.at(5), got.at(6), got.at(7)};
  };
  using Numbers = std::vector<double>;
  EXPECT_EQ(written(DType::bf16, {1 + 0x1p-8, 1 + 0x3p-8, 1e38, -0x1p-140}),
            (Numbers{1, 1 + 0x1p-6, 0x1.2cp126, -0.0}));
  EXPECT_EQ(written(DType::f16, {1 + 0x1p-11, 1 + 0x3p-11, 65520, 0x1p-24}),
            (Numbers{1, 1 + 0x1p-9, INFINITY, 0x1p-24}));
}

TEST(WriteRows, AgreesOnRandomRows) {
  Random random(3);
  for (const DType dtype : {DType::bf16, DType::f16}) {
    const Array target = random.array({dtype, {40, 37}}), rows = random.array(f32({33, 37}), -1e3, 1e3);
    expect_kernels_agree("write_rows", {target, rows, array_of(i32({2}), std::vector<int>{5, 31})});
  }
}

// Ordinary rows, outliers and what is no finite number, into the middle of panels, by one thread and by several: the
// bytes of the whole cache.
TEST(WriteRows, EncodesRowsOfACache) {
  Random random(4);
  for (const auto order : {CacheFormat::Order::keys, CacheFormat::Order::values}) {
    for (const auto& [kind, width] : {std::pair(CacheKind::q8, 320),
                                      {CacheKind::q4, 320},
                                      {CacheKind::q8, 264},
                                      {CacheKind::q4, 264},
                                      {CacheKind::bf16, 320},
                                      {CacheKind::f16, 96},
                                      {CacheKind::f32, 320}}) {
      const CacheTypes types = cache_types(kind, width);
      const bool is_of_keys = order == CacheFormat::Order::keys;
      const CacheFormat& format = *as_cache_format(is_of_keys ? types.keys : types.values);
      const Array target(Type{format.dtype(), {43, width}});
      const Array rows = random.array(f32({33, width}), -2, 2);
      const std::initializer_list<double> awkward = {INFINITY, -INFINITY, NAN,  1e38,  70000, -70000,
                                                     1e6,      1e-42,     -0.0, 1e-20, 300,   0.0};
      int64_t row = 3;
      for (const double number : awkward) rows.set(row++ * width + random.integer(0, width - 1), number);
      for (int64_t i = 0; i < width; ++i)
        rows.set(20 * width + i, i % 2 == 0 ? 0.0 : -0.0), rows.set(21 * width + i, 7);
      const std::vector<Array> inputs = {target, rows, array_of(i32({2, 2}), std::vector<int>{5, 31, 40, 2})};
      const Array expected = run_kernel(Isa::reference, "write_rows", inputs)[0];
      const auto bytes = static_cast<size_t>(expected.type().bytes());
      EXPECT_NE(std::memcmp(expected.as<std::byte>(), target.as<std::byte>(), bytes), 0);
      for (const Isa isa : {Isa::avx2, Isa::avx512}) {
        if (!is_supported(isa)) continue;
        for (const int threads : {1, 3}) {
          const Array got = run_kernel(isa, "write_rows", inputs, {}, threads)[0];
          EXPECT_EQ(std::memcmp(got.as<std::byte>(), expected.as<std::byte>(), bytes), 0)
              << format.name() << " " << name_of(isa);
        }
      }
    }
  }
}

TEST(WriteRows, TakesVectors) { expect_written({20}, {7}, 13, 7); }

}  // namespace
}  // namespace headroom::testing
