// The first place of each row's maximum. A maximum that is NaN is smaller than nothing, so the first place is taken.
#include "headroom/backend/reference/scalar.h"

namespace headroom::reference {

void argmax(const Invocation& call) {
  const int64_t columns = call.inputs[0].dim(1);
  call.threads.split(call.inputs[0].dim(0), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const float* row = call.inputs[0].as<const float>() + t * columns;
      float largest = row[0];
      for (int64_t v = 1; v < columns; ++v) largest = max(largest, row[v]);
      int64_t place = 0;
      while (row[place] < largest) ++place;
      call.outputs[0].as<int32_t>()[t] = static_cast<int32_t>(place);
    }
  });
}

}  // namespace headroom::reference

HEADROOM_KERNEL(argmax);
