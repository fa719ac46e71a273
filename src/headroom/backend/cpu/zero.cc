// Zeros in place (ops/zero.h).
#include <cstring>

#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {

void zero(const Invocation& call) {
  std::byte* data = call.outputs[0].data;
  call.threads.split(call.outputs[0].type.bytes(), 4096, [=](int64_t begin, int64_t end, int) {
    std::memset(data + begin, 0, static_cast<size_t>(end - begin));
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(zero);
