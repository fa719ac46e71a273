// Zeros in place (ops/zero.h).
#include <cstring>

#include "headroom/backend/kernel.h"

namespace headroom::reference {

void zero(const Invocation& call) {
  std::memset(call.outputs[0].data, 0, static_cast<size_t>(call.outputs[0].type.bytes()));
}

}  // namespace headroom::reference

HEADROOM_KERNEL(zero);
