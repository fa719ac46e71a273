#include "headroom/measure/limit_probes.h"

#include <immintrin.h>

#include <array>
#include <cmath>
#include <cstring>

#include "headroom/base/errors.h"
#include "headroom/measure/clock.h"

namespace headroom {
namespace {

constexpr int kChains = 12;  // more than latency (4) x units (2), fewer than AVX2's registers

// The three return flops. The chains start apart, or the compiler would see that they are all one. The values go to a
// fixed point, so no denormals and no infinities slow them down. The empty asm uses them, so that they are computed.
double scalar_multiply_adds() {
  constexpr int64_t kSteps = 250'000;
  float chains[kChains];
  for (int i = 0; i < kChains; ++i) chains[i] = static_cast<float>(i);
  for (int64_t step = 0; step < kSteps; ++step) {
    for (float& chain : chains) chain = std::fma(chain, 0.5f, 1.0f);
  }
  for (const float chain : chains) asm volatile("" : : "x"(chain));
  return 2.0 * kChains * static_cast<double>(kSteps);
}

constexpr int64_t kVectorSteps = 4'000'000;

[[gnu::target("avx2,fma")]] double multiply_adds_of_8() {
  const __m256 scale = _mm256_set1_ps(0.5f);
  const __m256 offset = _mm256_set1_ps(1.0f);
  __m256 chains[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) chains[i] = _mm256_set1_ps(static_cast<float>(i));
  for (int64_t step = 0; step < kVectorSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) chains[i] = _mm256_fmadd_ps(chains[i], scale, offset);
  }
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) asm volatile("" : : "v"(chains[i]));
  return 2.0 * 8 * kChains * static_cast<double>(kVectorSteps);
}

[[gnu::target("avx512f")]] double multiply_adds_of_16() {
  const __m512 scale = _mm512_set1_ps(0.5f);
  const __m512 offset = _mm512_set1_ps(1.0f);
  __m512 chains[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) chains[i] = _mm512_set1_ps(static_cast<float>(i));
  for (int64_t step = 0; step < kVectorSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) chains[i] = _mm512_fmadd_ps(chains[i], scale, offset);
  }
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) asm volatile("" : : "v"(chains[i]));
  return 2.0 * 16 * kChains * static_cast<double>(kVectorSteps);
}

double multiply_adds(Isa isa) {
  switch (base_of(isa)) {
    case Isa::avx512: return multiply_adds_of_16();
    case Isa::avx2: return multiply_adds_of_8();
    default: return scalar_multiply_adds();
  }
}

// The same of bytes: four products and their sum a lane.
[[gnu::target("avx512f,avx512vnni")]] double byte_products_of_64() {
  const __m512i bytes = _mm512_set1_epi8(1);
  __m512i chains[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) chains[i] = _mm512_set1_epi32(i);
  for (int64_t step = 0; step < kVectorSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) chains[i] = _mm512_dpbusd_epi32(chains[i], bytes, bytes);
  }
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) asm volatile("" : : "v"(chains[i]));
  return 2.0 * 64 * kChains * static_cast<double>(kVectorSteps);
}

[[gnu::target("avx2,avxvnni")]] double byte_products_of_32() {
  const __m256i bytes = _mm256_set1_epi8(1);
  __m256i chains[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) chains[i] = _mm256_set1_epi32(i);
  for (int64_t step = 0; step < kVectorSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) chains[i] = _mm256_dpbusd_avx_epi32(chains[i], bytes, bytes);
  }
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) asm volatile("" : : "v"(chains[i]));
  return 2.0 * 32 * kChains * static_cast<double>(kVectorSteps);
}

// Without such an instruction three do its work.
double byte_products(const Backend& backend) {
  if (uses(backend, Isa::avx512_amx) || uses(backend, Isa::avx512_vnni)) return byte_products_of_64();
  if (uses(backend, Isa::avx2_vnni)) return byte_products_of_32();
  return multiply_adds(isa_of(backend)) * 4 / 3;
}

// Reads every byte of [begin, end) once, in several streams side by side: what a core's prefetchers follow best.
void read_all(const std::byte* begin, const std::byte* end) {
  constexpr int64_t kStreams = 4;
  constexpr int64_t kLine = 64;
  const int64_t stream = (end - begin) / kStreams / kLine * kLine;
  __m128i sums[kStreams] = {};
  for (int64_t at = 0; at < stream; at += kLine) {
#pragma GCC unroll 4
    for (int64_t i = 0; i < kStreams; ++i) {
      const __m128i* line = reinterpret_cast<const __m128i*>(begin + i * stream + at);
#pragma GCC unroll 4
      for (int part = 0; part < 4; ++part) sums[i] = _mm_xor_si128(sums[i], _mm_load_si128(line + part));
    }
  }
  for (const __m128i& sum : sums) asm volatile("" : : "x"(sum));
}

// Both take `size` bytes, a multiple of 64.
void copy_past_cache(std::byte* to, const std::byte* from, int64_t size) {
  __m128i* target = reinterpret_cast<__m128i*>(to);
  const __m128i* source = reinterpret_cast<const __m128i*>(from);
  for (int64_t i = 0; i < size / 16; i += 4) {
#pragma GCC unroll 4
    for (int64_t part = 0; part < 4; ++part) _mm_stream_si128(target + i + part, _mm_load_si128(source + i + part));
  }
  _mm_sfence();
}

void update_all(std::byte* data, int64_t size) {
  const __m128i one = _mm_set1_epi8(1);
  __m128i* parts = reinterpret_cast<__m128i*>(data);
  for (int64_t i = 0; i < size / 16; i += 4) {
#pragma GCC unroll 4
    for (int64_t part = i; part < i + 4; ++part) {
      _mm_store_si128(parts + part, _mm_add_epi8(_mm_load_si128(parts + part), one));
    }
  }
}

// Flops a second of all threads together, each of which runs work() and returns its own.
template <class Work>
double rate_of(Threads& threads, Work&& work) {
  double flops = 0;
  const Clock::time_point start = Clock::now();
  threads.run([&](int thread) {
    const double own = work();
    if (thread == 0) flops = own * threads.count();
  });
  return flops / seconds_since(start);
}

}  // namespace

std::string_view name_of(Limit limit) {
  constexpr std::array<std::string_view, 7> kNames = {"fma", "int8", "read", "copy", "stream", "update", "none"};
  return kNames[static_cast<size_t>(limit)];
}

double fma_rate(Isa isa, Threads& threads) {
  return rate_of(threads, [=] { return multiply_adds(isa); });
}

double read_rate(Workspace& workspace) {
  if (workspace.plan().arena_bytes < LimitProbes::kMemoryBytes) return 0;
  const auto memory = workspace.memory().first(static_cast<size_t>(LimitProbes::kMemoryBytes));
  return LimitProbes(workspace.backend(), memory, workspace.threads()).measure(Limit::read);
}

LimitProbes::LimitProbes(const Backend& backend, std::span<std::byte> memory, Threads& threads)
    : backend_(backend), memory_(memory), threads_(threads) {
  ensure(static_cast<int64_t>(memory.size()) == kMemoryBytes, "the limits are measured on {} bytes", kMemoryBytes);
}

// Of work(begin, end) over [0, size_bytes), split over all threads.
template <class Work>
double LimitProbes::seconds_of(int64_t size_bytes, Work&& work) const {
  const Clock::time_point start = Clock::now();
  threads_.split(size_bytes, 4096, [&](int64_t begin, int64_t end, int) { work(begin, end); });
  return seconds_since(start);
}

double LimitProbes::measure(Limit limit) const {
  std::byte* data = memory_.data();
  std::byte* target = data + kMemoryBytes / 2;
  switch (limit) {
    case Limit::fma: return fma_rate(isa_of(backend_), threads_);
    case Limit::int8: return rate_of(threads_, [this] { return byte_products(backend_); });
    case Limit::read:
      return kMemoryBytes /
             seconds_of(kMemoryBytes, [&](int64_t begin, int64_t end) { read_all(data + begin, data + end); });
    case Limit::copy:
      return kMemoryBytes / seconds_of(kMemoryBytes / 2, [&](int64_t begin, int64_t end) {
               std::memcpy(target + begin, data + begin, static_cast<size_t>(end - begin));
             });
    case Limit::stream:
      return kMemoryBytes / seconds_of(kMemoryBytes / 2, [&](int64_t begin, int64_t end) {
               copy_past_cache(target + begin, data + begin, end - begin);
             });
    case Limit::update:
      return 2.0 * kMemoryBytes /
             seconds_of(kMemoryBytes, [&](int64_t begin, int64_t end) { update_all(data + begin, end - begin); });
    case Limit::none: break;
  }
  throw InternalError("no limit to measure");
}

}  // namespace headroom
