// The rows of ranks, added as a balanced tree (ops/add_rank_rows.h): sums of powers of two of rows wait until as many
// more have come, as in a binary counter.
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {

void add_rank_rows(const Invocation& call) {
  const float* rows = call.inputs[0].as<const float>();
  const int64_t count = call.inputs[0].dim(0);
  const int64_t columns = call.inputs[0].dim(1);
  float* to = call.outputs[0].as<float>() + call.attributes.integer("first");
  split_elements(call.threads, columns, [&](int64_t i, auto n) {
    F32x16 waiting[32];
    for (int64_t row = 0; row < count; ++row) {
      F32x16 sum = load(rows + row * columns + i, n);
      int level = 0;
      for (; (row >> level & 1) != 0; ++level) sum = waiting[level] + sum;
      waiting[level] = sum;
    }
    int level = __builtin_ctzll(static_cast<unsigned long long>(count));
    F32x16 total = waiting[level];
    while (count >> ++level != 0) {
      if ((count >> level & 1) != 0) total = waiting[level] + total;
    }
    store(to + i, total, n);
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(add_rank_rows);
