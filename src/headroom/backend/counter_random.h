// Random words for kernels: Philox4x32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3"), keyed by
// (seed, step, site) and counted by the element, so that a word depends neither on threads nor on how a step was cut.
// Templates over the integer: one lane (reference/random_word.h) and sixteen (cpu/random_words.h) instantiate the same
// text. An integer type has +, ^ and multiply_wide, the 64-bit products of unsigned lanes as {low, high}.
//
// Element e takes word (e / 16) mod 4 of the block that (e / 64) * 16 + e mod 16 counts: one block of Philox, lane by
// lane, makes the words of 64 elements in a row as four groups of sixteen. Elements below 2^52, steps below 2^48.
#pragma once

#include <cstdint>

#include "headroom/backend/kernel.h"

namespace headroom {

// What the words of a node depend on beside the element.
struct RandomKey {
  uint64_t seed = 0;
  uint64_t step = 0;  // of the update, from 1
  uint32_t site = 0;  // which node: its attribute "site" (ops/random_key.h)
};

// Of a node that reads the graph input "random_key" and has the attribute "site".
[[gnu::always_inline]] inline RandomKey random_key_of(const Tensor& random_key, const Attributes& attributes) {
  const uint32_t* words = random_key.as<const uint32_t>();
  return {words[0] | static_cast<uint64_t>(words[1]) << 32, words[2] | static_cast<uint64_t>(words[3]) << 32,
          static_cast<uint32_t>(attributes.integer("site"))};
}

// Ten rounds: words[0..3] are the counter before and the random words after.
template <class Int>
[[gnu::always_inline]] inline void philox(Int (&words)[4], uint32_t key0, uint32_t key1) {
  const auto constant = [](uint32_t bits) { return Int(static_cast<int32_t>(bits)); };
  const Int multiplier0 = constant(0xD2511F53u);
  const Int multiplier1 = constant(0xCD9E8D57u);
#pragma GCC unroll 10
  for (uint32_t round = 0; round < 10; ++round) {
    const auto product0 = multiply_wide(words[0], multiplier0);
    const auto product1 = multiply_wide(words[2], multiplier1);
    words[0] = product1.high ^ words[1] ^ constant(key0 + round * 0x9E3779B9u);
    words[1] = product1.low;
    words[2] = product0.high ^ words[3] ^ constant(key1 + round * 0xBB67AE85u);
    words[3] = product0.low;
  }
}

// The words of elements [first, first + 64), `first` a multiple of 64, in the lanes that `lanes` numbers (0 to 15):
// words[i] is that of element first + 16 i + lane.
template <class Int>
[[gnu::always_inline]] inline void philox_words(const RandomKey& key, int64_t first, Int lanes, Int (&words)[4]) {
  const uint64_t block = static_cast<uint64_t>(first) / 4;
  words[0] = Int(static_cast<int32_t>(static_cast<uint32_t>(block))) + lanes;
  words[1] = Int(static_cast<int32_t>(static_cast<uint32_t>(block >> 32 | key.step >> 32 << 16)));
  words[2] = Int(static_cast<int32_t>(key.site));
  words[3] = Int(static_cast<int32_t>(static_cast<uint32_t>(key.step)));
  philox(words, static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32));
}

}  // namespace headroom
