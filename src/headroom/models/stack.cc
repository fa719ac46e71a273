#include "headroom/models/stack.h"

namespace headroom {

bool is_stack(const Binding& binding, const Shape& shape) {
  const std::vector<Slice>& slices = binding.slices;
  if (slices.size() < 2 || shape.rank() < 2 || shape[0] != static_cast<int64_t>(slices.size())) return false;
  const int64_t elements = slices[0].shape.elements();
  int64_t first = 0;
  for (const Slice& slice : slices) {
    const Run from = run_from(slice.from, slice.shape, 0), to = run_from(slice.to, shape, 0);
    if (slice.shape != slices[0].shape || from.first != 0 || from.count != elements || to.first != first ||
        to.count != elements) {
      return false;
    }
    first += elements;
  }
  return true;
}

}  // namespace headroom
