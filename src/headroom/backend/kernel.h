// The door between the executor and the kernels. Kernels allocate nothing, throw nothing, and write only their outputs
// and their scratch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "headroom/base/shape.h"
#include "headroom/base/threads.h"
#include "headroom/graph/attributes.h"

namespace headroom {

// A value in the arena. `data` is aligned to 64 bytes; elements are dense, row-major.
struct Tensor {
  std::byte* data = nullptr;
  Type type;

  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data);
  }
  int64_t dim(int axis) const { return type.shape[axis]; }
  int64_t elements() const { return type.shape.elements(); }
};

struct Invocation {
  std::span<const Tensor> inputs;
  std::span<const Tensor> outputs;
  const Attributes& attributes;
  std::span<std::byte> scratch;  // aligned to 64 bytes, as long as the op's entry says
  Threads& threads;
};

using Kernel = void (*)(const Invocation&);

struct KernelEntry {
  std::string_view op;
  Kernel run = nullptr;
  // Bytes of scratch, exact; null: none. Of the CPU, the reference's entry speaks for every instruction set, since
  // plans are the same on all of them.
  int64_t (*scratch_bytes)(const TypedNode& node, int threads) = nullptr;
};

}  // namespace headroom

// In a kernel's source file, at global scope, after the kernel's definition; behind it the function that says its
// scratch, if it takes any. The files of backend/cpu are compiled once for each instruction set: the build sets
// HEADROOM_ISA (reference, avx2, ...), which also names their namespace, headroom::HEADROOM_ISA. The entry is constant
// data: no code of another instruction set runs before dispatch.
#define HEADROOM_STRINGIFY_(text) #text
#define HEADROOM_STRINGIFY(text) HEADROOM_STRINGIFY_(text)
#define HEADROOM_KERNEL(op_name, ...)                                                                    \
  static constexpr headroom::KernelEntry op_name##_kernel_entry{                                         \
      #op_name, &headroom::HEADROOM_ISA::op_name __VA_OPT__(, &headroom::HEADROOM_ISA::__VA_ARGS__)};    \
  [[gnu::used, gnu::section("headroom_kernels_" HEADROOM_STRINGIFY(                                      \
                   HEADROOM_ISA))]] static const headroom::KernelEntry* const op_name##_kernel_pointer = \
      &op_name##_kernel_entry
