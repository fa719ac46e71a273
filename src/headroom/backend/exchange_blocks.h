// How numbers cross the wire in few bits: by units of 1,024 elements, the blocks that ranks' parts are made of, each 8
// blocks of 128 with codes and scales as activations have them (activation_blocks.h). A value of n elements is whole
// units; elements beyond n are 0.
//
//   | codes of 1,024 elements, 8 or 4 bits each | 8 scales, bf16 |      1,040 or 528 bytes
#pragma once

#include <cstdint>

#include "headroom/backend/activation_blocks.h"

namespace headroom {

inline constexpr int64_t kExchangeUnit = 1024;
inline constexpr int64_t kBlocksOfUnit = kExchangeUnit / kActivationBlock;

inline constexpr int64_t exchange_units(int64_t elements) { return (elements + kExchangeUnit - 1) / kExchangeUnit; }
inline constexpr int64_t exchange_code_bytes(int64_t bits) { return kActivationBlock * bits / 8; }  // of a block
inline constexpr int64_t exchange_unit_bytes(int64_t bits) {
  return kBlocksOfUnit * (exchange_code_bytes(bits) + static_cast<int64_t>(sizeof(uint16_t)));
}

}  // namespace headroom
