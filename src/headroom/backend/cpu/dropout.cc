// Dropout (ops/dropout.h), 64 elements of the batch at a time: those that one block of random words covers.
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/cpu/random_words.h"
#include "headroom/backend/dropout_mask.h"

namespace headroom::HEADROOM_ISA {
namespace {

struct Mask {
  I32x16 threshold;
  F32x16 factor;

  HEADROOM_INLINE F32x16 apply(F32x16 x, I32x16 word) const {
    const I32x16 left_out = shift_right<31>((word & I32x16(INT32_MAX)) - threshold);  // all bits where it is
    return from_bits(bits_of(x * factor) & (left_out ^ I32x16(-1)));
  }
};

}  // namespace

void dropout(const Invocation& call) {
  const Tensor& x = call.inputs[0];
  const float* from = x.as<const float>();
  float* to = call.outputs[0].as<float>();
  const RandomKey key = random_key_of(call.inputs[1], call.attributes);
  const int64_t first = call.inputs[2].as<const int32_t>()[0] * x.dim(1);
  const int64_t skew = first % kRandomElements;  // of element 0 in its block
  const int64_t count = x.elements();
  const Mask mask{I32x16(dropout_threshold(call.attributes)),
                  F32x16(static_cast<float>(call.attributes.real("factor")))};
  const int64_t blocks = count == 0 ? 0 : (skew + count - 1) / kRandomElements + 1;
  call.threads.split(blocks, kElementGrain / kRandomElements, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; ++block) {
      I32x16 words[4];
      random_words(key, first - skew + block * kRandomElements, words);
#pragma GCC unroll 4
      for (int part = 0; part < 4; ++part) {
        const int64_t i = block * kRandomElements + part * kLanes - skew;
        if (i >= 0 && i + kLanes <= count) {
          store(to + i, mask.apply(load(from + i), words[part]));
        } else if (i < count && i + kLanes > 0) {  // a group at an end, of which some lanes are elements
          alignas(64) float lanes[kLanes] = {};
          const int64_t low = i < 0 ? -i : 0;
          const int64_t high = count - i < kLanes ? count - i : kLanes;
          for (int64_t lane = low; lane < high; ++lane) lanes[lane] = from[i + lane];
          store(lanes, mask.apply(load(lanes), words[part]));
          for (int64_t lane = low; lane < high; ++lane) to[i + lane] = lanes[lane];
        }
      }
    }
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(dropout);
