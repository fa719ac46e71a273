// Activations in fewer bits, and back (ops/compress.h).
#include <algorithm>

#include "headroom/backend/activation_blocks.h"
#include "headroom/backend/kernel.h"
#include "headroom/backend/reference/random_word.h"
#include "headroom/backend/stochastic_rounding.h"

namespace headroom::reference {
namespace {

// Where block b of row t of [T, features] lies, and what it has.
struct Block {
  Block(int64_t features, int64_t row, int64_t block, int64_t bits)
      : first(block * kActivationBlock),
        count(std::min(kActivationBlock, features - first)),
        half((count + 1) / 2),
        bytes(row * activation_row_bytes(features, bits) + first * bits / 8),
        scale(row * activation_blocks(features) + block) {}
  int64_t first, count, half;
  int64_t bytes;  // of its codes
  int64_t scale;
};

template <class Body>
void for_each_block(int64_t rows, int64_t features, int64_t bits, Body body) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t block = 0; block < activation_blocks(features); ++block) body(row, Block(features, row, block, bits));
  }
}

}  // namespace

void compress(const Invocation& call) {
  const float* x = call.inputs[0].as<const float>();
  const int64_t rows = call.inputs[0].dim(0);
  const int64_t features = call.inputs[0].dim(1);
  const int64_t bits = call.attributes.integer("bits");
  if (bits == 16) {
    for (int64_t i = 0; i < rows * features; ++i) call.outputs[0].as<uint16_t>()[i] = f32_to_bf16(x[i]);
    return;
  }
  const RandomKey key = random_key_of(call.inputs[1], call.attributes);
  const int64_t first_row = *call.inputs[2].as<const int32_t>();
  const int32_t codes = activation_codes(bits);
  for_each_block(rows, features, bits, [&](int64_t row, const Block& block) {
    const float* from = x + row * features + block.first;
    float largest = 0;
    for (int64_t i = 0; i < block.count; ++i) largest = max(largest, std::fabs(from[i]));
    const uint16_t scale = activation_scale(largest, codes);
    call.outputs[1].as<uint16_t>()[block.scale] = scale;
    const float inverse = activation_inverse(activation_scale_value(scale));
    uint8_t* to = call.outputs[0].as<uint8_t>() + block.bytes;
    for (int64_t i = 0; i < block.count; ++i) {
      const float zero = static_cast<float>(codes);
      const float y = std::fma(from[i], inverse, zero);
      const F32 within = y != y ? zero : std::clamp(y, 0.0f, 2 * zero);
      const int64_t element = (first_row + row) * activation_row_pitch(features) + block.first + i;
      const int32_t code = round_to_integer_stochastically(within, random_word(key, element)).v;
      if (bits == 8) {
        to[i] = static_cast<uint8_t>(code);
      } else if (i < block.half) {
        to[i] = static_cast<uint8_t>(code);
      } else {
        to[i - block.half] = static_cast<uint8_t>(to[i - block.half] | code << 4);
      }
    }
  });
}

void decompress(const Invocation& call) {
  float* y = call.outputs[0].as<float>();
  const int64_t rows = call.outputs[0].dim(0);
  const int64_t features = call.outputs[0].dim(1);
  const int64_t bits = call.attributes.integer("bits");
  if (bits == 16) {
    for (int64_t i = 0; i < rows * features; ++i) y[i] = bf16_to_f32(call.inputs[0].as<const uint16_t>()[i]);
    return;
  }
  const int32_t codes = activation_codes(bits);
  for_each_block(rows, features, bits, [&](int64_t row, const Block& block) {
    const uint8_t* from = call.inputs[0].as<const uint8_t>() + block.bytes;
    const float scale = activation_scale_value(call.inputs[1].as<const uint16_t>()[block.scale]);
    for (int64_t i = 0; i < block.count; ++i) {
      const int32_t code = bits == 8 ? from[i] : i < block.half ? from[i] & 15 : from[i - block.half] >> 4;
      y[row * features + block.first + i] = static_cast<float>(code - codes) * scale;
    }
  });
}

}  // namespace headroom::reference

HEADROOM_KERNEL(compress);
HEADROOM_KERNEL(decompress);
