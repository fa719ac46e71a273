// The rows of ranks, added as a balanced tree (ops/add_rank_rows.h).
#include "headroom/backend/kernel.h"

namespace headroom::reference {
namespace {

float add_rows(const float* first, int64_t rows, int64_t columns) {
  if (rows == 1) return *first;
  int64_t left = 1;
  while (2 * left < rows) left *= 2;
  const float sum = add_rows(first, left, columns);
  return sum + add_rows(first + left * columns, rows - left, columns);
}

}  // namespace

void add_rank_rows(const Invocation& call) {
  const Tensor& rows = call.inputs[0];
  float* to = call.outputs[0].as<float>() + call.attributes.integer("first");
  for (int64_t i = 0; i < rows.dim(1); ++i) to[i] = add_rows(rows.as<const float>() + i, rows.dim(0), rows.dim(1));
}

}  // namespace headroom::reference

HEADROOM_KERNEL(add_rank_rows);
