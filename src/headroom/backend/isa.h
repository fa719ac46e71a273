// The instruction sets of the CPU backend, and its kernels on each of them.
#pragma once

#include "headroom/backend/backend.h"

namespace headroom {

// avx512_bf16 has kernels of its own only where its dot products are used, and otherwise those of avx512.
enum class Isa : uint8_t { reference, avx2, avx512, avx512_bf16 };
std::string_view name_of(Isa isa);
// Whether this processor runs it. `reference` runs everywhere.
bool is_supported(Isa isa);
// The fastest supported path, or the one HEADROOM_ISA forces; throws InvalidInput when that is unknown or unsupported.
Isa choose_isa();

// The kernel of `op` on `isa`, or null.
Kernel find_kernel(Isa isa, std::string_view op);

// The CPU on that instruction set, whatever this processor runs.
const Backend& cpu_backend(Isa isa);
// Of a CPU backend; throws InternalError for another one.
Isa isa_of(const Backend& backend);

}  // namespace headroom
