// A file of named tensors, whatever its format, as weights are read from it: safetensors.h, gguf_weights.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "headroom/base/file.h"
#include "headroom/base/shape.h"
#include "headroom/formats/weights/stored_type.h"

namespace headroom {

class BlockFormat;

struct StoredTensor {
  std::string_view name;  // lives as long as its file
  StoredType type = StoredType::f32;
  std::string_view type_name;  // the file's spelling: "BF16", "Q8_0"
  Shape shape;
  int32_t part = 0;          // of a TensorFile that is several files
  int64_t offset_bytes = 0;  // in the file
  int64_t size_bytes = 0;
  bool in_order = true;  // the elements lie in the file as read() gives them; decode() serves no others
  // Not 0: that is because rows are interleaved in heads of so many (base/interleaved_rows.h).
  int64_t head_rows = 0;
  const BlockFormat* format = nullptr;  // whose bytes in memory are the file's, to be copied; null: there is none
  // That holds each element exactly, though the bytes lie otherwise; null: there is none. Where `blocks` is not null,
  // the file holds those in one piece (TensorFile::regroup); otherwise the tensor comes of several (TensorFile::fill).
  const BlockFormat* exact_format = nullptr;
  const BlockFormat* blocks = nullptr;
};

// Where a tensor goes in a value of several of its shape: number `index` of `count`, one behind the other.
struct StackPlace {
  int64_t index = 0;
  int64_t count = 1;

  // Of the value: [count, ...], or that of the tensor itself.
  Shape whole(const Shape& one) const;
};

enum class NanCheck : uint8_t { allow, refuse };

// Throws InvalidInput naming the tensor of the file where one of `count` numbers is a NaN. `first`: the first one's
// index.
void refuse_nan(const std::string& path, const StoredTensor& tensor, int64_t first, DType dtype, const void* numbers,
                int64_t count);

class TensorFile {
 public:
  TensorFile() = default;
  virtual ~TensorFile() = default;
  TensorFile(const TensorFile&) = delete;
  TensorFile& operator=(const TensorFile&) = delete;
  TensorFile(TensorFile&&) = default;
  TensorFile& operator=(TensorFile&&) = default;

  virtual const std::string& path() const = 0;
  virtual int64_t count() const = 0;
  virtual StoredTensor tensor(int64_t index) const = 0;
  virtual std::string_view name(int64_t index) const { return tensor(index).name; }
  // Index of the tensor called `name`, -1 if there is none.
  virtual int64_t find(std::string_view name) const = 0;

  // Elements [first, first + count) of `tensor` as `wanted`, into `out` (count * size_of(wanted) bytes): f64, f32, f16
  // and bf16 convert among each other (convert.h), i32 reads as i32, and a format may add others. Throws InvalidInput
  // naming the tensor for another pair, and for a NaN if that is refused. Threads may read at the same time.
  virtual void read(const StoredTensor& tensor, int64_t first, int64_t count, DType wanted, void* out,
                    NanCheck nan_check = NanCheck::allow) const = 0;

  // For those who read many tensors in the file's order, by blocks (tensor_loader.h): the file itself that holds
  // `tensor`; the bytes of it that belong together (an element, a block of quantised values); and the elements of its
  // `bytes`, whole units as they are stored, as `wanted` into `out`. `first` is the first one's index, for messages.
  // Throws as read().
  virtual const File& file(const StoredTensor& tensor) const = 0;
  virtual int64_t unit_bytes(const StoredTensor& tensor) const = 0;
  virtual void decode(const StoredTensor& tensor, int64_t first, std::span<const std::byte> bytes, DType wanted,
                      void* out, NanCheck nan_check) const = 0;
  // Puts the elements of `bytes`, whole units of a tensor that has an exact_format, into the tensor in that format at
  // `out`, wherever they belong. `first` is the first one's number in the file. Then the format's finish() is due.
  virtual void regroup(const StoredTensor& tensor, int64_t first, std::span<const std::byte> bytes,
                       std::byte* out) const;
  // Puts a tensor that has an exact_format as a whole into its place in the value in it at `out`: finished, where the
  // value is that tensor. Throws as read().
  virtual void fill(const StoredTensor& tensor, std::byte* out, StackPlace place) const;
};

}  // namespace headroom
