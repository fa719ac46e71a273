// A rank's part of a whole (ops/take_part.h).
#include <cstring>

#include "headroom/backend/kernel.h"

namespace headroom::reference {

void take_part(const Invocation& call) {
  const int64_t element_bytes = size_of(call.inputs[0].type.dtype);
  const int64_t held = call.attributes.integer("elements") * element_bytes;
  const std::byte* from = call.inputs[0].data + call.attributes.integer("first") * element_bytes;
  std::byte* to = call.outputs[0].data;
  std::memcpy(to, from, static_cast<size_t>(held));
  std::memset(to + held, 0, static_cast<size_t>(call.outputs[0].type.bytes() - held));
}

}  // namespace headroom::reference

HEADROOM_KERNEL(take_part);
