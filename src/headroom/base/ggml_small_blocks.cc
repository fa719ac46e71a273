// ggml's blocks of 32 elements (ggml-common.h): Q4_0, Q4_1, Q5_0, Q5_1, IQ4_NL, MXFP4. d and m are f16; a byte j of the
// codes holds the low four bits of element j in its low half and of element j + 16 in its high half.
//
//   Q4_0    | d | codes, 16 |             18 bytes   (code - 8) * d
//   Q4_1    | d | m | codes, 16 |         20         code * d + m
//   Q5_0    | d | fifths, 4 | codes, 16 | 22         (code - 16) * d; bit i of the fifths is the fifth bit of element i
//   Q5_1    | d | m | fifths | codes |    24         code * d + m
//   IQ4_NL  | d | codes, 16 |             18         value[code] * d
//   MXFP4   | e, 1 | codes, 16 |          17         value[code] * 2^(e - 128), values twice those of E2M1
#include <bit>

#include "headroom/base/ggml_blocks.h"
#include "headroom/base/iq4_values.h"

namespace headroom {
namespace {

// out[i] = element(i, the four bits of element i)
template <class Element>
void decode_halves(const uint8_t* codes, float* out, Element element) {
  for (int j = 0; j < 16; ++j) {
    out[j] = element(j, codes[j] & 15);
    out[j + 16] = element(j + 16, codes[j] >> 4);
  }
}

// With the fifth bits.
template <class Element>
void decode_fifths(const uint8_t* fifths, const uint8_t* codes, float* out, Element element) {
  uint32_t bits;
  std::memcpy(&bits, fifths, sizeof bits);
  decode_halves(codes, out, [=](int i, int low) { return element(low | static_cast<int>(bits >> i & 1) << 4); });
}

bool is_f16_number(const uint8_t* from) { return std::isfinite(f16_at(from)); }

struct Q4_0 {
  static constexpr std::string_view kName = "q4_0";
  static constexpr int64_t kElements = 32, kBytes = 18;
  static bool is_sound(const uint8_t* block) { return is_f16_number(block); }
  static void decode(const uint8_t* block, float* out) {
    const float d = f16_at(block);
    decode_halves(block + 2, out, [=](int, int code) { return static_cast<float>(code - 8) * d; });
  }
};

struct Q4_1 {
  static constexpr std::string_view kName = "q4_1";
  static constexpr int64_t kElements = 32, kBytes = 20;
  static bool is_sound(const uint8_t* block) { return is_f16_number(block) && is_f16_number(block + 2); }
  static void decode(const uint8_t* block, float* out) {
    const float d = f16_at(block), m = f16_at(block + 2);
    decode_halves(block + 4, out, [=](int, int code) { return static_cast<float>(code) * d + m; });
  }
};

struct Q5_0 {
  static constexpr std::string_view kName = "q5_0";
  static constexpr int64_t kElements = 32, kBytes = 22;
  static bool is_sound(const uint8_t* block) { return is_f16_number(block); }
  static void decode(const uint8_t* block, float* out) {
    const float d = f16_at(block);
    decode_fifths(block + 2, block + 6, out, [=](int code) { return static_cast<float>(code - 16) * d; });
  }
};

struct Q5_1 {
  static constexpr std::string_view kName = "q5_1";
  static constexpr int64_t kElements = 32, kBytes = 24;
  static bool is_sound(const uint8_t* block) { return is_f16_number(block) && is_f16_number(block + 2); }
  static void decode(const uint8_t* block, float* out) {
    const float d = f16_at(block), m = f16_at(block + 2);
    decode_fifths(block + 4, block + 8, out, [=](int code) { return static_cast<float>(code) * d + m; });
  }
};

struct Iq4Nl {
  static constexpr std::string_view kName = "iq4_nl";
  static constexpr int64_t kElements = 32, kBytes = 18;
  static bool is_sound(const uint8_t* block) { return is_f16_number(block); }
  static void decode(const uint8_t* block, float* out) {
    const float d = f16_at(block);
    decode_halves(block + 2, out, [=](int, int code) { return kIq4Values[static_cast<size_t>(code)] * d; });
  }
};

struct Mxfp4 {
  static constexpr std::string_view kName = "mxfp4";
  static constexpr int64_t kElements = 32, kBytes = 17;
  static constexpr std::array<float, 16> kValues = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  static constexpr int kMostExponent = 252;  // 12 * 2^(253 - 128) is infinite
  static bool is_sound(const uint8_t* block) { return block[0] <= kMostExponent; }
  static void decode(const uint8_t* block, float* out) {
    const uint32_t e = block[0];  // of 0 and 1 the power is denormal
    const float d = std::bit_cast<float>(e < 2 ? uint32_t{0x00200000} << e : (e - 1) << 23);
    decode_halves(block + 1, out, [=](int, int code) { return kValues[static_cast<size_t>(code)] * d; });
  }
};

constinit const GgmlBlocks<Q4_0> kQ4_0;
constinit const GgmlBlocks<Q4_1> kQ4_1;
constinit const GgmlBlocks<Q5_0> kQ5_0;
constinit const GgmlBlocks<Q5_1> kQ5_1;
constinit const GgmlBlocks<Iq4Nl> kIq4Nl;
constinit const GgmlBlocks<Mxfp4> kMxfp4;

}  // namespace

HEADROOM_BLOCK_FORMAT(kQ4_0);
HEADROOM_BLOCK_FORMAT(kQ4_1);
HEADROOM_BLOCK_FORMAT(kQ5_0);
HEADROOM_BLOCK_FORMAT(kQ5_1);
HEADROOM_BLOCK_FORMAT(kIq4Nl);
HEADROOM_BLOCK_FORMAT(kMxfp4);

}  // namespace headroom
