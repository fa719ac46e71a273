#include "headroom/data/encode_files.h"

#include <fmt/core.h>

#include <filesystem>
#include <optional>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/fingerprint.h"
#include "headroom/data/data_file.h"
#include "headroom/data/document_encoder.h"
#include "headroom/data/row_packer.h"

namespace headroom {
namespace {

// What lies at `path` if it is a whole token file; a damaged one is made again.
std::optional<TokenFileInfo> existing_info(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  try {
    return TokenFile(path).info();
  } catch (const InvalidInput&) {
    return std::nullopt;
  }
}

// Tells how far the encoding is as documents pass by.
class WatchedSink final : public DocumentSink {
 public:
  WatchedSink(DocumentEncoder& encoder, int64_t total_bytes, const TokenizeProgress& progress)
      : encoder_(encoder), total_bytes_(total_bytes), progress_(progress) {}

  void text(std::string_view piece) override {
    encoder_.text(piece);
    tell();
  }
  void end_text(bool open_ended) override { encoder_.end_text(open_ended); }
  void prompt_completion(const std::string& prompt, const std::string& completion) override {
    encoder_.prompt_completion(prompt, completion);
    tell();
  }
  void instruction(const Instruction& instruction) override {
    encoder_.instruction(instruction);
    tell();
  }
  void conversation(const ChatExample& example) override {
    encoder_.conversation(example);
    tell();
  }
  void left_out() override { encoder_.left_out(); }

 private:
  void tell() const {
    if (progress_) progress_(encoder_.text_bytes(), total_bytes_);
  }

  DocumentEncoder& encoder_;
  int64_t total_bytes_;
  const TokenizeProgress& progress_;
};

}  // namespace

std::string describe_unwritten(const TokenFileInfo& info) {
  std::string text;
  const auto warn = [&](int64_t count, std::string_view what) {
    if (count == 0) return;
    text += fmt::format("headroom: warning: the chat template does not write {} of {} of {} documents\n", what,
                        format_count(count), format_count(info.documents));
  };
  warn(info.without_reasoning, "the reasoning of the assistant in some or all messages");
  warn(info.without_tools, "the tools or documents");
  return text;
}

uint64_t fingerprint_of_files(std::span<const std::string> paths) {
  Fingerprint all;
  for (const std::string& path : paths) {
    all.add(File::open(path).size_bytes());
    all.add(static_cast<int64_t>(fingerprint_of_file(path)));
  }
  return all.value();
}

std::optional<TokenFileInfo> made_before(const std::string& output, const TokenFileInfo& wanted,
                                         const RowSettings& rows) {
  const std::optional<TokenFileInfo> existing = existing_info(output);
  if (existing && existing->source_fingerprint == wanted.source_fingerprint && existing->rows_per_step == 0 &&
      (existing->row_length == 0 || existing->row_length == rows.row_length) && existing->isolated == rows.isolate &&
      existing->encoder_fingerprint == wanted.encoder_fingerprint && existing->end_of_text == wanted.end_of_text) {
    return existing;
  }
  return std::nullopt;
}

TokenFileInfo tokenize_files(std::span<const std::string> paths, TextEncoder& encoder, const RowSettings& rows,
                             const std::string& output, const TokenizeProgress& progress) {
  TokenFileInfo info;
  info.source_fingerprint = fingerprint_of_files(paths);
  info.encoder_fingerprint = encoder.fingerprint();
  info.end_of_text = encoder.end_of_text().value_or(-1);
  if (const std::optional<TokenFileInfo> existing = made_before(output, info, rows)) return *existing;

  TokenFileWriter writer(output, encoder.vocabulary());
  RowPacker packer(writer, rows.row_length, rows.isolate);
  DocumentEncoder documents(encoder, rows.row_length, packer);
  WatchedSink sink(documents, text_bytes_of(paths), progress);
  for (const std::string& path : paths) info.preferences += read_documents(path, sink);
  packer.finish(info);
  info.documents = documents.documents();
  info.split_borders = documents.split_borders();
  info.without_reasoning = documents.without_reasoning();
  info.without_tools = documents.without_tools();
  const std::string where = paths.empty() ? "--data" : paths[0];
  if (info.documents == 0) throw InvalidInput("{}: holds no text; expected at least one document", where);
  if (writer.tokens() == 0 && info.dropped > 0) {
    throw InvalidInput("{}: none of {} examples has a token that counts among its first {}; try a larger --seq-len",
                       where, format_count(info.dropped), format_count(rows.row_length));
  }
  return writer.finish(info);
}

}  // namespace headroom
