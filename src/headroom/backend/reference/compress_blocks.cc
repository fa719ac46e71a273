// What ranks send each other in few bits, and back (ops/compress_blocks.h).
#include <algorithm>
#include <cstring>

#include "headroom/backend/exchange_blocks.h"
#include "headroom/backend/kernel.h"
#include "headroom/backend/reference/random_word.h"
#include "headroom/backend/stochastic_rounding.h"

namespace headroom::reference {
namespace {

// Block b of the value: where its codes are, and its scale.
struct BlockPlace {
  BlockPlace(int64_t block, int64_t bits) {
    const int64_t unit = block / kBlocksOfUnit * exchange_unit_bytes(bits);
    codes = unit + block % kBlocksOfUnit * exchange_code_bytes(bits);
    scale = unit + kBlocksOfUnit * exchange_code_bytes(bits) + block % kBlocksOfUnit * 2;
  }
  int64_t codes, scale;
};

}  // namespace

void compress_blocks(const Invocation& call) {
  const float* x = call.inputs[0].as<const float>();
  const int64_t elements = call.inputs[0].elements();
  const int64_t bits = call.attributes.integer("bits");
  const bool is_random = call.inputs.size() == 2;
  const RandomKey key = is_random ? random_key_of(call.inputs[1], call.attributes) : RandomKey{};
  const int64_t first_word = is_random ? call.attributes.integer("first") : 0;
  const int32_t codes = activation_codes(bits);
  auto* bytes = call.outputs[0].as<uint8_t>();
  for (int64_t block = 0; block < exchange_units(elements) * kBlocksOfUnit; ++block) {
    const int64_t first = block * kActivationBlock;
    const auto at = [&](int64_t i) { return first + i < elements ? x[first + i] : 0.0f; };
    float largest = 0;
    for (int64_t i = 0; i < kActivationBlock; ++i) largest = max(largest, std::fabs(at(i)));
    const BlockPlace place(block, bits);
    const uint16_t scale = activation_scale(largest, codes);
    std::memcpy(bytes + place.scale, &scale, sizeof scale);
    const float inverse = activation_inverse(activation_scale_value(scale));
    const float zero = static_cast<float>(codes);
    for (int64_t i = 0; i < kActivationBlock; ++i) {
      const float y = std::fma(at(i), inverse, zero);
      const F32 within = y != y ? zero : std::clamp(y, 0.0f, 2 * zero);
      const I32 half = static_cast<int32_t>(0x80000000u);
      const I32 word = is_random ? random_word(key, first_word + first + i) : half;
      const int32_t code = round_to_integer_stochastically(within, word).v;
      const int64_t packed = kActivationBlock * bits / 8;
      uint8_t& to = bytes[place.codes + i % packed];
      to = static_cast<uint8_t>(i < packed ? code : to | code << 4);
    }
  }
}

void decompress_blocks(const Invocation& call) {
  const Tensor& from = call.inputs[0];
  const int64_t rows = from.type.shape.rank() == 2 ? from.dim(0) : 1;
  const int64_t elements = call.outputs[0].elements() / rows;
  const int64_t row_bytes = from.elements() / rows;
  const int64_t bits = call.attributes.integer("bits");
  const int64_t packed = kActivationBlock * bits / 8;
  for (int64_t i = 0; i < rows * elements; ++i) {
    const uint8_t* row = from.as<const uint8_t>() + i / elements * row_bytes;
    const int64_t element = i % elements;
    const BlockPlace place(element / kActivationBlock, bits);
    const int64_t in_block = element % kActivationBlock;
    const uint8_t byte = row[place.codes + in_block % packed];
    const int32_t code = bits == 8 ? byte : in_block < packed ? byte & 15 : byte >> 4;
    uint16_t scale = 0;
    std::memcpy(&scale, row + place.scale, sizeof scale);
    call.outputs[0].as<float>()[i] = static_cast<float>(code - activation_codes(bits)) * activation_scale_value(scale);
  }
}

}  // namespace headroom::reference

HEADROOM_KERNEL(compress_blocks);
HEADROOM_KERNEL(decompress_blocks);
