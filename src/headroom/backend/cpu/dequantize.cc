// Weights out of block formats (ops/dequantize.h): NF4 and int8 by vectors, a block of 64 elements at a time, others as
// their definition says.
#include "headroom/backend/cpu/streams.h"
#include "headroom/base/dynamic_map.h"
#include "headroom/base/int8_blocks.h"
#include "headroom/base/nf4.h"

namespace headroom::HEADROOM_ISA {
namespace {

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

// Elements that a thread takes at least: whole blocks of any format.
constexpr int64_t kGrain = 4096;

void decode_nf4(const Invocation& call) {
  const Nf4Planes planes(call.outputs[0].elements());
  const uint8_t* packed = call.inputs[0].as<const uint8_t>();
  const uint8_t* scales = packed + planes.scales_at;
  const float* scale_blocks = reinterpret_cast<const float*>(packed + planes.scale_blocks_at);
  const float mean = scale_blocks[planes.scale_blocks];
  split_outputs(call, call.outputs[0].elements(), kGrain, kNf4Block, [&](int64_t begin, int64_t end, auto place) {
    const auto out = place(call.outputs[0]);
    const Nf4Table table;
    for (int64_t first = begin; first < end; first += kNf4Block) {
      const int64_t block = first / kNf4Block;
      const float magnitude = kSignedMap.values[scales[block]] * scale_blocks[block / kNf4ScaleBlock] + mean;
      if (first + kNf4Block > end) {
        for (int64_t i = first; i < end; ++i) {
          const int code = i % 2 == 0 ? packed[i / 2] >> 4 : packed[i / 2] & 15;
          call.outputs[0].as<float>()[i] = kNf4Values[static_cast<size_t>(code)] * magnitude;
        }
        break;
      }
      const F32x16 factor(magnitude);
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        __m128i codes[2];
        split_codes(sixteen_bytes(packed + first / 2 + 16 * half), codes);
        const int64_t at = first + 32 * half;
        store(out + at, table.values_of(widen(codes[0])) * factor, Whole());
        store(out + (at + kLanes), table.values_of(widen(codes[1])) * factor, Whole());
      }
    }
  });
}

void decode_int8(const Invocation& call) {
  const int64_t elements = call.outputs[0].elements();
  const int8_t* codes = call.inputs[0].as<const int8_t>();
  const float* scales = reinterpret_cast<const float*>(codes + int8_scales_at(elements));
  split_outputs(call, elements, kGrain, kInt8Block, [&](int64_t begin, int64_t end, auto place) {
    const auto out = place(call.outputs[0]);
    for (int64_t first = begin; first < end; first += kInt8Block) {
      const float scale = scales[first / kInt8Block];
      if (first + kInt8Block > end) {
        for (int64_t i = first; i < end; ++i) call.outputs[0].as<float>()[i] = static_cast<float>(codes[i]) * scale;
        break;
      }
#pragma GCC unroll 4
      for (int64_t at = first; at < first + kInt8Block; at += kLanes) {
        store(out + at, to_f32(widen_signed(sixteen_bytes(codes + at))) * F32x16(scale), Whole());
      }
    }
  });
}

}  // namespace

void dequantize(const Invocation& call) {
  const Tensor& weight = call.inputs[0];
  const BlockFormat& format = block_format(weight.type.dtype);
  if (&format == &nf4()) return decode_nf4(call);
  if (&format == &int8_blocks()) return decode_int8(call);
  float* out = call.outputs[0].as<float>();
  call.threads.split(weight.elements(), kGrain, [&](int64_t begin, int64_t end, int) {
    format.decode(weight.type.shape, weight.data, begin, end - begin, out + begin);
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(dequantize);
