// Elements of a weight in a block format as f32: NF4, int8, Q4_K, Q5_K and Q6_K by vectors, others as their definition
// says.
#pragma once

#include <cstring>

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

// Some bits of each byte, from bit number `shift` on.
HEADROOM_INLINE __m128i bits_of_bytes(__m128i bytes, int shift, int mask) {
  return _mm_and_si128(_mm_srli_epi16(bytes, shift), _mm_set1_epi8(static_cast<char>(mask)));
}

// ggml's blocks of 256 (base/ggml_large_blocks.cc), a quarter of one at a time.
inline constexpr int64_t kLargeBlock = 256;

// Q4_K, and with kFifths Q5_K: 32 bytes of codes are two sub-blocks, the first in the low halves.
template <bool kFifths>
class PairBlocks {
 public:
  explicit PairBlocks(const Tensor& tensor) : blocks_(tensor.as<const uint8_t>()) {}

  HEADROOM_INLINE void decode(int64_t first, float* out) const {
    constexpr int64_t kBytes = kFifths ? 176 : 144;
    const uint8_t* block = blocks_ + first / kLargeBlock * kBytes;
    const int pair = static_cast<int>(first % kLargeBlock / kDecodedBlock);
    const float d = f16_of(block), dmin = f16_of(block + 2);
    const uint8_t* codes = block + (kFifths ? 48 : 16) + 32 * pair;
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const int sub = 2 * pair + half;
      const uint8_t* packed = block + 4;
      const int scale = sub < 4 ? packed[sub] & 63 : (packed[sub + 4] & 15) | packed[sub - 4] >> 6 << 4;
      const int low = sub < 4 ? packed[sub + 4] & 63 : packed[sub + 4] >> 4 | packed[sub] >> 6 << 4;
      const F32x16 of_codes(d * static_cast<float>(scale)), below(dmin * static_cast<float>(low));
#pragma GCC unroll 2
      for (int i = 0; i < 32; i += 16) {
        __m128i numbers = bits_of_bytes(sixteen_bytes(codes + i), 4 * half, 15);
        if constexpr (kFifths) {
          const __m128i fifths = bits_of_bytes(sixteen_bytes(block + 16 + i), sub, 1);
          numbers = _mm_or_si128(numbers, _mm_slli_epi16(fifths, 4));
        }
        store(out + 32 * half + i, to_f32(widen(numbers)) * of_codes - below);
      }
    }
  }

 private:
  HEADROOM_INLINE static float f16_of(const uint8_t* from) {
    uint16_t bits;
    std::memcpy(&bits, from, sizeof bits);
    return f16_to_f32(bits);
  }
  const uint8_t* blocks_;
};

// Q6_K: of 128 elements, 64 bytes of codes hold the first 64 in their low halves, 32 bytes of high bits the first 32 in
// their lowest bits.
class Q6KBlocks {
 public:
  explicit Q6KBlocks(const Tensor& tensor) : blocks_(tensor.as<const uint8_t>()) {}

  HEADROOM_INLINE void decode(int64_t first, float* out) const {
    const uint8_t* block = blocks_ + first / kLargeBlock * 210;
    const int part = static_cast<int>(first % kLargeBlock / kDecodedBlock);
    uint16_t d_bits;
    std::memcpy(&d_bits, block + 208, sizeof d_bits);
    const float d = f16_to_f32(d_bits);
    const auto* scales = reinterpret_cast<const int8_t*>(block + 192) + 4 * part;
    const uint8_t* codes = block + part / 2 * 64;
    const uint8_t* high = block + 128 + part / 2 * 32;
#pragma GCC unroll 4
    for (int sub = 0; sub < 4; ++sub) {
      const __m128i low = bits_of_bytes(sixteen_bytes(codes + 16 * sub), part % 2 * 4, 15);
      const __m128i above = bits_of_bytes(sixteen_bytes(high + sub % 2 * 16), part % 2 * 4 + sub / 2 * 2, 3);
      const __m128i numbers = _mm_sub_epi8(_mm_or_si128(low, _mm_slli_epi16(above, 4)), _mm_set1_epi8(32));
      store(out + 16 * sub, to_f32(widen_signed(numbers)) * F32x16(d * static_cast<float>(scales[sub])));
    }
  }

 private:
  const uint8_t* blocks_;
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
  if (whole && format.name() == "q4_k") return by_blocks(PairBlocks<false>(tensor));
  if (whole && format.name() == "q5_k") return by_blocks(PairBlocks<true>(tensor));
  if (whole && format.name() == "q6_k") return by_blocks(Q6KBlocks(tensor));
  for (int64_t r = 0; r < rows; ++r) {
    format.decode(tensor.type.shape, tensor.data, first + r * stride, width, out + r * width);
  }
}

}  // namespace headroom::HEADROOM_ISA
