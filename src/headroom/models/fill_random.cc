// A counter a 64-bit word (SplitMix64: Steele, Lea, Flood 2014), two words an element. Written once in plain C++ and,
// because nothing but this limits `headroom init`, once for four and once for eight words at a time.
#include "headroom/models/fill_random.h"

#include <immintrin.h>

#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's AVX-512 headers, on purpose (GCC bug 105593)
#endif

namespace headroom {
namespace {

constexpr uint64_t kGamma = 0x9e3779b97f4a7c15u;
constexpr uint64_t kFirstFactor = 0xbf58476d1ce4e5b9u;
constexpr uint64_t kSecondFactor = 0x94d049bb133111ebu;
constexpr int32_t kMean = 4 * 65535;     // of eight numbers from 0 to 65535
constexpr double kDeviation = 53509.97;  // sqrt(8 * (65536^2 - 1) / 12)

// SplitMix64's finalizer.
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * kFirstFactor;
  x = (x ^ (x >> 27)) * kSecondFactor;
  return x ^ (x >> 31);
}

// Two sums of two 16-bit numbers each, side by side, with room for eight.
uint64_t paired_sums(uint64_t bits) {
  constexpr uint64_t kHalves = 0x0000ffff0000ffffu;
  return (bits & kHalves) + (bits >> 16 & kHalves);
}

// The three fill whole groups of elements from the front and return how many; element i has the counter
// `counter` + 2 i kGamma.

int64_t fill(float* out, int64_t count, uint64_t counter, float scale) {
  for (int64_t i = 0; i < count; ++i, counter += 2 * kGamma) {
    const uint64_t sums = paired_sums(mix(counter)) + paired_sums(mix(counter + kGamma));
    const int32_t sum = static_cast<int32_t>((sums & 0xffffffffu) + (sums >> 32));
    out[i] = static_cast<float>(sum - kMean) * scale;
  }
  return count;
}

#define HEADROOM_AVX2 gnu::target("avx2"), gnu::always_inline

[[HEADROOM_AVX2]] inline __m256i word(uint64_t all) { return _mm256_set1_epi64x(static_cast<int64_t>(all)); }

// x * factor of the low 64 bits, from products of 32.
[[HEADROOM_AVX2]] inline __m256i multiply(__m256i x, uint64_t factor) {
  const __m256i low = word(factor);
  const __m256i cross =
      _mm256_add_epi64(_mm256_mul_epu32(_mm256_srli_epi64(x, 32), low), _mm256_mul_epu32(x, word(factor >> 32)));
  return _mm256_add_epi64(_mm256_mul_epu32(x, low), _mm256_slli_epi64(cross, 32));
}
[[HEADROOM_AVX2]] inline __m256i mix(__m256i x) {
  x = multiply(_mm256_xor_si256(x, _mm256_srli_epi64(x, 30)), kFirstFactor);
  x = multiply(_mm256_xor_si256(x, _mm256_srli_epi64(x, 27)), kSecondFactor);
  return _mm256_xor_si256(x, _mm256_srli_epi64(x, 31));
}
// Of both words of four elements.
[[HEADROOM_AVX2]] inline __m256i paired_sums(__m256i counters) {
  const __m256i halves = _mm256_set1_epi32(0xffff);
  const __m256i first = mix(counters);
  const __m256i second = mix(_mm256_add_epi64(counters, word(kGamma)));
  const __m256i low = _mm256_add_epi32(_mm256_and_si256(first, halves), _mm256_and_si256(second, halves));
  return _mm256_add_epi32(low, _mm256_add_epi32(_mm256_srli_epi32(first, 16), _mm256_srli_epi32(second, 16)));
}

[[gnu::target("avx2")]] int64_t fill_avx2(float* out, int64_t count, uint64_t counter, float scale) {
  const __m256i places = _mm256_setr_epi64x(0, static_cast<int64_t>(2 * kGamma), static_cast<int64_t>(4 * kGamma),
                                            static_cast<int64_t>(6 * kGamma));
  int64_t i = 0;
  for (; i + 8 <= count; i += 8, counter += 16 * kGamma) {
    const __m256i left = paired_sums(_mm256_add_epi64(word(counter), places));
    const __m256i right = paired_sums(_mm256_add_epi64(word(counter + 8 * kGamma), places));
    const __m256i sums = _mm256_permute4x64_epi64(_mm256_hadd_epi32(left, right), _MM_SHUFFLE(3, 1, 2, 0));
    const __m256 centred = _mm256_cvtepi32_ps(_mm256_sub_epi32(sums, _mm256_set1_epi32(kMean)));
    _mm256_storeu_ps(out + i, _mm256_mul_ps(centred, _mm256_set1_ps(scale)));
  }
  return i;
}

#define HEADROOM_AVX512 gnu::target("avx2,avx512f,avx512dq"), gnu::always_inline

[[HEADROOM_AVX512]] inline __m512i wide_word(uint64_t all) { return _mm512_set1_epi64(static_cast<int64_t>(all)); }

[[HEADROOM_AVX512]] inline __m512i mix(__m512i x) {
  x = _mm512_mullo_epi64(_mm512_xor_si512(x, _mm512_srli_epi64(x, 30)), wide_word(kFirstFactor));
  x = _mm512_mullo_epi64(_mm512_xor_si512(x, _mm512_srli_epi64(x, 27)), wide_word(kSecondFactor));
  return _mm512_xor_si512(x, _mm512_srli_epi64(x, 31));
}

[[gnu::target("avx2,avx512f,avx512dq")]] int64_t fill_avx512(float* out, int64_t count, uint64_t counter, float scale) {
  const __m512i places = _mm512_mullo_epi64(wide_word(2 * kGamma), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
  const __m512i halves = wide_word(0x0000ffff0000ffffu);
  int64_t i = 0;
  for (; i + 8 <= count; i += 8, counter += 16 * kGamma) {
    const __m512i counters = _mm512_add_epi64(wide_word(counter), places);
    const __m512i first = mix(counters);
    const __m512i second = mix(_mm512_add_epi64(counters, wide_word(kGamma)));
    __m512i sums = _mm512_add_epi64(_mm512_and_si512(first, halves), _mm512_and_si512(second, halves));
    sums = _mm512_add_epi64(sums, _mm512_and_si512(_mm512_srli_epi64(first, 16), halves));
    sums = _mm512_add_epi64(sums, _mm512_and_si512(_mm512_srli_epi64(second, 16), halves));
    sums = _mm512_add_epi64(sums, _mm512_srli_epi64(sums, 32));
    const __m256i centred = _mm256_sub_epi32(_mm512_cvtepi64_epi32(sums), _mm256_set1_epi32(kMean));
    _mm256_storeu_ps(out + i, _mm256_mul_ps(_mm256_cvtepi32_ps(centred), _mm256_set1_ps(scale)));
  }
  return i;
}

}  // namespace

void fill_random(std::span<float> out, uint64_t seed, uint64_t parameter, int64_t first_element, double deviation,
                 int lanes) {
  const float scale = static_cast<float>(deviation / kDeviation);
  const uint64_t key = mix(seed + kGamma * (parameter + 1));
  const uint64_t counter = key + 2 * static_cast<uint64_t>(first_element) * kGamma;
  const int64_t count = static_cast<int64_t>(out.size());
  int64_t done = 0;
  if (lanes >= 8 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
    done = fill_avx512(out.data(), count, counter, scale);
  } else if (lanes >= 4 && __builtin_cpu_supports("avx2")) {
    done = fill_avx2(out.data(), count, counter, scale);
  }
  fill(out.data() + done, count - done, counter + 2 * static_cast<uint64_t>(done) * kGamma, scale);
}

void fill_uniform(std::span<float> out, uint64_t seed, uint64_t matrix, int64_t first_element, double bound) {
  const float step = static_cast<float>(bound / (1 << 23));
  uint64_t counter = mix(mix(seed) + kGamma * (matrix + 1)) + static_cast<uint64_t>(first_element) * kGamma;
  for (float& element : out) {
    element = static_cast<float>(static_cast<int32_t>(mix(counter) >> 40) - (1 << 23)) * step;
    counter += kGamma;
  }
}

}  // namespace headroom
