// Formats of single elements, as files of weights name them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "headroom/base/dtype.h"

namespace headroom {

// What a file may hold. headroom computes with the first four; the others can be listed, and i32 be read as it is.
enum class StoredType : uint8_t {
  f64,
  f32,
  f16,
  bf16,
  i64,
  i32,
  i16,
  i8,
  u64,
  u32,
  u16,
  u8,
  boolean,
  f8_e4m3,
  f8_e5m2,
  f8_e8m0,
  c64,
  encoded  // in blocks that only the file can read: quantised elements
};

// Of all but encoded, safetensors' spelling, "BF16", and the bytes of an element.
std::string_view name_of(StoredType type);
int64_t size_of(StoredType type);
// The type of that spelling, or none.
std::optional<StoredType> find_stored_type(std::string_view name);

// The scalar format that has these elements, or none; and back.
std::optional<DType> dtype_of(StoredType type);
StoredType stored_type_of(DType dtype);

}  // namespace headroom
