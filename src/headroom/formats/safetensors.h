// Reads safetensors files (github.com/huggingface/safetensors, "Format"): an 8-byte length, a JSON header, raw tensors.
//
// The header is hostile until proven otherwise. What opens is sound: known dtypes, sizes that are shape x dtype, names
// that are unique, data that cover the rest of the file without holes or overlap. Memory: about as much as the header
// takes in the file, whatever it says, plus 32 KiB. Data go from pread straight into the caller's memory, never mapped.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/base/file.h"
#include "headroom/base/shape.h"

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
  c64
};
std::string_view name_of(StoredType type);  // the file's spelling: "BF16"
int64_t size_of(StoredType type);
StoredType stored_type_of(DType dtype);

struct StoredTensor {
  std::string_view name;  // lives as long as its SafetensorsFile
  StoredType type = StoredType::f32;
  Shape shape;
  int64_t offset_bytes = 0;  // in the file
  int64_t size_bytes = 0;
};

enum class NanCheck : uint8_t { allow, refuse };

class SafetensorsFile {
 public:
  static constexpr int64_t kMaxHeaderBytes = 16 * 1024 * 1024;

  // Throws InvalidInput naming the file and what is wrong with it.
  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const { return file_.path(); }
  int64_t header_bytes() const { return data_begin_ - 8; }
  // Tensors in the order of their data.
  int64_t count() const { return static_cast<int64_t>(records_.size()); }
  StoredTensor tensor(int64_t index) const;
  // Index of the tensor called `name`, -1 if there is none.
  int64_t find(std::string_view name) const;

  // Elements [first, first + count) of `tensor` as `wanted`, into `out` (count * size_of(wanted) bytes): f64, f32, f16
  // and bf16 convert among each other (convert.h), I32 reads as i32. Throws InvalidInput naming the tensor for another
  // pair, and for a NaN if that is refused. Threads may read at the same time.
  void read(const StoredTensor& tensor, int64_t first, int64_t count, DType wanted, void* out,
            NanCheck nan_check = NanCheck::allow) const;

 private:
  // 48 bytes: less than the shortest entry of a header, so that memory never exceeds the header.
  struct Record {
    std::array<int64_t, Shape::kMaxRank> dims = {};
    int64_t begin = 0;
    uint32_t name_begin = 0;
    uint16_t name_bytes = 0;
    StoredType type = StoredType::f32;
    uint8_t rank = 0;
  };
  struct HeaderParser;

  std::string_view name_of_record(const Record& record) const;
  int64_t size_of_record(const Record& record) const;
  void parse_header();
  void check_layout();
  void index_names();

  File file_;
  int64_t data_begin_ = 0;
  int64_t data_bytes_ = 0;
  std::string names_;
  std::vector<Record> records_;    // by offset
  std::vector<uint32_t> by_name_;  // indices into records_
};

}  // namespace headroom
