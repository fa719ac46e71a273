// Elements of a weight in a block format as f32: NF4 and int8 by vectors, others as their definition says.
#pragma once

#include "headroom/backend/cpu/elements.h"
#include "headroom/base/dynamic_map.h"
#include "headroom/base/int8_blocks.h"
#include "headroom/base/nf4.h"

namespace headroom::HEADROOM_ISA {

// Sixteen bytes as numbers.
#if defined(__AVX512F__)
HEADROOM_INLINE I32x16 widen(__m128i bytes) { return I32x16(_mm512_cvtepu8_epi32(bytes)); }
HEADROOM_INLINE I32x16 widen_signed(__m128i bytes) { return I32x16(_mm512_cvtepi8_epi32(bytes)); }
#else
HEADROOM_INLINE I32x16 widen(__m128i bytes) {
  return I32x16(_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)));
}
HEADROOM_INLINE I32x16 widen_signed(__m128i bytes) {
  return I32x16(_mm256_cvtepi8_epi32(bytes), _mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8)));
}
#endif

// The sixteen values in registers.
class Nf4Table {
 public:
#if defined(__AVX512F__)
  Nf4Table() : values_(_mm512_loadu_ps(kNf4Values.data())) {}
  HEADROOM_INLINE F32x16 values_of(I32x16 codes) const { return F32x16(_mm512_permutexvar_ps(codes.v, values_)); }

 private:
  __m512 values_;
#else
  Nf4Table() : low_(_mm256_loadu_ps(kNf4Values.data())), high_(_mm256_loadu_ps(kNf4Values.data() + 8)) {}
  HEADROOM_INLINE F32x16 values_of(I32x16 codes) const { return F32x16(eight(codes.v[0]), eight(codes.v[1])); }

 private:
  // The permutation looks at three bits; the fourth, as the sign, chooses the table.
  HEADROOM_INLINE __m256 eight(__m256i codes) const {
    const __m256 choice = _mm256_castsi256_ps(_mm256_slli_epi32(codes, 28));
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low_, codes), _mm256_permutevar8x32_ps(high_, codes), choice);
  }
  __m256 low_, high_;
#endif
};

// Codes of 32 elements, the first of two in the high half of a byte, as two times sixteen bytes.
HEADROOM_INLINE void split_codes(__m128i packed, __m128i (&codes)[2]) {
  const __m128i low_half = _mm_set1_epi8(15);
  const __m128i first = _mm_and_si128(_mm_srli_epi16(packed, 4), low_half);
  const __m128i second = _mm_and_si128(packed, low_half);
  codes[0] = _mm_unpacklo_epi8(first, second);
  codes[1] = _mm_unpackhi_epi8(first, second);
}

HEADROOM_INLINE __m128i sixteen_bytes(const void* from) { return _mm_loadu_si128(static_cast<const __m128i*>(from)); }

static_assert(kNf4Block == 64 && kInt8Block == 64);
inline constexpr int64_t kDecodedBlock = 64;

// A block of elements from number `first` on, whole.
class Nf4Blocks {
 public:
  explicit Nf4Blocks(const Tensor& tensor)
      : planes_(tensor.elements()),
        packed_(tensor.as<const uint8_t>()),
        scale_blocks_(reinterpret_cast<const float*>(packed_ + planes_.scale_blocks_at)) {}

  HEADROOM_INLINE void decode(int64_t first, float* out) const {
    const int64_t block = first / kNf4Block;
    const float scale = kSignedMap.values[packed_[planes_.scales_at + block]];
    const F32x16 magnitude(scale * scale_blocks_[block / kNf4ScaleBlock] + scale_blocks_[planes_.scale_blocks]);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      __m128i codes[2];
      split_codes(sixteen_bytes(packed_ + first / 2 + 16 * half), codes);
      store(out + 32 * half, table_.values_of(widen(codes[0])) * magnitude);
      store(out + 32 * half + kLanes, table_.values_of(widen(codes[1])) * magnitude);
    }
  }

 private:
  Nf4Planes planes_;
  const uint8_t* packed_;
  const float* scale_blocks_;
  Nf4Table table_;
};

class Int8Blocks {
 public:
  explicit Int8Blocks(const Tensor& tensor)
      : codes_(tensor.as<const int8_t>()),
        scales_(reinterpret_cast<const float*>(codes_ + int8_scales_at(tensor.elements()))) {}

  HEADROOM_INLINE void decode(int64_t first, float* out) const {
    const F32x16 scale(scales_[first / kInt8Block]);
#pragma GCC unroll 4
    for (int64_t i = 0; i < kInt8Block; i += kLanes) {
      store(out + i, to_f32(widen_signed(sixteen_bytes(codes_ + first + i))) * scale);
    }
  }

 private:
  const int8_t* codes_;
  const float* scales_;
};

// out[r * width + i] = element `first` + r * stride + i of the tensor, for r < rows and i < width.
inline void decode_rows(const Tensor& tensor, int64_t first, int64_t stride, int64_t rows, int64_t width, float* out) {
  const BlockFormat& format = block_format(tensor.type.dtype);
  const auto by_blocks = [&](const auto& blocks) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t i = 0; i < width; i += kDecodedBlock) blocks.decode(first + r * stride + i, out + r * width + i);
    }
  };
  const bool whole = first % kDecodedBlock == 0 && stride % kDecodedBlock == 0 && width % kDecodedBlock == 0;
  if (whole && &format == &nf4()) return by_blocks(Nf4Blocks(tensor));
  if (whole && &format == &int8_blocks()) return by_blocks(Int8Blocks(tensor));
  for (int64_t r = 0; r < rows; ++r) {
    format.decode(tensor.type.shape, tensor.data, first + r * stride, width, out + r * width);
  }
}

}  // namespace headroom::HEADROOM_ISA
