// The file that holds what does not fit in memory: scratch without a name, so that it ends with the process however
// that ends, as large as the plan says from the start, so that a full disk is found then. It begins as zeros. Offsets,
// sizes and memory are multiples of kPageBytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace headroom {

class OffloadFile {
 public:
  // Makes `directory` where there is none. Throws InvalidInput where that or the file cannot be made, MachineFailure
  // where there is no room for `size_bytes` (whole pages).
  OffloadFile(const std::string& directory, int64_t size_bytes);
  ~OffloadFile();
  OffloadFile(const OffloadFile&) = delete;
  OffloadFile& operator=(const OffloadFile&) = delete;

  const std::string& directory() const { return directory_; }
  int64_t size_bytes() const { return size_bytes_; }
  int descriptor() const { return descriptor_; }
  // Whether transfers go past the page cache.
  bool is_direct() const { return direct_; }

  // All of it, now. Throw MachineFailure. Threads may call them at the same time.
  void read(int64_t offset, std::byte* data, int64_t size_bytes) const;
  void write(int64_t offset, const std::byte* data, int64_t size_bytes);

  // Reads [offset, offset + size_bytes) piece by piece through `memory`, which is aligned; the size need not be.
  using Piece = std::function<void(int64_t first_byte, std::span<const std::byte> bytes)>;
  void for_each_piece(int64_t offset, int64_t size_bytes, std::span<std::byte> memory, const Piece& piece) const;

 private:
  std::string directory_;
  int64_t size_bytes_ = 0;
  int descriptor_ = -1;
  bool direct_ = false;
};

// Takes the bytes of a value that lives at `offset` of the file, in pieces: calls (first byte, memory, bytes) with
// aligned memory that reaches to the end of its last page.
using OffloadSink = std::function<void(int64_t first_byte, const std::byte* data, int64_t size_bytes)>;
OffloadSink sink_into(OffloadFile& file, int64_t offset);

// "DIRECTORY: cannot VERB the offload file: TEXT OF ERRNO; ...".
[[noreturn]] void throw_offload_error(const std::string& directory, const char* verb, int error);

}  // namespace headroom
