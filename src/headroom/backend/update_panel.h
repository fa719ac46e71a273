// Panels: a node with the attributes `first` and `elements` works on elements [first, first + elements) of its tensors.
// An operand that has exactly `elements` elements is the panel; one that has more is used from `first` on.
#pragma once

#include <cstdint>

#include "headroom/backend/kernel.h"

namespace headroom {

// Elements that the call works on, of an op whose operands have `whole` elements.
inline int64_t panel_elements(const Invocation& call, int64_t whole) {
  return call.attributes.has("first") ? call.attributes.integer("elements") : whole;
}

// The element of the whole that the call begins with.
inline int64_t first_of_panel(const Invocation& call) {
  return call.attributes.has("first") ? call.attributes.integer("first") : 0;
}

// Where the panel of `operand` begins. Inlined always: kernels of an instruction set share no code with others.
template <class T>
[[gnu::always_inline]] inline T* panel_of(const Invocation& call, const Tensor& operand) {
  T* begin = operand.as<T>();
  if (!call.attributes.has("first") || operand.elements() == call.attributes.integer("elements")) return begin;
  return begin + call.attributes.integer("first");
}

// Where the panel's part of `operand` begins that has a number for each `block` elements.
[[gnu::always_inline]] inline float* blocks_of_panel(const Invocation& call, const Tensor& operand, int64_t block) {
  float* begin = operand.as<float>();
  if (!call.attributes.has("first")) return begin;
  const int64_t own = (call.attributes.integer("elements") + block - 1) / block;
  return operand.elements() == own ? begin : begin + call.attributes.integer("first") / block;
}

}  // namespace headroom
