// Writes a GGUF file, version 3: metadata as a stream of keys, then the table of tensors, then their data in the order
// of their declaration. The file appears whole under its name or not at all (base/atomic_file.h) and depends on nothing
// but what was declared and written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/base/atomic_file.h"
#include "headroom/base/shape.h"
#include "headroom/formats/gguf/gguf_types.h"

namespace headroom {

struct GgufDeclaration {
  std::string name;  // at most GgufFile::kMaxNameBytes
  Shape shape;       // slowest dimension first
  uint32_t type = kGgmlF32;

  // Rows are whole blocks; InternalError otherwise.
  int64_t bytes() const;
};

class GgufWriter {
 public:
  static constexpr int64_t kAlignmentBytes = 32;

  // Opens the temporary file. Throws as AtomicFile does.
  GgufWriter(std::string path, std::vector<GgufDeclaration> tensors);

  // Bytes of the tensors' data, padding included.
  static int64_t data_bytes(const std::vector<GgufDeclaration>& tensors);

  // Metadata; each key once.
  void text(std::string_view key, std::string_view value);
  void integer(std::string_view key, int64_t value);  // u32; InternalError beyond it
  void real(std::string_view key, double value);      // f32
  void boolean(std::string_view key, bool value);
  // An array of `count` elements, which follow one by one before anything else.
  void array(std::string_view key, GgufValueType element, int64_t count);
  void element(std::string_view text);
  void element(int32_t number);
  void element(float number);

  // The data: the next `size_bytes` of the tensor that is not complete yet. The first call ends the metadata.
  void write(const void* data, int64_t size_bytes);
  // Durable under its name when it returns its bytes. Every declared byte must have been written.
  int64_t finish();

 private:
  template <class Number>
  void put(Number number);
  void put_text(std::string_view text);
  void key(std::string_view name, GgufValueType type);
  void flush();
  void begin_data();
  void pad();

  AtomicFile output_;
  std::vector<GgufDeclaration> tensors_;
  std::string pending_;
  int64_t offset_bytes_ = 0;  // in the file, of what is pending
  uint64_t keys_ = 0;
  bool in_data_ = false;
  size_t current_ = 0;  // the tensor being written
  int64_t done_bytes_ = 0;
};

}  // namespace headroom
