// Reads GGUF files, versions 2 and 3, little-endian (ggml's docs/gguf.md): metadata as typed values by key, and the
// table of tensors under the names and types of the file. What a tensor means to a model is gguf_weights.h.
//
// The file is hostile until proven otherwise. What opens is sound: keys and names are unique, types are known, every
// value, string and tensor lies inside the file, aligned, and no two tensors overlap. Memory: about as much as names
// and dimensions take in the file, plus 64 KiB; values stay in the file, arrays are read one element at a time.
//
// A model that is cut into several files (gguf_parts.h) is one GgufFile: the metadata of the first, the tensors of all.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/base/file.h"
#include "headroom/base/fingerprint.h"
#include "headroom/base/shape.h"
#include "headroom/formats/gguf/gguf_types.h"
#include "headroom/formats/tokenizer/byte_cursor.h"

namespace headroom {

struct GgufTensor {
  std::string_view name;  // lives as long as its GgufFile
  const GgmlType* type = nullptr;
  Shape shape;  // slowest dimension first, as everywhere in headroom; the file has it the other way round
  const File* file = nullptr;  // of the part that holds it
  int32_t part = 0;            // from 0
  int64_t offset_bytes = 0;    // in that file
  int64_t size_bytes = 0;
};

class GgufFile {
 public:
  static constexpr int64_t kMaxHeaderBytes = 64 * 1024 * 1024;  // metadata and table of tensors
  static constexpr int64_t kMaxKeys = 1024;
  static constexpr int64_t kMaxKeyBytes = 1024;
  static constexpr int64_t kMaxTensors = 65536;
  static constexpr int64_t kMaxNameBytes = 64;
  static constexpr int64_t kMaxTextBytes = 256 * 1024;

  // `path` may be any part of a model that is cut into several. Throws InvalidInput naming the file and what is wrong
  // with it, or the part that is missing.
  explicit GgufFile(const std::string& path);

  // Whether headroom takes the path for a GGUF file: by the letters that it begins with, or for what they were meant to
  // be by the ending .gguf. No directory is one.
  static bool is_gguf(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const File& file() const { return file_; }
  int64_t alignment_bytes() const { return alignment_bytes_; }

  // Keys in alphabetical order.
  std::vector<std::string_view> keys() const;
  bool has(std::string_view key) const { return find_value(key) != nullptr; }
  // The value, shortened; for people. The key must be there.
  std::string show(std::string_view key) const { return show(*find_value(key)); }
  // The value of `key`, which must be there, of its type and in its range. InvalidInput otherwise:
  //   model.gguf: llama.block_count: expected an integer from 1 to 65536, got 0
  int64_t integer(std::string_view key, int64_t min, int64_t max) const;
  double real(std::string_view key, double min, double max) const;
  bool boolean(std::string_view key) const;
  std::string text(std::string_view key) const;  // at most kMaxTextBytes
  // The same, or `fallback` where the key is absent.
  int64_t integer_or(std::string_view key, int64_t fallback, int64_t min, int64_t max) const;
  double real_or(std::string_view key, double fallback, double min, double max) const;
  bool boolean_or(std::string_view key, bool fallback) const;
  std::string text_or(std::string_view key, std::string_view fallback) const;
  bool is_array(std::string_view key) const;
  // Elements of the array `key`; 0 where it is absent. Its bytes in the file are at most array_bytes().
  int64_t length(std::string_view key) const;
  int64_t array_bytes(std::string_view key) const;
  // The bytes of the value, whatever its type.
  void add_to_fingerprint(std::string_view key, Fingerprint& print) const;

  // Tensors in alphabetical order.
  int64_t count() const { return static_cast<int64_t>(parts_.empty() ? tensors_.size() : places_.size()); }
  GgufTensor tensor(int64_t index) const;
  // -1 if there is none.
  int64_t find(std::string_view name) const;

 private:
  friend class GgufArray;
  struct Value {  // 32 bytes
    int64_t begin = 0;
    int64_t count = 0;  // of an array
    uint32_t bytes = 0;
    uint32_t key_begin = 0;
    uint16_t key_bytes = 0;
    GgufValueType type() const { return static_cast<GgufValueType>(type_number); }
    GgufValueType element() const { return static_cast<GgufValueType>(element_number); }
    uint8_t type_number = 0;
    uint8_t element_number = 0;
  };
  struct Record {       // 24 bytes, and 8 for each dimension: no more than the entry in the file
    int64_t begin = 0;  // from the beginning of the data
    uint32_t name_begin = 0;
    uint32_t dims_begin = 0;
    uint8_t name_bytes = 0;
    uint8_t rank = 0;
    uint8_t type_number = 0;
  };

  // In a file of several parts, where a tensor is: 0 for this one, and the index there.
  struct Place {
    int32_t part;
    int32_t index;
  };
  struct OnePart {};

  GgufFile(const std::string& path, OnePart);  // as it is, without the others
  void open_parts(int64_t count);
  const GgufFile& part(int32_t number) const { return number == 0 ? *this : *parts_[static_cast<size_t>(number) - 1]; }
  Place place(int64_t index) const {
    return parts_.empty() ? Place{0, static_cast<int32_t>(index)} : places_.at(static_cast<size_t>(index));
  }
  std::string_view name_at(Place place) const {
    const GgufFile& file = part(place.part);
    return file.name_of_record(file.tensors_.at(static_cast<size_t>(place.index)));
  }
  void read_keys(ByteCursor& cursor, int64_t count);
  void skip_value(ByteCursor& cursor, Value& value, std::string_view key);
  void read_tensors(ByteCursor cursor, int64_t count, bool keep);
  void check_layout(int64_t file_bytes);
  const Value* find_value(std::string_view key) const;
  const Value& require(std::string_view key, std::string_view expected) const;
  std::string show(const Value& value) const;
  [[noreturn]] void refuse(std::string_view key, std::string_view expected) const;
  int64_t integer_at(const Value& value) const;
  std::string_view key_of(const Value& value) const { return {keys_.data() + value.key_begin, value.key_bytes}; }
  std::string_view name_of_record(const Record& record) const {
    return {names_.data() + record.name_begin, record.name_bytes};
  }
  Shape shape_of(const Record& record) const;
  int64_t size_of_record(const Record& record) const;

  File file_;
  int64_t alignment_bytes_ = 32;
  int64_t data_begin_ = 0;
  std::string keys_;
  std::vector<Value> values_;  // by key
  std::string names_;
  std::vector<int64_t> dims_;
  std::vector<Record> tensors_;                   // by name
  std::vector<std::unique_ptr<GgufFile>> parts_;  // the second and further ones
  std::vector<Place> places_;                     // by name, where there are parts
};

// The elements of an array, first to last, through a fixed buffer.
//
//   for (GgufArray tokens(file, "tokenizer.ggml.tokens"); tokens.next();) use(tokens.text());
class GgufArray {
 public:
  static constexpr int64_t kMaxTextBytes = 65535;

  // Throws InvalidInput where `key` is no array of texts (`of_texts`), or else of numbers.
  GgufArray(const GgufFile& file, std::string_view key, bool of_texts);

  int64_t count() const { return count_; }
  // To the next element; false after the last.
  bool next();
  int64_t index() const { return index_; }
  // Good until next(). Throws InvalidInput for a text of more than kMaxTextBytes.
  std::string_view text() const { return text_; }
  // Integers beyond 2^53 are rounded.
  double number() const { return number_; }

 private:
  ByteCursor cursor_;
  std::string key_;
  std::string path_;
  GgufValueType element_;
  int64_t count_;
  int64_t index_ = -1;
  std::string text_;
  double number_ = 0;
};

}  // namespace headroom
