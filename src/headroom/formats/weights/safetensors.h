// Reads safetensors files (github.com/huggingface/safetensors, "Format"): an 8-byte length, a JSON header, raw tensors.
//
// The header is hostile until proven otherwise. What opens is sound: known dtypes, sizes that are shape x dtype, names
// that are unique, data that cover the rest of the file without holes or overlap. Where the file has tensors in grouped
// formats (weight_notes.h), they have the shapes and types that its metadata say, and read() decodes them. Memory:
// about as much as the header takes in the file, whatever it says, plus 32 KiB. Data go from pread straight into the
// caller's memory, never mapped.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/base/file.h"
#include "headroom/base/shape.h"
#include "headroom/formats/weights/tensor_file.h"

namespace headroom {

class SafetensorsFile final : public TensorFile {
 public:
  static constexpr int64_t kMaxHeaderBytes = 16 * 1024 * 1024;

  // Throws InvalidInput naming the file and what is wrong with it.
  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const override { return file_.path(); }
  int64_t header_bytes() const { return data_begin_ - 8; }
  // Tensors in the order of their data.
  int64_t count() const override { return static_cast<int64_t>(records_.size()); }
  StoredTensor tensor(int64_t index) const override;
  std::string_view name(int64_t index) const override {
    return name_of_record(records_.at(static_cast<size_t>(index)));
  }
  int64_t find(std::string_view name) const override;
  void read(const StoredTensor& tensor, int64_t first, int64_t count, DType wanted, void* out,
            NanCheck nan_check = NanCheck::allow) const override;
  const File& file(const StoredTensor&) const override { return file_; }
  int64_t unit_bytes(const StoredTensor& tensor) const override {
    return tensor.format != nullptr ? 1 : size_of(tensor.type);
  }
  void decode(const StoredTensor& tensor, int64_t first, std::span<const std::byte> bytes, DType wanted, void* out,
              NanCheck nan_check) const override;

 private:
  // 48 bytes: less than the shortest entry of a header, so that memory never exceeds the header.
  struct Record {
    std::array<int64_t, Shape::kMaxRank> dims = {};
    int64_t begin = 0;
    uint32_t name_begin : 24 = 0;  // a header is shorter
    uint32_t format : 8 = 0;       // a DType, where the type is encoded
    uint16_t name_bytes = 0;
    StoredType type = StoredType::f32;
    uint8_t rank = 0;

    Shape shape() const { return Shape::from(std::span(dims).first(rank)); }
  };
  struct HeaderParser;

  std::string_view name_of_record(const Record& record) const;
  int64_t size_of_record(const Record& record) const;
  bool parse_header();
  void check_layout();
  void index_names();
  void read_weight_notes();

  File file_;
  int64_t data_begin_ = 0;
  int64_t data_bytes_ = 0;
  std::string names_;
  std::vector<Record> records_;    // by offset
  std::vector<uint32_t> by_name_;  // indices into records_
};

}  // namespace headroom
