#include "headroom/generate/token_log.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace headroom {
namespace {

constexpr size_t kPendingBytes = 16 * 1024;

}  // namespace

TokenLog::TokenLog(const std::string& path, std::span<const int32_t> prompt) : output_(path) {
  write("{\n  \"prompt_ids\": [");
  for (size_t i = 0; i < prompt.size(); ++i) write(fmt::format("{}{}", i == 0 ? "" : ", ", prompt[i]));
  write("],\n  \"tokens\": [");
}

void TokenLog::add(int32_t id, std::string_view text, float logprob) {
  const std::string quoted = nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const std::string number = std::isfinite(logprob) ? fmt::format("{}", logprob) : "null";
  write(fmt::format("{}\n    {{\"id\": {}, \"text\": {}, \"logprob\": {}}}", empty_ ? "" : ",", id, quoted, number));
  empty_ = false;
}

void TokenLog::finish() {
  write("\n  ]\n}\n");
  flush();
  output_.commit();
}

void TokenLog::write(std::string_view text) {
  pending_ += text;
  if (pending_.size() >= kPendingBytes) flush();
}

void TokenLog::flush() {
  output_.file().write(offset_bytes_, pending_.data(), static_cast<int64_t>(pending_.size()));
  offset_bytes_ += static_cast<int64_t>(pending_.size());
  pending_.clear();
}

}  // namespace headroom
