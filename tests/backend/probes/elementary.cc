// The elementary functions as kernels, one element an element, so that a test can call every instruction set's form.
#if defined(HEADROOM_ISA_reference)
#include "headroom/backend/reference/scalar.h"
#else
#include "headroom/backend/cpu/simd.h"
#endif

namespace headroom::HEADROOM_ISA {
namespace {

template <class Function>
void map(const Invocation& call, Function function) {
  const float* x = call.inputs[0].as<float>();
  float* y = call.outputs[0].as<float>();
  const int64_t count = call.inputs[0].elements();
#if defined(HEADROOM_ISA_reference)
  for (int64_t i = 0; i < count; ++i) y[i] = function(x[i]);
#else
  for (int64_t i = 0; i + 16 <= count; i += 16) store(y + i, function(load(x + i)));
  const int64_t rest = count % 16;
  store(y + count - rest, function(load(x + count - rest, rest)), rest);
#endif
}

}  // namespace

void probe_exp(const Invocation& call) {
  map(call, [](auto x) { return exp(x); });
}
void probe_log(const Invocation& call) {
  map(call, [](auto x) { return log(x); });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(probe_exp);
HEADROOM_KERNEL(probe_log);
