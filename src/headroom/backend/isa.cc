#include "headroom/backend/isa.h"

#include <cpuid.h>

#include <array>
#include <cstdlib>

#include "headroom/backend/dot_product_rate.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"reference", "avx2", "avx512", "avx512_bf16"};

// Bit 29 of leaf 1; clang 14 does not know the name in __builtin_cpu_supports.
bool has_f16c() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

}  // namespace

std::string_view name_of(Isa isa) { return kNames[static_cast<size_t>(isa)]; }

bool is_supported(Isa isa) {
  if (isa == Isa::reference) return true;
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  if (isa == Isa::avx2) return avx2;
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return isa == Isa::avx512 ? avx512 : avx512 && __builtin_cpu_supports("avx512bf16");
}

Isa choose_isa() {
  const char* forced = std::getenv("HEADROOM_ISA");
  if (forced == nullptr || *forced == '\0') {
    static const bool multiplies_pairs = is_supported(Isa::avx512_bf16) && dot_product_rate() > 1;
    if (multiplies_pairs) return Isa::avx512_bf16;
    if (is_supported(Isa::avx512)) return Isa::avx512;
    return is_supported(Isa::avx2) ? Isa::avx2 : Isa::reference;
  }
  for (size_t index = 0; index < kNames.size(); ++index) {
    if (kNames[index] != forced) continue;
    const Isa isa = static_cast<Isa>(index);
    if (!is_supported(isa))
      throw InvalidInput("HEADROOM_ISA={}: this processor does not have it; expected reference{}", forced,
                         is_supported(Isa::avx2) ? " or avx2" : "");
    return isa;
  }
  throw InvalidInput("HEADROOM_ISA={}: unknown instruction set; expected reference, avx2, avx512 or avx512_bf16",
                     forced);
}

}  // namespace headroom
