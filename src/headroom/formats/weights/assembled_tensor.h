// A value's elements out of several tensors of files, or out of a part of one, as one tensor to read from.
#pragma once

#include <string>
#include <vector>

#include "headroom/base/box.h"
#include "headroom/formats/weights/weight_files.h"

namespace headroom {

struct TensorPart {
  WeightTensor source;
  Box from;  // in the source
  Box to;    // in the value
};

class AssembledTensor final : public TensorFile {
 public:
  // Parts give every element of the value once. Throws InternalError where they are not boxes of their tensors, or are
  // not as many elements as the value.
  AssembledTensor(std::string name, const Shape& shape, std::vector<TensorPart> parts);

  // The value, whose file is this object; read() serves it, decode() does not.
  WeightTensor value() const;

  const std::string& path() const override { return parts_.front().source.file->path(); }
  int64_t count() const override { return 1; }
  StoredTensor tensor(int64_t index) const override;
  int64_t find(std::string_view name) const override { return name == name_ ? 0 : -1; }
  void read(const StoredTensor& tensor, int64_t first, int64_t count, DType wanted, void* out,
            NanCheck nan_check) const override;
  const File& file(const StoredTensor& tensor) const override;
  int64_t unit_bytes(const StoredTensor& tensor) const override;
  void decode(const StoredTensor& tensor, int64_t first, std::span<const std::byte> bytes, DType wanted, void* out,
              NanCheck nan_check) const override;

 private:
  // The parts that may have elements [first, first + count).
  std::span<const TensorPart> parts_of(int64_t first, int64_t count) const;

  std::string name_;
  Shape shape_;
  std::vector<TensorPart> parts_;
  bool is_stack_ = false;  // of whole tensors of one size, one behind the other
};

}  // namespace headroom
