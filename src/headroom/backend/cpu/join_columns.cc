// Parts of a matrix copied side by side, and out of it (ops/join_columns.h). Threads split the rows.
#include <cstring>

#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {
namespace {

// Calls copy(place in the matrix, place in the part, bytes) for the piece of each row that is a part's.
template <class Copy>
void for_each_piece(const Invocation& call, const Tensor& matrix, std::span<const Tensor> parts, Copy&& copy) {
  call.threads.split(matrix.dim(0), 1, [&](int64_t begin, int64_t end, int) {
    int64_t at = begin * matrix.dim(1) * size_of(matrix.type.dtype);
    for (int64_t row = begin; row < end; ++row) {
      for (const Tensor& part : parts) {
        const int64_t bytes = part.dim(1) * size_of(part.type.dtype);
        copy(matrix.data + at, part.data + row * bytes, static_cast<size_t>(bytes));
        at += bytes;
      }
    }
  });
}

}  // namespace

void join_columns(const Invocation& call) {
  for_each_piece(call, call.outputs[0], call.inputs,
                 [](std::byte* all, const std::byte* part, size_t bytes) { std::memcpy(all, part, bytes); });
}

void split_columns(const Invocation& call) {
  for_each_piece(call, call.inputs[0], call.outputs,
                 [](const std::byte* all, std::byte* part, size_t bytes) { std::memcpy(part, all, bytes); });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(join_columns);
HEADROOM_KERNEL(split_columns);
