// Pages that hold some rows of a tensor: whole, and of a cache's format with the panels that the rows are in.
#include "headroom/base/row_span.h"

#include <gtest/gtest.h>

#include "headroom/base/cache_kind.h"

namespace headroom {
namespace {

void expect_span(const Type& type, int64_t first, int64_t end, int64_t first_byte, int64_t end_byte) {
  const RowSpan span(type, first, end);
  EXPECT_EQ(span.first_byte, first_byte) << first << " " << end;
  EXPECT_EQ(span.end_byte, end_byte) << first << " " << end;
}

TEST(RowSpan, IsWholePages) {
  const Type rows = f32({100, 256});  // four rows a page
  expect_span(rows, 0, 1, 0, 4096);
  expect_span(rows, 3, 4, 0, 4096);
  expect_span(rows, 3, 5, 0, 8192);
  expect_span(rows, 4, 100, 4096, 25 * 4096);
  expect_span(rows, 0, 0, 0, 0);
  expect_span({DType::bf16, {10, 3000}}, 1, 2, 4096, 12288);  // rows of 6000 bytes
  expect_span(f32({5000}), 1024, 1025, 4096, 8192);
}

TEST(RowSpan, HoldsWholePanels) {
  const Type keys = {cache_types(CacheKind::q4, 128).keys, {100, 256}};  // panels of 16 rows and 2560 bytes
  expect_span(keys, 0, 1, 0, 4096);
  expect_span(keys, 17, 18, 0, 8192);            // 2560 to 5120
  expect_span(keys, 40, 41, 4096, 8192);         // 5120 to 7680
  expect_span(keys, 16 * 5, 100, 12288, 20480);  // 12800 to 17920
}

}  // namespace
}  // namespace headroom
