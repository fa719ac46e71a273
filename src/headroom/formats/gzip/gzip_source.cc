#include "headroom/formats/gzip/gzip_source.h"

#include <zlib.h>

#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr size_t kPackedBytes = 16 * 1024;
constexpr int kGzipWindow = 15 + 16;  // the largest window, and gzip's header and checksum alone

}  // namespace

struct GzipSource::Inflater {
  z_stream stream = {};
  Inflater() {
    if (inflateInit2(&stream, kGzipWindow) != Z_OK) throw MachineFailure("zlib: cannot begin to unpack");
  }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
};

GzipSource::GzipSource(const File& file)
    : file_(file), inflater_(std::make_unique<Inflater>()), buffer_(kPackedBytes) {}

GzipSource::~GzipSource() = default;

// Whether packed bytes wait.
bool GzipSource::fill() {
  z_stream& stream = inflater_->stream;
  if (stream.avail_in > 0) return true;
  const int64_t got = file_.read_some(offset_, buffer_.data(), static_cast<int64_t>(buffer_.size()));
  offset_ += got;
  stream.next_in = buffer_.data();
  stream.avail_in = static_cast<uInt>(got);
  return got > 0;
}

// Behind a member: another one, or the end of the file, before which there may be zeros.
bool GzipSource::begins_member() {
  z_stream& stream = inflater_->stream;
  bool has_zeros = false;
  while (fill() && *stream.next_in == 0) {
    has_zeros = true;
    ++stream.next_in;
    --stream.avail_in;
  }
  if (stream.avail_in == 0) return false;
  if (has_zeros || *stream.next_in != 0x1f) {
    throw InvalidInput("{}: something that is no gzip follows the packed data, before byte {}", file_.path(),
                       format_count(offset_ - stream.avail_in));
  }
  inflateReset(&stream);
  return true;
}

int64_t GzipSource::read(void* data, int64_t size_bytes) {
  z_stream& stream = inflater_->stream;
  const auto wanted = static_cast<uInt>(std::min<int64_t>(size_bytes, 1 << 20));
  stream.next_out = static_cast<unsigned char*>(data);
  stream.avail_out = wanted;
  while (stream.avail_out == wanted && !at_end_) {
    if (!fill()) throw InvalidInput("{}: the gzip data end in the middle; the file is truncated", file_.path());
    const int state = inflate(&stream, Z_NO_FLUSH);
    if (state == Z_STREAM_END) {
      at_end_ = !begins_member();
    } else if (state != Z_OK && state != Z_BUF_ERROR) {
      throw InvalidInput("{}: the gzip data are damaged near byte {}: {}", file_.path(),
                         format_count(offset_ - stream.avail_in),
                         stream.msg != nullptr ? stream.msg : "no reason given");
    }
  }
  return static_cast<int64_t>(wanted - stream.avail_out);
}

}  // namespace headroom
