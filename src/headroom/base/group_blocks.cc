#include "headroom/base/group_blocks.h"

#include <array>
#include <cstring>

namespace headroom {

DType arranged_format(DType blocks) {
  if (is_scalar(blocks)) return blocks;
  const std::string_view name = block_format(blocks).name();
  if (name == "q8_0") return find_grouped(8, false, kGroupBlockElements)->dtype();
  if (name == "q4_0") return find_grouped(4, false, kGroupBlockElements)->dtype();
  return blocks;
}

void put_block(const GroupedFormat& format, const GroupedLayout& layout, int64_t first, const std::byte* block,
               std::byte* out) {
  uint16_t scale_bits;
  std::memcpy(&scale_bits, block, sizeof scale_bits);
  const auto* stored = reinterpret_cast<const uint8_t*>(block) + sizeof scale_bits;
  const int zero = 1 << (format.bits() - 1);
  std::array<uint8_t, kGroupBlockElements> codes;
  if (format.bits() == 8) {
    for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(static_cast<int8_t>(stored[i]) + zero);
  } else {
    for (size_t j = 0; j < codes.size() / 2; ++j) {
      codes[j] = stored[j] & 15;
      codes[j + codes.size() / 2] = stored[j] >> 4;
    }
  }
  format.put_group(layout, first, codes, scale_bits, static_cast<uint8_t>(zero), out);
}

}  // namespace headroom
