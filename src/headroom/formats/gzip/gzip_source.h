// What a gzip file (RFC 1952) holds, unpacked as it is read, in fixed memory; members that follow one another are one.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "headroom/base/byte_source.h"

namespace headroom {

// Whether a file that begins so is one.
inline bool is_gzip(std::string_view head) { return head.starts_with("\x1f\x8b"); }

class GzipSource final : public ByteSource {
 public:
  // The most memory that one takes.
  static constexpr int64_t kMemoryBytes = 128 * 1024;

  // `file` is borrowed.
  explicit GzipSource(const File& file);
  ~GzipSource() override;

  // Throws InvalidInput naming file and byte for what is damaged, cut off, or followed by something else.
  int64_t read(void* data, int64_t size_bytes) override;

  // Bytes of the file that have been read.
  int64_t position_bytes() const { return offset_; }

 private:
  struct Inflater;

  bool fill();
  bool begins_member();

  const File& file_;
  std::unique_ptr<Inflater> inflater_;
  std::vector<unsigned char> buffer_;
  int64_t offset_ = 0;
  bool at_end_ = false;
};

}  // namespace headroom
