#include "headroom/base/row_span.h"

#include "headroom/base/bytes.h"
#include "headroom/base/cache_format.h"
#include "headroom/base/page.h"

namespace headroom {
namespace {

int64_t bytes_of_rows(const Type& type, int64_t rows) {
  Shape shape = {rows};
  if (type.shape.rank() > 1) shape = {rows, type.shape.elements() / type.shape[0]};
  return rows == 0 ? 0 : Type{type.dtype, shape}.bytes();
}

}  // namespace

RowSpan::RowSpan(const Type& type, int64_t first, int64_t end) {
  const int64_t unit = as_cache_format(type.dtype) != nullptr ? kCachePanelRows : 1;
  first_byte = bytes_of_rows(type, first / unit * unit) / kPageBytes * kPageBytes;
  end_byte = round_up(bytes_of_rows(type, end), kPageBytes);
}

}  // namespace headroom
