// argmax: rows split over threads; the maximum in sixteen lanes, then the first place that is not below it: the first
// of all where it is NaN.
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {

void argmax(const Invocation& call) {
  const int64_t columns = call.inputs[0].dim(1);
  call.threads.split(call.inputs[0].dim(0), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const float* row = call.inputs[0].as<const float>() + t * columns;
      F32x16 lanes(row[0]);
      for_each_group(0, columns,
                     [&](int64_t v, auto n) { lanes = first_lanes(n, max(lanes, load(row + v, n)), lanes); });
      const float largest = max_of(lanes);
      int64_t place = 0;
      while (row[place] < largest) ++place;
      call.outputs[0].as<int32_t>()[t] = static_cast<int32_t>(place);
    }
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(argmax);
