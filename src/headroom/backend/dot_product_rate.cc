#include "headroom/backend/dot_product_rate.h"

#include <immintrin.h>

#include <algorithm>
#include <chrono>

namespace headroom {
namespace {

// Enough sums that none waits for itself.
constexpr int kSums = 12;
constexpr int kSteps = 2000;
constexpr int kRounds = 5;

__attribute__((target("avx512f"))) __m512 add_products(__m512 factor) {
  __m512 sums[kSums] = {};
  for (int i = 0; i < kSums; ++i) asm volatile("" : "+v"(sums[i]));  // so that they count as different
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = _mm512_fmadd_ps(factor, factor, sums[i]);
    asm volatile("" : "+v"(factor));
  }
  for (int i = 1; i < kSums; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return sums[0];
}

__attribute__((target("avx512f,avx512bf16"))) __m512 add_dot_products(__m512 factor) {
  __m512 sums[kSums] = {};
  for (int i = 0; i < kSums; ++i) asm volatile("" : "+v"(sums[i]));  // so that they count as different
  __m512bh pairs = (__m512bh)_mm512_castps_si512(factor);
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = _mm512_dpbf16_ps(sums[i], pairs, pairs);
    asm volatile("" : "+v"(pairs));
  }
  for (int i = 1; i < kSums; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return sums[0];
}

template <class Body>
__attribute__((target("avx512f"))) double seconds_of(Body&& body) {
  const auto begin = std::chrono::steady_clock::now();
  __m512 result = body(_mm512_set1_ps(1.0f));
  asm volatile("" ::"v"(result));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

double dot_product_rate() {
  double products = 1;
  double dot_products = 1;
  for (int round = 0; round < kRounds; ++round) {
    products = std::min(products, seconds_of(add_products));
    dot_products = std::min(dot_products, seconds_of(add_dot_products));
  }
  return 2 * products / dot_products;
}

}  // namespace headroom
