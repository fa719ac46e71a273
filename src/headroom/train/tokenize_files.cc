#include "headroom/train/tokenize_files.h"

#include <filesystem>
#include <optional>

#include "headroom/base/errors.h"
#include "headroom/base/fingerprint.h"
#include "headroom/train/text_source.h"

namespace headroom {
namespace {

uint64_t fingerprint_of_files(std::span<const std::string> paths) {
  Fingerprint all;
  for (const std::string& path : paths) {
    all.add(File::open(path).size_bytes());
    all.add(static_cast<int64_t>(fingerprint_of_file(path)));
  }
  return all.value();
}

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

}  // namespace

TokenFileInfo tokenize_files(std::span<const std::string> paths, TextEncoder& encoder, const std::string& output,
                             const TokenizeProgress& progress) {
  TokenFileInfo info;
  info.source_fingerprint = fingerprint_of_files(paths);
  info.encoder_fingerprint = encoder.fingerprint();
  info.end_of_text = encoder.end_of_text().value_or(-1);
  const std::optional<TokenFileInfo> existing = existing_info(output);
  if (existing && existing->source_fingerprint == info.source_fingerprint && existing->row_length == 0 &&
      existing->encoder_fingerprint == info.encoder_fingerprint && existing->end_of_text == info.end_of_text) {
    return *existing;
  }

  int64_t total_bytes = 0, done_bytes = 0;
  for (const std::string& path : paths) total_bytes += File::open(path).size_bytes();
  TokenFileWriter writer(output, encoder.vocabulary());
  const TextEncoder::Emit emit = [&](std::span<const int32_t> ids) { writer.add(ids); };
  DocumentSink sink;
  sink.text = [&](std::string_view text) {
    encoder.feed(text, emit);
    done_bytes += static_cast<int64_t>(text.size());
    if (progress) progress(done_bytes, total_bytes);
  };
  sink.end_document = [&] {
    encoder.end_document(emit);
    ++info.documents;
    if (const std::optional<int32_t> end = encoder.end_of_text()) writer.add({&*end, 1});
  };
  for (const std::string& path : paths) read_documents(path, sink);
  if (info.documents == 0)
    throw InvalidInput("{}: holds no text; expected at least one document", paths.empty() ? "--data" : paths[0]);
  return writer.finish(info);
}

}  // namespace headroom
