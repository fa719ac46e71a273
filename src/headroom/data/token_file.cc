#include "headroom/data/token_file.h"

#include <array>
#include <bit>
#include <cstring>

#include "headroom/base/errors.h"
#include "headroom/base/fingerprint.h"
#include "headroom/data/marked_token.h"

namespace headroom {
namespace {

static_assert(std::endian::native == std::endian::little, "token files are written as they lie in memory");

constexpr int64_t kHeaderBytes = 256;
constexpr size_t kChecksumAt = kHeaderBytes - 8;
constexpr std::string_view kMagic = "HEADTOK3";
constexpr size_t kPendingIds = 4096;
constexpr int64_t kIdBytes = 4;

using Header = std::array<char, kHeaderBytes>;
using Fields = std::array<int64_t, 17>;

uint64_t checksum(const Header& header) {
  Fingerprint fingerprint;
  fingerprint.add(std::string_view(header.data(), kChecksumAt));
  return fingerprint.value();
}

Header encode(const TokenFileInfo& info) {
  const Fields fields = {info.tokens,
                         info.documents,
                         info.vocabulary,
                         info.rows_per_step,
                         info.row_length,
                         static_cast<int64_t>(info.source_fingerprint),
                         static_cast<int64_t>(info.encoder_fingerprint),
                         info.end_of_text,
                         info.isolated,
                         info.truncated,
                         info.truncated_tokens,
                         info.dropped,
                         info.split_borders,
                         info.padding,
                         info.preferences,
                         info.without_reasoning,
                         info.without_tools};
  Header header = {};
  std::memcpy(header.data(), kMagic.data(), kMagic.size());
  std::memcpy(header.data() + kMagic.size(), fields.data(), sizeof fields);
  const uint64_t sum = checksum(header);
  std::memcpy(header.data() + kChecksumAt, &sum, sizeof sum);
  return header;
}

TokenFileInfo decode(const Header& header) {
  Fields fields = {};
  std::memcpy(fields.data(), header.data() + kMagic.size(), sizeof fields);
  TokenFileInfo info;
  info.tokens = fields[0];
  info.documents = fields[1];
  info.vocabulary = fields[2];
  info.rows_per_step = fields[3];
  info.row_length = fields[4];
  info.source_fingerprint = static_cast<uint64_t>(fields[5]);
  info.encoder_fingerprint = static_cast<uint64_t>(fields[6]);
  info.end_of_text = fields[7];
  info.isolated = fields[8];
  info.truncated = fields[9];
  info.truncated_tokens = fields[10];
  info.dropped = fields[11];
  info.split_borders = fields[12];
  info.padding = fields[13];
  info.preferences = fields[14];
  info.without_reasoning = fields[15];
  info.without_tools = fields[16];
  return info;
}

}  // namespace

TokenFileWriter::TokenFileWriter(std::string path, int64_t vocabulary)
    : output_(std::move(path)), vocabulary_(vocabulary) {
  if (vocabulary > kMaxMarkedVocabulary) {
    throw InvalidInput("{}: a vocabulary of {} ids; expected at most {}", output_.path(), vocabulary,
                       kMaxMarkedVocabulary);
  }
  pending_.reserve(kPendingIds);
}

void TokenFileWriter::add(std::span<const int32_t> tokens) {
  for (const int32_t token : tokens) {
    ensure(token == kPadding || marked_id(token) < vocabulary_, "token id {} outside the vocabulary of {}",
           marked_id(token), vocabulary_);
    pending_.push_back(token);
    if (pending_.size() == kPendingIds) flush();
  }
}

void TokenFileWriter::flush() {
  const int64_t count = static_cast<int64_t>(pending_.size());
  output_.file().write(kHeaderBytes + tokens_ * kIdBytes, pending_.data(), count * kIdBytes);
  tokens_ += count;
  pending_.clear();
}

TokenFileInfo TokenFileWriter::finish(TokenFileInfo info) {
  flush();
  info.tokens = tokens_;
  info.vocabulary = vocabulary_;
  const Header header = encode(info);
  output_.file().write(0, header.data(), kHeaderBytes);
  output_.commit();
  return info;
}

TokenFile::TokenFile(const std::string& path) : file_(File::open(path)) {
  Header header = {};
  file_.read(0, header.data(), kHeaderBytes);
  uint64_t sum = 0;
  std::memcpy(&sum, header.data() + kChecksumAt, sizeof sum);
  if (std::string_view(header.data(), kMagic.size()) != kMagic || sum != checksum(header)) {
    throw InvalidInput("{}: is not a token file of this version of headroom; remove it to have it made again", path);
  }
  info_ = decode(header);
  const int64_t data_bytes = file_.size_bytes() - kHeaderBytes;
  if (data_bytes % kIdBytes != 0 || data_bytes / kIdBytes != info_.tokens) {
    throw InvalidInput(
        "{}: the token file is damaged; expected {} tokens, got {} bytes; remove it to have it made again", path,
        info_.tokens, data_bytes);
  }
}

void TokenFile::read(int64_t first, int64_t count, int32_t* tokens) const {
  ensure(first >= 0 && count >= 0 && first <= info_.tokens - count, "{}: tokens {} to {} lie outside the file", path(),
         first, first + count);
  file_.read(kHeaderBytes + first * kIdBytes, tokens, count * kIdBytes);
  for (int64_t index = 0; index < count; ++index) {
    if (tokens[index] != kPadding && marked_id(tokens[index]) >= info_.vocabulary) {
      throw InvalidInput("{}: the token file is damaged; expected ids below {}, got {} at position {}", path(),
                         info_.vocabulary, marked_id(tokens[index]), first + index);
    }
  }
}

}  // namespace headroom
