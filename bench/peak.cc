#include "bench/peak.h"

#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace headroom::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kSteps = 4'000'000;
constexpr int kChains = 12;  // more than latency (4) x units (2), fewer than AVX2's registers
constexpr int kRuns = 7;

// Keeps the compiler from dropping what leads to `vector`.
template <class Vector>
[[gnu::always_inline]] inline void keep(const Vector& vector) {
  asm volatile("" : : "v"(vector));
}

// Both return flops. The chains start apart, or the compiler would see that they are all one. The values shrink towards
// a fixed point, so no denormals and no infinities slow them down.
[[gnu::target("avx2,fma")]] double multiply_adds_of_8() {
  const __m256 scale = _mm256_set1_ps(0.5f);
  const __m256 offset = _mm256_set1_ps(1.0f);
  __m256 chains[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) chains[i] = _mm256_set1_ps(static_cast<float>(i));
  for (int64_t step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) chains[i] = _mm256_fmadd_ps(chains[i], scale, offset);
  }
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) keep(chains[i]);
  return 2.0 * 8 * kChains * static_cast<double>(kSteps);
}

[[gnu::target("avx512f")]] double multiply_adds_of_16() {
  const __m512 scale = _mm512_set1_ps(0.5f);
  const __m512 offset = _mm512_set1_ps(1.0f);
  __m512 chains[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) chains[i] = _mm512_set1_ps(static_cast<float>(i));
  for (int64_t step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) chains[i] = _mm512_fmadd_ps(chains[i], scale, offset);
  }
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) keep(chains[i]);
  return 2.0 * 16 * kChains * static_cast<double>(kSteps);
}

// The best of several runs: other programs only ever make one slower.
template <class Work>
double shortest_seconds(Work&& work) {
  double shortest = 1e300;
  for (int run = 0; run < kRuns; ++run) {
    const Clock::time_point start = Clock::now();
    work();
    shortest = std::min(shortest, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return shortest;
}

}  // namespace

double fma_peak(Isa isa, Threads& threads) {
  std::vector<double> flops(static_cast<size_t>(threads.count()));
  const double seconds = shortest_seconds([&] {
    threads.run([&](int thread) {
      flops[static_cast<size_t>(thread)] = isa == Isa::avx512 ? multiply_adds_of_16() : multiply_adds_of_8();
    });
  });
  double all = 0;
  for (const double one : flops) all += one;
  return all / seconds;
}

double read_peak(Threads& threads) {
  constexpr int64_t kCount = 32 * 1024 * 1024;
  const std::vector<uint64_t> numbers(kCount, 1);
  const double seconds = shortest_seconds([&] {
    threads.split(kCount, 64, [&](int64_t begin, int64_t end, int) {
      uint64_t sums[8] = {};
      for (int64_t i = begin; i < end; i += 8) {
        for (int64_t lane = 0; lane < 8; ++lane) sums[lane] += numbers[static_cast<size_t>(i + lane)];
      }
      for (uint64_t& sum : sums) asm volatile("" : "+r"(sum));
    });
  });
  return 8.0 * kCount / seconds;
}

}  // namespace headroom::bench
