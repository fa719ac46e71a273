// Parts of a matrix copied side by side, and out of it (ops/join_columns.h).
#include <cstring>

#include "headroom/backend/kernel.h"

namespace headroom::reference {
namespace {

size_t row_bytes(const Tensor& matrix) { return static_cast<size_t>(matrix.dim(1) * size_of(matrix.type.dtype)); }

}  // namespace

void join_columns(const Invocation& call) {
  std::byte* to = call.outputs[0].data;
  for (int64_t row = 0; row < call.outputs[0].dim(0); ++row) {
    for (const Tensor& part : call.inputs) {
      std::memcpy(to, part.data + static_cast<size_t>(row) * row_bytes(part), row_bytes(part));
      to += row_bytes(part);
    }
  }
}

void split_columns(const Invocation& call) {
  const std::byte* from = call.inputs[0].data;
  for (int64_t row = 0; row < call.inputs[0].dim(0); ++row) {
    for (const Tensor& part : call.outputs) {
      std::memcpy(part.data + static_cast<size_t>(row) * row_bytes(part), from, row_bytes(part));
      from += row_bytes(part);
    }
  }
}

}  // namespace headroom::reference

HEADROOM_KERNEL(join_columns);
HEADROOM_KERNEL(split_columns);
