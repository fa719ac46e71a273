// Activations in fewer bits, and back (ops/compress.h). Threads split the rows.
#include <algorithm>

#include "headroom/backend/cpu/compress_codes.h"
#include "headroom/backend/cpu/random_words.h"
#include "headroom/backend/cpu/streams.h"

namespace headroom::HEADROOM_ISA {
namespace {

template <int64_t kBits>
HEADROOM_INLINE void compress_rows(const Invocation& call, int64_t begin, int64_t end) {
  const int64_t features = call.inputs[0].dim(1);
  const RandomKey key = random_key_of(call.inputs[1], call.attributes);
  const int64_t first_row = *call.inputs[2].as<const int32_t>();
  for (int64_t row = begin; row < end; ++row) {
    const float* x = call.inputs[0].as<const float>() + row * features;
    uint8_t* to = call.outputs[0].as<uint8_t>() + row * activation_row_bytes(features, kBits);
    uint16_t* scales = call.outputs[1].as<uint16_t>() + row * activation_blocks(features);
    for (int64_t first = 0; first < features; first += kActivationBlock) {
      const int64_t count = std::min(kActivationBlock, features - first);
      const int64_t element = (first_row + row) * activation_row_pitch(features) + first;
      I32x16 words[4];
      *scales++ = compress_block<kBits>(x + first, count, to + first * kBits / 8, [&](int64_t i) {
        if (i % kRandomElements == 0) random_words(key, element + i, words);
        return words[i / kLanes % 4];
      });
    }
  }
}

template <int64_t kBits, class Place>
HEADROOM_INLINE void decompress_rows(const Invocation& call, int64_t begin, int64_t end, Place place) {
  const int64_t features = call.outputs[0].dim(1);
  for (int64_t row = begin; row < end; ++row) {
    const uint8_t* from = call.inputs[0].as<const uint8_t>() + row * activation_row_bytes(features, kBits);
    const uint16_t* scales = call.inputs[1].as<const uint16_t>() + row * activation_blocks(features);
    const auto y = place(call.outputs[0]) + row * features;
    for (int64_t first = 0; first < features; first += kActivationBlock) {
      const int64_t count = std::min(kActivationBlock, features - first);
      alignas(64) Codes codes = {};
      unpack<kBits>(from + first * kBits / 8, count, codes);
      put_numbers<kBits>(codes, *scales++, count, y + first);
    }
  }
}

HEADROOM_INLINE void round_to_bf16(const Invocation& call) {
  const float* x = call.inputs[0].as<const float>();
  Bf16* y = call.outputs[0].as<Bf16>();
  split_elements(call.threads, call.inputs[0].elements(), [=](int64_t i, auto n) {
    const F32x16 a = load(x + i, n);
    const I32x16 bits = bits_of(a);
    const I32x16 upper = shift_right_logical<16>(bits);
    const I32x16 rounded = shift_right_logical<16>(bits + I32x16(0x7fff) + (upper & I32x16(1)));
    const I32x16 halves = bits_of(select(is_nan(a), from_bits(upper | I32x16(0x0040)), from_bits(rounded)));
    if constexpr (std::is_same_v<decltype(n), Whole>) {
      store_halves(y + i, halves);
    } else {
      store_halves(y + i, halves, n);
    }
  });
}

}  // namespace

void compress(const Invocation& call) {
  const int64_t bits = call.attributes.integer("bits");
  if (bits == 16) return round_to_bf16(call);
  call.threads.split(call.inputs[0].dim(0), 1, [&](int64_t begin, int64_t end, int) {
    if (bits == 8) {
      compress_rows<8>(call, begin, end);
    } else {
      compress_rows<4>(call, begin, end);
    }
  });
}

void decompress(const Invocation& call) {
  const int64_t bits = call.attributes.integer("bits");
  if (bits == 16) {
    const Bf16* x = call.inputs[0].as<const Bf16>();
    return split_output_elements(call, [&](int64_t begin, int64_t end, auto place) {
      const auto y = place(call.outputs[0]);
      for_each_group(begin, end, [&](int64_t i, auto n) { store(y + i, load(x + i, n), n); });
    });
  }
  split_rows(call, [&](int64_t begin, int64_t end, auto place) {
    if (bits == 8) {
      decompress_rows<8>(call, begin, end, place);
    } else {
      decompress_rows<4>(call, begin, end, place);
    }
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(compress);
HEADROOM_KERNEL(decompress);
