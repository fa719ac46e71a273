// The formats of values and of tensors in GGUF files (ggml's docs/gguf.md and ggml.h), by their numbers there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "headroom/base/block_format.h"
#include "headroom/base/dtype.h"
#include "headroom/formats/weights/tensor_file.h"

namespace headroom {

// Of metadata.
enum class GgufValueType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, array, u64, i64, f64 };
inline constexpr uint32_t kGgufValueTypes = 13;

// 0 for texts and arrays.
int64_t size_of(GgufValueType type);
std::string_view name_of(GgufValueType type);

// Of tensors: rows are cut into blocks of `block_elements` elements, `block_bytes` bytes each.
struct GgmlType {
  uint32_t number;
  std::string_view name;  // "Q8_0"
  int32_t block_elements;
  int32_t block_bytes;
  StoredType stored;

  // Of block formats (base/block_format.h) that headroom reads: named alike, but in small letters. Null for others.
  const BlockFormat* blocks() const;
};

inline constexpr uint32_t kGgmlF32 = 0;
inline constexpr uint32_t kGgmlF16 = 1;
inline constexpr uint32_t kGgmlQ8_0 = 8;
inline constexpr uint32_t kGgmlBf16 = 30;

// Null for a number that is none.
const GgmlType* find_ggml_type(uint32_t number);

}  // namespace headroom
