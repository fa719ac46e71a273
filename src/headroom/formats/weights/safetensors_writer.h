// Writes a safetensors file: all tensors are declared first, then their elements are streamed from the caller's memory,
// in the same order or, by several threads, in any. The file appears whole under its name or not at all
// (base/atomic_file.h) and depends on nothing but what was declared and written.
//
// A tensor declared in a grouped format becomes U8 of shape [bytes], with a note of what it is (weight_notes.h); its
// elements, for what follows, are these bytes.
//
// The data begin at a multiple of 4096 bytes. The format knows no holes, so what follows is aligned as the tensors
// before it allow (weight_writer.h sees to their order).
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/base/atomic_file.h"
#include "headroom/base/direct_file.h"
#include "headroom/base/shape.h"

namespace headroom {

struct TensorDeclaration {
  std::string name;  // UTF-8, unique, not "__metadata__"
  Type type;         // as stored

  // Whose elements the file has: that type, or of a grouped format its bytes.
  Type type_in_file() const { return is_scalar(type.dtype) ? type : u8({type.bytes()}); }
};

class SafetensorsWriter {
 public:
  // Opens the temporary file and writes the header. Throws as AtomicFile does; InternalError for declarations that a
  // file cannot hold.
  SafetensorsWriter(std::string path, std::vector<TensorDeclaration> tensors);

  // Bytes that the file will have.
  static int64_t file_bytes(std::span<const TensorDeclaration> tensors);

  // The next `count` elements of tensor `name`, in memory as `dtype`; converted as convert.h says. Tensors come in the
  // order of their declaration, each complete before the next begins; InternalError otherwise.
  void write(std::string_view name, DType dtype, const void* data, int64_t count);

  // Elements [first, first + count) of tensor number `tensor`, in memory as they are stored. In any order, each element
  // once, and not mixed with write(); threads may write at the same time. Quickest are large pieces whose memory and
  // offset_of(tensor, first) are equal modulo kPageBytes (base/page.h).
  void write_at(size_t tensor, int64_t first, const void* data, int64_t count);
  // Where in the file that element is.
  int64_t offset_of(size_t tensor, int64_t first) const;

  // Durable under its name when it returns. Every declared element must have been written.
  void finish();

 private:
  void pass_complete_tensors();

  AtomicFile output_;
  DirectWriter direct_{output_.file()};
  std::vector<TensorDeclaration> tensors_;
  std::vector<int64_t> begins_;            // of the tensors, in the file
  size_t current_ = 0;                     // the tensor being written
  int64_t done_ = 0;                       // its elements written so far
  int64_t data_bytes_ = 0;                 // of all tensors
  std::atomic<int64_t> written_bytes_{0};  // of them
};

}  // namespace headroom
