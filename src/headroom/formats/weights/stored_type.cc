#include "headroom/formats/weights/stored_type.h"

#include <array>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

struct TypeFacts {
  std::string_view name;
  int64_t bytes;
};

// In the order of StoredType, without the last.
constexpr std::array<TypeFacts, 17> kTypes = {{{"F64", 8},
                                               {"F32", 4},
                                               {"F16", 2},
                                               {"BF16", 2},
                                               {"I64", 8},
                                               {"I32", 4},
                                               {"I16", 2},
                                               {"I8", 1},
                                               {"U64", 8},
                                               {"U32", 4},
                                               {"U16", 2},
                                               {"U8", 1},
                                               {"BOOL", 1},
                                               {"F8_E4M3", 1},
                                               {"F8_E5M2", 1},
                                               {"F8_E8M0", 1},
                                               {"C64", 8}}};

}  // namespace

std::string_view name_of(StoredType type) { return kTypes.at(static_cast<size_t>(type)).name; }
int64_t size_of(StoredType type) { return kTypes.at(static_cast<size_t>(type)).bytes; }

StoredType stored_type_of(DType dtype) {
  switch (dtype) {
    case DType::f64: return StoredType::f64;
    case DType::f32: return StoredType::f32;
    case DType::f16: return StoredType::f16;
    case DType::bf16: return StoredType::bf16;
    case DType::i32: return StoredType::i32;
    case DType::u8: return StoredType::u8;
  }
  throw InternalError("no stored type for dtype {}", static_cast<int>(dtype));
}

std::optional<StoredType> find_stored_type(std::string_view name) {
  for (size_t index = 0; index < kTypes.size(); ++index) {
    if (kTypes[index].name == name) return static_cast<StoredType>(index);
  }
  return std::nullopt;
}

std::optional<DType> dtype_of(StoredType type) {
  switch (type) {
    case StoredType::f64: return DType::f64;
    case StoredType::f32: return DType::f32;
    case StoredType::f16: return DType::f16;
    case StoredType::bf16: return DType::bf16;
    case StoredType::i32: return DType::i32;
    case StoredType::u8: return DType::u8;
    default: return std::nullopt;
  }
}

}  // namespace headroom
