// GGUF files written by hand, byte by byte, for tests of what a file may say.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "headroom/formats/gguf/gguf_types.h"

namespace headroom::gguf_bytes {

template <class Number>
std::string bytes_of(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}
inline std::string text(const std::string& value) { return bytes_of(uint64_t{value.size()}) + value; }
inline std::string key(const std::string& name, GgufValueType type, const std::string& value) {
  return text(name) + bytes_of(static_cast<uint32_t>(type)) + value;
}
inline std::string array(GgufValueType element, uint64_t count, const std::string& elements) {
  return bytes_of(static_cast<uint32_t>(element)) + bytes_of(count) + elements;
}
inline std::string tensor(const std::string& name, const std::vector<uint64_t>& dims, uint32_t type, uint64_t offset) {
  std::string entry = text(name) + bytes_of(static_cast<uint32_t>(dims.size()));
  for (const uint64_t dim : dims) entry += bytes_of(dim);
  return entry + bytes_of(type) + bytes_of(offset);
}
inline std::string head(uint64_t tensors, uint64_t keys, uint32_t version = 3) {
  return "GGUF" + bytes_of(version) + bytes_of(tensors) + bytes_of(keys);
}
inline std::string pad(std::string bytes, size_t alignment = 32) {
  bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
  return bytes;
}

// Values of keys.
inline std::string number(const std::string& name, uint32_t value) {
  return key(name, GgufValueType::u32, bytes_of(value));
}
inline std::string word(const std::string& name, const std::string& value) {
  return key(name, GgufValueType::text, text(value));
}
inline std::string words(const std::string& name, const std::vector<std::string>& values) {
  std::string elements;
  for (const std::string& value : values) elements += text(value);
  return key(name, GgufValueType::array, array(GgufValueType::text, values.size(), elements));
}
template <class Number>
std::string numbers(const std::string& name, GgufValueType type, const std::vector<Number>& values) {
  std::string elements;
  for (const Number value : values) elements += bytes_of(value);
  return key(name, GgufValueType::array, array(type, values.size(), elements));
}

}  // namespace headroom::gguf_bytes
