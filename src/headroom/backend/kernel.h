// The door between the executor and the kernels: a table from (instruction set, op) to a function. Kernels allocate
// nothing, throw nothing, and write only their outputs and their scratch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "headroom/base/shape.h"
#include "headroom/base/threads.h"
#include "headroom/graph/graph.h"

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
  std::span<std::byte> scratch;  // aligned to 64 bytes, Op::scratch_bytes(threads.count()) long
  Threads& threads;
};

using Kernel = void (*)(const Invocation&);

// avx512_bf16 has kernels of its own only where its dot products are used, and otherwise those of avx512.
enum class Isa : uint8_t { reference, avx2, avx512, avx512_bf16 };
std::string_view name_of(Isa isa);
// Whether this processor runs it. `reference` runs everywhere.
bool is_supported(Isa isa);
// The best supported path, or the one HEADROOM_ISA forces; throws InvalidInput when that is unknown or unsupported.
Isa choose_isa();

// The kernel of `op` on `isa`, or null.
Kernel find_kernel(Isa isa, std::string_view op);

struct KernelEntry {
  std::string_view op;
  Kernel kernel;
};

}  // namespace headroom

// In a kernel's source file, at global scope, after the kernel's definition. The files of backend/cpu are compiled once
// for each instruction set: the build sets HEADROOM_ISA (reference, avx2, ...), which also names their namespace,
// headroom::HEADROOM_ISA. The entry is constant data: no code of another instruction set runs before dispatch.
#define HEADROOM_STRINGIFY_(text) #text
#define HEADROOM_STRINGIFY(text) HEADROOM_STRINGIFY_(text)
#define HEADROOM_KERNEL(op_name)                                                                             \
  static constexpr headroom::KernelEntry op_name##_kernel_entry{#op_name, &headroom::HEADROOM_ISA::op_name}; \
  [[gnu::used, gnu::section("headroom_kernels_" HEADROOM_STRINGIFY(                                          \
                   HEADROOM_ISA))]] static const headroom::KernelEntry* const op_name##_kernel_pointer =     \
      &op_name##_kernel_entry
