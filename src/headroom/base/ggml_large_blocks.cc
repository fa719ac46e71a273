// ggml's blocks of 256 elements (ggml-common.h): Q2_K ... Q6_K and IQ4_XS. d and dmin are f16; sub-blocks of 16 or 32
// elements have scales of a few bits, which d is multiplied by, and some a low end, times dmin.
//
//   Q2_K    | scales, 16 | codes, 64 | d | dmin |               84 bytes   sub-blocks of 16
//   Q3_K    | high bits, 32 | codes, 64 | scales, 12 | d |      110        of 16
//   Q4_K    | d | dmin | scales, 12 | codes, 128 |              144        of 32
//   Q5_K    | d | dmin | scales, 12 | fifths, 32 | codes, 128 | 176        of 32
//   Q6_K    | codes, 128 | high bits, 64 | scales, 16 | d |     210        of 16
//   IQ4_XS  | d | high bits, 2 | scales, 4 | codes, 128 |       136        of 32
//
// An element is (d * scale) * code, of Q2_K, Q4_K and Q5_K less (dmin * low); each operation is rounded.
#include "headroom/base/ggml_blocks.h"
#include "headroom/base/iq4_values.h"

namespace headroom {
namespace {

constexpr int kBlock = 256;

bool is_f16_scale(const uint8_t* from) { return std::isfinite(f16_at(from)); }

struct Q2K {
  static constexpr std::string_view kName = "q2_k";
  static constexpr int64_t kElements = kBlock, kBytes = 84;
  static bool is_sound(const uint8_t* block) { return is_f16_scale(block + 80) && is_f16_scale(block + 82); }

  // A byte of the scales holds a scale in its low half and a low end in the high one; 32 bytes of the codes hold 128
  // elements, the first 32 of them in the lowest bits.
  static void decode(const uint8_t* block, float* out) {
    const float d = f16_at(block + 80), dmin = f16_at(block + 82);
    for (int sub = 0; sub < 16; ++sub) {
      const float scale = d * static_cast<float>(block[sub] & 15);
      const float low = dmin * static_cast<float>(block[sub] >> 4);
      const uint8_t* codes = block + 16 + sub / 8 * 32 + sub % 2 * 16;
      const int shift = sub % 8 / 2 * 2;
      for (int i = 0; i < 16; ++i) out[16 * sub + i] = scale * static_cast<float>(codes[i] >> shift & 3) - low;
    }
  }
};

struct Q3K {
  static constexpr std::string_view kName = "q3_k";
  static constexpr int64_t kElements = kBlock, kBytes = 110;
  static bool is_sound(const uint8_t* block) { return is_f16_scale(block + 108); }

  // Codes lie as those of Q2_K; bit s of a byte of the high bits says of the s-th 32 elements that nothing is taken off
  // a code (otherwise 4). A scale's low four bits are halves of the first eight bytes, its two high bits in the others.
  static void decode(const uint8_t* block, float* out) {
    const float d = f16_at(block + 108);
    const uint8_t* scales = block + 96;
    for (int sub = 0; sub < 16; ++sub) {
      const int low = scales[sub % 8] >> (sub / 8 * 4) & 15;
      const int high = scales[8 + sub % 4] >> (sub / 4 * 2) & 3;
      const float scale = d * static_cast<float>((low | high << 4) - 32);
      const uint8_t* codes = block + 32 + sub / 8 * 32 + sub % 2 * 16;
      const uint8_t* bits = block + sub % 2 * 16;
      const int shift = sub % 8 / 2 * 2;
      for (int i = 0; i < 16; ++i) {
        const int code = (codes[i] >> shift & 3) - ((bits[i] >> (sub / 2) & 1) != 0 ? 0 : 4);
        out[16 * sub + i] = scale * static_cast<float>(code);
      }
    }
  }
};

// The 6-bit scale and low end of a sub-block of 32, of twelve bytes: of the first four they are the low bits of bytes j
// and j + 4; of the others halves of byte j + 4, and above them the two high bits of bytes j - 4 and j.
struct ScaleAndLow {
  ScaleAndLow(const uint8_t* packed, int j)
      : scale(j < 4 ? packed[j] & 63 : (packed[j + 4] & 15) | packed[j - 4] >> 6 << 4),
        low(j < 4 ? packed[j + 4] & 63 : packed[j + 4] >> 4 | packed[j] >> 6 << 4) {}
  int scale;
  int low;
};

// 32 bytes of codes serve two sub-blocks, the first in the low halves. high(i, sub): what is added to a code.
template <class High>
void decode_pairs(const uint8_t* block, const uint8_t* codes, float* out, High high) {
  const float d = f16_at(block), dmin = f16_at(block + 2);
  for (int sub = 0; sub < 8; ++sub) {
    const ScaleAndLow of_sub(block + 4, sub);
    const float scale = d * static_cast<float>(of_sub.scale);
    const float low = dmin * static_cast<float>(of_sub.low);
    const uint8_t* from = codes + sub / 2 * 32;
    const int shift = sub % 2 * 4;
    for (int i = 0; i < 32; ++i) {
      out[32 * sub + i] = scale * static_cast<float>((from[i] >> shift & 15) | high(i, sub)) - low;
    }
  }
}

struct Q4K {
  static constexpr std::string_view kName = "q4_k";
  static constexpr int64_t kElements = kBlock, kBytes = 144;
  static bool is_sound(const uint8_t* block) { return is_f16_scale(block) && is_f16_scale(block + 2); }
  static void decode(const uint8_t* block, float* out) {
    decode_pairs(block, block + 16, out, [](int, int) { return 0; });
  }
};

struct Q5K {
  static constexpr std::string_view kName = "q5_k";
  static constexpr int64_t kElements = kBlock, kBytes = 176;
  static bool is_sound(const uint8_t* block) { return is_f16_scale(block) && is_f16_scale(block + 2); }
  static void decode(const uint8_t* block, float* out) {
    decode_pairs(block, block + 48, out, [=](int i, int sub) { return (block[16 + i] >> sub & 1) << 4; });
  }
};

struct Q6K {
  static constexpr std::string_view kName = "q6_k";
  static constexpr int64_t kElements = kBlock, kBytes = 210;
  static bool is_sound(const uint8_t* block) { return is_f16_scale(block + 208); }

  // Of 128 elements, 64 bytes of codes hold the first 64 in their low halves, 32 bytes of high bits the first 32 in
  // their lowest bits.
  static void decode(const uint8_t* block, float* out) {
    const float d = f16_at(block + 208);
    const auto* scales = reinterpret_cast<const int8_t*>(block + 192);
    for (int sub = 0; sub < 16; ++sub) {
      const float scale = d * static_cast<float>(scales[sub]);
      const int half = sub / 8, quarter = sub % 8 / 2, begin = sub % 2 * 16;
      const uint8_t* low = block + 64 * half + quarter % 2 * 32 + begin;
      const uint8_t* high = block + 128 + 32 * half + begin;
      for (int i = 0; i < 16; ++i) {
        const int code = (low[i] >> (quarter / 2 * 4) & 15) | (high[i] >> (2 * quarter) & 3) << 4;
        out[16 * sub + i] = scale * static_cast<float>(code - 32);
      }
    }
  }
};

struct Iq4Xs {
  static constexpr std::string_view kName = "iq4_xs";
  static constexpr int64_t kElements = kBlock, kBytes = 136;
  static bool is_sound(const uint8_t* block) { return is_f16_scale(block); }

  // 16 bytes of codes are a sub-block, its first 16 elements in the low halves.
  static void decode(const uint8_t* block, float* out) {
    const float d = f16_at(block);
    uint16_t high;
    std::memcpy(&high, block + 2, sizeof high);
    for (int sub = 0; sub < 8; ++sub) {
      const int low = block[4 + sub / 2] >> (sub % 2 * 4) & 15;
      const float scale = d * static_cast<float>((low | (high >> (2 * sub) & 3) << 4) - 32);
      const uint8_t* codes = block + 8 + 16 * sub;
      for (int i = 0; i < 16; ++i) {
        out[32 * sub + i] = scale * kIq4Values[codes[i] & 15];
        out[32 * sub + 16 + i] = scale * kIq4Values[codes[i] >> 4];
      }
    }
  }
};

constinit const GgmlBlocks<Q2K> kQ2K;
constinit const GgmlBlocks<Q3K> kQ3K;
constinit const GgmlBlocks<Q4K> kQ4K;
constinit const GgmlBlocks<Q5K> kQ5K;
constinit const GgmlBlocks<Q6K> kQ6K;
constinit const GgmlBlocks<Iq4Xs> kIq4Xs;

}  // namespace

HEADROOM_BLOCK_FORMAT(kQ2K);
HEADROOM_BLOCK_FORMAT(kQ3K);
HEADROOM_BLOCK_FORMAT(kQ4K);
HEADROOM_BLOCK_FORMAT(kQ5K);
HEADROOM_BLOCK_FORMAT(kQ6K);
HEADROOM_BLOCK_FORMAT(kIq4Xs);

}  // namespace headroom
