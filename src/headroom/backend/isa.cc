#include "headroom/backend/isa.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "headroom/backend/dot_product_rate.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr std::array<std::string_view, kIsas.size()> kNames = {"reference",   "avx2",        "avx2_vnni", "avx512",
                                                               "avx512_bf16", "avx512_vnni", "avx512_amx"};

enum class Register : uint8_t { eax, ebx, ecx, edx };

// A bit of a leaf of cpuid; clang 14 does not know all of these names in __builtin_cpu_supports.
bool has_bit(unsigned leaf, unsigned subleaf, Register in, int bit) {
  std::array<unsigned, 4> registers = {};
  if (__get_cpuid_count(leaf, subleaf, &registers[0], &registers[1], &registers[2], &registers[3]) == 0) return false;
  return (registers[static_cast<size_t>(in)] >> bit & 1) != 0;
}

bool has_f16c() { return has_bit(1, 0, Register::ecx, 29); }
bool has_avx_vnni() { return has_bit(7, 1, Register::eax, 4); }

// Tiles are state that a process must ask the kernel for (arch_prctl, Linux 5.16).
bool may_use_tiles() {
  constexpr long kRequestPermission = 0x1023;
  constexpr long kTileData = 18;
  constexpr int kTile = 24, kInt8 = 25;
  if (!has_bit(7, 0, Register::edx, kTile) || !has_bit(7, 0, Register::edx, kInt8)) return false;
  static const bool is_permitted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return is_permitted;
}

// What default choices take, best first.
std::vector<Isa> fastest() {
  static const bool multiplies_pairs = is_supported(Isa::avx512_bf16) && dot_product_rate() > 1;
  for (const Isa base : {Isa::avx512, Isa::avx2}) {
    if (!is_supported(base)) continue;
    std::vector<Isa> isas;
    for (const Isa isa : {Isa::avx512_amx, Isa::avx512_vnni, Isa::avx512_bf16, Isa::avx2_vnni}) {
      if (base_of(isa) == base && is_supported(isa) && (isa != Isa::avx512_bf16 || multiplies_pairs)) {
        isas.push_back(isa);
      }
    }
    isas.push_back(base);
    return isas;
  }
  return {Isa::reference};
}

std::string names(bool (*includes)(Isa)) {
  std::string text;
  for (const Isa isa : kIsas) {
    if (includes(isa)) text += fmt::format("{}{}", text.empty() ? "" : ", ", name_of(isa));
  }
  return text;
}

}  // namespace

std::string_view name_of(Isa isa) { return kNames[static_cast<size_t>(isa)]; }

Isa base_of(Isa isa) {
  switch (isa) {
    case Isa::avx2_vnni: return Isa::avx2;
    case Isa::avx512_bf16:
    case Isa::avx512_vnni:
    case Isa::avx512_amx: return Isa::avx512;
    default: return isa;
  }
}

bool is_supported(Isa isa) {
  switch (isa) {
    case Isa::reference: return true;
    case Isa::avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    case Isa::avx2_vnni: return is_supported(Isa::avx2) && has_avx_vnni();
    case Isa::avx512:
      return is_supported(Isa::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case Isa::avx512_bf16: return is_supported(Isa::avx512) && __builtin_cpu_supports("avx512bf16");
    case Isa::avx512_vnni: return is_supported(Isa::avx512) && __builtin_cpu_supports("avx512vnni");
    case Isa::avx512_amx: return is_supported(Isa::avx512_vnni) && may_use_tiles();
  }
  return false;
}

std::vector<Isa> choose_isas() {
  const char* forced = std::getenv("HEADROOM_ISA");
  if (forced == nullptr || *forced == '\0') return fastest();
  const auto name = std::find(kNames.begin(), kNames.end(), forced);
  if (name == kNames.end()) {
    throw InvalidInput("HEADROOM_ISA={}: unknown instruction set; expected one of {}", forced,
                       names([](Isa) { return true; }));
  }
  const Isa isa = kIsas[static_cast<size_t>(name - kNames.begin())];
  if (!is_supported(isa)) {
    throw InvalidInput("HEADROOM_ISA={}: this processor does not have it; expected one of {}", forced,
                       names(is_supported));
  }
  if (base_of(isa) == isa) return {isa};
  return {isa, base_of(isa)};
}

}  // namespace headroom
