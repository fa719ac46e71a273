#include "headroom/formats/gguf/gguf_types.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace headroom {
namespace {

struct ValueFacts {
  std::string_view name;
  int64_t bytes;
};

constexpr std::array<ValueFacts, kGgufValueTypes> kValues = {{{"u8", 1},
                                                              {"i8", 1},
                                                              {"u16", 2},
                                                              {"i16", 2},
                                                              {"u32", 4},
                                                              {"i32", 4},
                                                              {"f32", 4},
                                                              {"bool", 1},
                                                              {"text", 0},
                                                              {"array", 0},
                                                              {"u64", 8},
                                                              {"i64", 8},
                                                              {"f64", 8}}};

// All types of ggml that files hold, so that any file can be listed; reading tensors is gguf_weights.h.
constexpr GgmlType kTypes[] = {{kGgmlF32, "F32", 1, 4, StoredType::f32},
                               {kGgmlF16, "F16", 1, 2, StoredType::f16},
                               {2, "Q4_0", 32, 18, StoredType::encoded},
                               {3, "Q4_1", 32, 20, StoredType::encoded},
                               {6, "Q5_0", 32, 22, StoredType::encoded},
                               {7, "Q5_1", 32, 24, StoredType::encoded},
                               {kGgmlQ8_0, "Q8_0", 32, 34, StoredType::encoded},
                               {9, "Q8_1", 32, 40, StoredType::encoded},
                               {10, "Q2_K", 256, 84, StoredType::encoded},
                               {11, "Q3_K", 256, 110, StoredType::encoded},
                               {12, "Q4_K", 256, 144, StoredType::encoded},
                               {13, "Q5_K", 256, 176, StoredType::encoded},
                               {14, "Q6_K", 256, 210, StoredType::encoded},
                               {15, "Q8_K", 256, 292, StoredType::encoded},
                               {16, "IQ2_XXS", 256, 66, StoredType::encoded},
                               {17, "IQ2_XS", 256, 74, StoredType::encoded},
                               {18, "IQ3_XXS", 256, 98, StoredType::encoded},
                               {19, "IQ1_S", 256, 50, StoredType::encoded},
                               {20, "IQ4_NL", 32, 18, StoredType::encoded},
                               {21, "IQ3_S", 256, 110, StoredType::encoded},
                               {22, "IQ2_S", 256, 82, StoredType::encoded},
                               {23, "IQ4_XS", 256, 136, StoredType::encoded},
                               {24, "I8", 1, 1, StoredType::i8},
                               {25, "I16", 1, 2, StoredType::i16},
                               {26, "I32", 1, 4, StoredType::i32},
                               {27, "I64", 1, 8, StoredType::i64},
                               {28, "F64", 1, 8, StoredType::f64},
                               {29, "IQ1_M", 256, 56, StoredType::encoded},
                               {kGgmlBf16, "BF16", 1, 2, StoredType::bf16},
                               {34, "TQ1_0", 256, 54, StoredType::encoded},
                               {35, "TQ2_0", 256, 66, StoredType::encoded},
                               {39, "MXFP4", 32, 17, StoredType::encoded},
                               {40, "NVFP4", 64, 36, StoredType::encoded},
                               {41, "Q1_0", 128, 18, StoredType::encoded}};

}  // namespace

int64_t size_of(GgufValueType type) { return kValues.at(static_cast<size_t>(type)).bytes; }
std::string_view name_of(GgufValueType type) { return kValues.at(static_cast<size_t>(type)).name; }

const BlockFormat* GgmlType::blocks() const {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return find_block_format(lower);
}

const GgmlType* find_ggml_type(uint32_t number) {
  for (const GgmlType& type : kTypes) {
    if (type.number == number) return &type;
  }
  return nullptr;
}

}  // namespace headroom
