// What ranks send each other in few bits, and back (ops/compress_blocks.h). Threads split the units.
#include <algorithm>
#include <cstring>

#include "headroom/backend/cpu/compress_codes.h"
#include "headroom/backend/cpu/random_words.h"
#include "headroom/backend/exchange_blocks.h"
#include "headroom/backend/kernel.h"

namespace headroom::HEADROOM_ISA {
namespace {

// Units of a value of so many elements, as floats and as bytes.
struct Units {
  const float* x;
  int64_t elements;
  uint8_t* bytes;
};

// words_of(element, words) gives the words of an element and the 63 behind it.
template <int64_t kBits, class WordsOf>
HEADROOM_INLINE void compress_units(const Units& of, int64_t begin, int64_t end, WordsOf words_of) {
  constexpr int64_t kCodeBytes = exchange_code_bytes(kBits);
  for (int64_t unit = begin; unit < end; ++unit) {
    uint8_t* to = of.bytes + unit * exchange_unit_bytes(kBits);
    for (int64_t block = 0; block < kBlocksOfUnit; ++block) {
      const int64_t first = unit * kExchangeUnit + block * kActivationBlock;
      const int64_t count = std::clamp<int64_t>(of.elements - first, 0, kActivationBlock);
      alignas(64) float padded[kActivationBlock];
      const float* x = of.x + first;
      if (count < kActivationBlock) {
        std::memset(padded, 0, sizeof padded);
        if (count > 0) std::memcpy(padded, x, static_cast<size_t>(count) * sizeof(float));
        x = padded;
      }
      I32x16 words[4];
      const uint16_t scale = compress_block<kBits>(x, kActivationBlock, to + block * kCodeBytes, [&](int64_t i) {
        if (i % kRandomElements == 0) words_of(first + i, words);
        return words[i / kLanes % 4];
      });
      std::memcpy(to + kBlocksOfUnit * kCodeBytes + block * 2, &scale, sizeof scale);
    }
  }
}

template <int64_t kBits>
HEADROOM_INLINE void compress_all(const Invocation& call) {
  const Units of = {call.inputs[0].as<const float>(), call.inputs[0].elements(), call.outputs[0].as<uint8_t>()};
  const int64_t units = exchange_units(of.elements);
  if (call.inputs.size() == 1) {
    return call.threads.split(units, 1, [&](int64_t begin, int64_t end, int) {
      compress_units<kBits>(of, begin, end, [](int64_t, I32x16(&words)[4]) {
        for (I32x16& word : words) word = I32x16(static_cast<int32_t>(0x80000000u));  // a chance of a half: to nearest
      });
    });
  }
  const RandomKey key = random_key_of(call.inputs[1], call.attributes);
  const int64_t first_word = call.attributes.integer("first");
  call.threads.split(units, 1, [&](int64_t begin, int64_t end, int) {
    compress_units<kBits>(of, begin, end,
                          [&](int64_t element, I32x16(&words)[4]) { random_words(key, first_word + element, words); });
  });
}

template <int64_t kBits>
HEADROOM_INLINE void decompress_all(const Invocation& call) {
  constexpr int64_t kCodeBytes = exchange_code_bytes(kBits);
  const Tensor& from = call.inputs[0];
  const int64_t rows = from.type.shape.rank() == 2 ? from.dim(0) : 1;
  const int64_t elements = call.outputs[0].elements() / rows;
  const int64_t units = exchange_units(elements);
  call.threads.split(rows * units, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t at = begin; at < end; ++at) {
      const uint8_t* bytes = from.as<const uint8_t>() + at * exchange_unit_bytes(kBits);
      float* row = call.outputs[0].as<float>() + at / units * elements;
      for (int64_t block = 0; block < kBlocksOfUnit; ++block) {
        const int64_t first = at % units * kExchangeUnit + block * kActivationBlock;
        const int64_t count = std::clamp<int64_t>(elements - first, 0, kActivationBlock);
        if (count == 0) break;
        uint16_t scale = 0;
        std::memcpy(&scale, bytes + kBlocksOfUnit * kCodeBytes + block * 2, sizeof scale);
        alignas(64) Codes codes;
        unpack<kBits>(bytes + block * kCodeBytes, kActivationBlock, codes);
        put_numbers<kBits>(codes, scale, count, row + first);
      }
    }
  });
}

}  // namespace

void compress_blocks(const Invocation& call) {
  call.attributes.integer("bits") == 8 ? compress_all<8>(call) : compress_all<4>(call);
}

void decompress_blocks(const Invocation& call) {
  call.attributes.integer("bits") == 8 ? decompress_all<8>(call) : decompress_all<4>(call);
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(compress_blocks);
HEADROOM_KERNEL(decompress_blocks);
