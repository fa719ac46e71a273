// The instruction sets of the CPU backend, and its kernels on each of them.
#pragma once

#include <array>
#include <vector>

#include "headroom/backend/backend.h"

namespace headroom {

// Those with a name behind an underscore extend the one before it: they have kernels of their own only for what their
// instructions do, and otherwise those of the set that they extend.
enum class Isa : uint8_t { reference, avx2, avx2_vnni, avx512, avx512_bf16, avx512_vnni, avx512_amx };
inline constexpr std::array kIsas = {Isa::reference,   Isa::avx2,        Isa::avx2_vnni, Isa::avx512,
                                     Isa::avx512_bf16, Isa::avx512_vnni, Isa::avx512_amx};
std::string_view name_of(Isa isa);
// The set that it extends, or itself.
Isa base_of(Isa isa);
// Whether this processor runs it. `reference` runs everywhere.
bool is_supported(Isa isa);

// The fastest of what is supported: a set, after the extensions of it whose kernels are preferred, best first. Or what
// HEADROOM_ISA forces: one set, after the extension that it names. Throws InvalidInput when that is unknown or
// unsupported.
std::vector<Isa> choose_isas();

// The kernel of `op` on `isa`, or null.
Kernel find_kernel(Isa isa, std::string_view op);

// The CPU on that instruction set, whatever this processor runs.
const Backend& cpu_backend(Isa isa);
// The set that a CPU backend's kernels are of, where no extension has them; throws InternalError for another backend.
Isa isa_of(const Backend& backend);
// Whether kernels of the extension run on it.
bool uses(const Backend& backend, Isa extension);

}  // namespace headroom
