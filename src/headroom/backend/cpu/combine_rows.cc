// What becomes of the rows of experts (ops/expert_rows.h). Threads split the tokens, and the features of each.
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {
namespace {

constexpr int64_t kPieceFeatures = 512;  // of a token, that one thread adds up

}  // namespace

void combine_rows(const Invocation& call) {
  const int32_t* places = call.inputs[1].as<const int32_t>();
  const int64_t tokens = call.inputs[1].dim(0), chosen = call.inputs[1].dim(1), features = call.inputs[0].dim(1);
  const float* weights = call.inputs.size() > 2 ? call.inputs[2].as<const float>() : nullptr;
  const int64_t pieces = (features + kPieceFeatures - 1) / kPieceFeatures;
  with_elements(call.inputs[0], [&]<class Element>(const Element* y) {
    call.threads.split(tokens * pieces, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t piece = begin; piece < end; ++piece) {
        const int64_t t = piece / pieces, first = piece % pieces * kPieceFeatures;
        for_each_group(first, std::min(first + kPieceFeatures, features), [&](int64_t f, auto n) {
          F32x16 sum(0.0f);
          for (int64_t pair = t * chosen; pair < (t + 1) * chosen; ++pair) {
            const F32x16 one = load(y + places[pair] * features + f, n);
            sum = weights == nullptr ? sum + one : fma(F32x16(weights[pair]), one, sum);
          }
          store(call.outputs[0].as<Element>() + t * features + f, sum, n);
        });
      }
    });
  });
}

void combine_rows_backward(const Invocation& call) {
  const int32_t* places = call.inputs[1].as<const int32_t>();
  const float* weights = call.inputs[2].as<const float>();
  const int64_t chosen = call.inputs[1].dim(1), features = call.inputs[0].dim(1);
  with_elements(call.inputs[0], [&]<class Element>(const Element* y) {
    call.threads.split(call.inputs[1].elements(), 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t pair = begin; pair < end; ++pair) {
        const int64_t row = places[pair] * features;
        const Element* dout = call.inputs[3].as<const Element>() + pair / chosen * features;
        Element* dy = call.outputs[0].as<Element>() + row;
        const F32x16 weight(weights[pair]);
        F32x16 lanes(0.0f);
        for_each_group(0, features, [&](int64_t f, auto n) {
          const F32x16 gradient = load(dout + f, n);
          lanes = first_lanes(n, fma(gradient, load(y + row + f, n), lanes), lanes);
          store(dy + f, weight * gradient, n);
        });
        call.outputs[1].as<float>()[pair] = sum(lanes);
      }
    });
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(combine_rows);
HEADROOM_KERNEL(combine_rows_backward);
