#include "headroom/api/answer_file.h"

#include "headroom/base/bytes.h"

namespace headroom {
namespace {

constexpr size_t kPendingBytes = 64 * kKiB;

}  // namespace

void AnswerFile::add(const Prompt& prompt, const nlohmann::ordered_json& id, const Answer& answer) {
  nlohmann::ordered_json line = {{"index", prompt.number}};
  if (!id.is_null()) line["id"] = id;
  line["prompt_tokens"] = prompt.ids.size();
  line["new_tokens"] = answer.new_tokens();
  line["finish"] = answer.finish();
  line["text"] = answer.text();
  pending_ += line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  pending_ += '\n';
  if (pending_.size() > kPendingBytes) flush();
}

void AnswerFile::finish() {
  flush();
  output_.commit();
}

void AnswerFile::flush() {
  const auto bytes = static_cast<int64_t>(pending_.size());
  output_.file().write(offset_bytes_, pending_.data(), bytes);
  offset_bytes_ += bytes;
  pending_.clear();
}

}  // namespace headroom
