// The innermost piece of a product: a tile of C that lives in registers while k runs.
//   MR rows x NR columns: 14 x 32 with AVX-512 (28 of 32 registers), 6 x 16 with AVX2 (12 of 16).
// The tile starts from the C it finds and goes on, so every element stays one chain. A step is one term, or with
// vdpbf16ps two of bf16.
#pragma once

#include <array>
#include <utility>

#include "headroom/backend/cpu/simd.h"

namespace headroom::HEADROOM_ISA {

#if defined(__AVX512F__)
inline constexpr int kTileRows = 14;
inline constexpr int kTileVectors = 2;
#else
inline constexpr int kTileRows = 6;
inline constexpr int kTileVectors = 1;
#endif
inline constexpr int kTileColumns = kTileVectors * 16;

// Memory that will be wanted soon: pieces of `lines` cache lines, `stride` bytes apart. Tiles ask for `per_tile` lines
// each while they compute, because a burst would wait for itself. A hint only: any address will do.
struct Ahead {
  uintptr_t address = 0;  // of the next line
  int64_t lines = 1;
  int64_t stride = 0;
  int64_t left = 1;  // lines of the present piece
  int64_t per_tile = 0;

  HEADROOM_INLINE void ask() {
    __builtin_prefetch(reinterpret_cast<const void*>(address), 0, 2);
    address += 64;
    if (--left == 0) {
      left = lines;
      address += static_cast<uintptr_t>(stride - 64 * lines);
    }
  }
};

// Both of what a 32-bit place of a packed factor holds: a number, or two of bf16, the one of even k in the lower half.
enum class Terms { one, two };

template <Terms kTerms>
HEADROOM_INLINE F32x16 add_terms(F32x16 a, F32x16 b, F32x16 sum) {
#if defined(__AVX512BF16__)
  if constexpr (kTerms == Terms::two) {
    return F32x16(_mm512_dpbf16_ps(sum.v, (__m512bh)_mm512_castps_si512(a.v), (__m512bh)_mm512_castps_si512(b.v)));
  }
#endif
  return fma(a, b, sum);
}

// While it lives, this thread takes denormals for zeros and makes none, as vdpbf16ps does.
class DenormalsAsZeros {
 public:
  DenormalsAsZeros() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushToZero | kDenormalsAreZero); }
  ~DenormalsAsZeros() { _mm_setcsr(before_); }
  DenormalsAsZeros(const DenormalsAsZeros&) = delete;
  DenormalsAsZeros& operator=(const DenormalsAsZeros&) = delete;

 private:
  static constexpr unsigned kFlushToZero = 0x8000;
  static constexpr unsigned kDenormalsAreZero = 0x40;
  unsigned before_;
};

// c[r, j] = (from_zero ? +0 : c[r, j]), then plus the terms of a[k, r] and b[k, j] for k = 0 .. depth-1.
//   a[depth, kTileRows] and b[depth, kTileColumns] are packed; rows of c are c_stride apart.
// Meanwhile asks for lines of `ahead` and of next_c, the tile of C that comes next; it may lie beyond the matrix.
struct TileCall {
  int64_t depth;
  const float* a;
  const float* b;
  float* c;
  int64_t c_stride;
  bool from_zero;
  const float* next_c;
  Ahead* ahead;
};

template <Terms kTerms, int kRows>
void multiply_tile(const TileCall& call) {
  const int64_t c_stride = call.c_stride;
  float* c = call.c;
  F32x16 sums[kRows][kTileVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int j = 0; j < kTileVectors; ++j) sums[r][j] = call.from_zero ? F32x16(0.0f) : load(c + r * c_stride + 16 * j);
  }
  const float* a = call.a;
  const float* b = call.b;
  const auto step = [&]() __attribute__((always_inline)) {
    F32x16 row[kTileVectors];
#pragma GCC unroll 2
    for (int j = 0; j < kTileVectors; ++j) row[j] = load(b + 16 * j);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const F32x16 element(a[r]);
#pragma GCC unroll 2
      for (int j = 0; j < kTileVectors; ++j) sums[r][j] = add_terms<kTerms>(element, row[j], sums[r][j]);
    }
    a += kTileRows;
    b += kTileColumns;
  };
  int64_t left = call.depth;
  for (int64_t r = 0; r < kRows && left > 0; ++r, --left) {
    for (int j = 0; j < kTileVectors; ++j) prefetch(call.next_c, r * c_stride + 16 * j);
    step();
  }
  Ahead ahead = *call.ahead;
  for (int64_t asked = 0; asked < ahead.per_tile && left > 0; asked += 2, --left) {
    ahead.ask();
    ahead.ask();
    step();
  }
  *call.ahead = ahead;
#pragma GCC unroll 2
  for (; left > 0; --left) step();
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int j = 0; j < kTileVectors; ++j) store(c + r * c_stride + 16 * j, sums[r][j]);
  }
}

using TileFunction = void (*)(const TileCall&);

template <Terms kTerms, size_t... kRowsBelow>
constexpr std::array<TileFunction, sizeof...(kRowsBelow)> tile_functions(std::index_sequence<kRowsBelow...>) {
  return {&multiply_tile<kTerms, static_cast<int>(kRowsBelow) + 1>...};
}

// The tile of `rows` rows (1 .. kTileRows) and `columns` columns (1 .. kTileColumns).
template <Terms kTerms>
void multiply_tile(const TileCall& call, int64_t rows, int64_t columns) {
  static constexpr auto kFunctions = tile_functions<kTerms>(std::make_index_sequence<kTileRows>());
  const TileFunction function = kFunctions[static_cast<size_t>(rows - 1)];
  if (columns == kTileColumns) return function(call);
  // A ragged right edge: the same tile on a copy of C, whose columns beyond the edge are thrown away.
  alignas(64) float copy[kTileRows * kTileColumns];
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < kTileColumns; ++j) {
      copy[r * kTileColumns + j] = j < columns && !call.from_zero ? call.c[r * call.c_stride + j] : 0.0f;
    }
  }
  function({call.depth, call.a, call.b, copy, kTileColumns, false, call.next_c, call.ahead});
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < columns; ++j) call.c[r * call.c_stride + j] = copy[r * kTileColumns + j];
  }
}

}  // namespace headroom::HEADROOM_ISA
