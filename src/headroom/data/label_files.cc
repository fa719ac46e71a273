#include "headroom/data/label_files.h"

#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/fingerprint.h"
#include "headroom/data/data_file.h"
#include "headroom/data/marked_token.h"

namespace headroom {
namespace {

uint64_t fingerprint_of(const TextEncoder& encoder, const LabelSettings& settings) {
  Fingerprint all;
  all.add(static_cast<int64_t>(encoder.fingerprint()));
  all.add(int64_t{settings.padding.value_or(-1)});
  for (const std::string& name : settings.names) {
    all.add(static_cast<int64_t>(name.size()));
    all.add(name);
  }
  return all.value();
}

}  // namespace

TokenFileInfo label_files(std::span<const std::string> paths, TextEncoder& encoder, const LabelSettings& settings,
                          const std::string& output, const TokenizeProgress& progress) {
  const RowSettings rows{.row_length = add_sizes(settings.max_tokens, 1, "--seq-len"), .isolate = false};
  TokenFileInfo info;
  info.row_length = rows.row_length;
  info.source_fingerprint = fingerprint_of_files(paths);
  info.encoder_fingerprint = fingerprint_of(encoder, settings);
  if (const std::optional<TokenFileInfo> existing = made_before(output, info, rows)) return *existing;

  const int64_t total_bytes = text_bytes_of(paths);
  int64_t done_bytes = 0;
  TokenFileWriter writer(output, std::max(encoder.vocabulary(), static_cast<int64_t>(settings.names.size())));
  std::vector<int32_t> row(static_cast<size_t>(rows.row_length));
  const OnLabelledText add = [&](std::span<const int32_t> ids, int32_t label, int64_t lost) {
    std::fill(row.begin(), row.end(), kPadding);
    for (size_t t = 0; t < ids.size(); ++t) row[t] = mark_token(ids[t], false, t == 0);
    row[ids.size()] = mark_token(label, true, false);
    writer.add(row);
    ++info.documents;
    info.truncated += lost > 0 ? 1 : 0;
    info.truncated_tokens += lost;
    info.padding += rows.row_length - static_cast<int64_t>(ids.size()) - 1;
  };
  for (const std::string& path : paths) {
    read_labelled_texts(path, encoder, settings, add, [&](int64_t bytes) {
      if (progress) progress(done_bytes + bytes, total_bytes);
    });
    done_bytes += DataFile(path).text_bytes();
  }
  if (info.documents == 0) {
    throw InvalidInput("{}: holds no text; expected lines with \"text\" and \"label\"",
                       paths.empty() ? "--data" : paths[0]);
  }
  return writer.finish(info);
}

}  // namespace headroom
