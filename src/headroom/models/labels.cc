#include "headroom/models/labels.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/models/model.h"

namespace headroom {
namespace {

constexpr int64_t kMostLabels = 1 << 16;
// That can be read again, with what the trained model's config says beside.
constexpr int64_t kMostConfigBytes = JsonObject::kMaxFileBytes - 1024;

std::vector<std::string> numbered_labels(int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(fmt::format("LABEL_{}", i));
  return names;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// "3" or "good,bad".
std::vector<std::string> parse_labels(const std::string& labels) {
  int64_t count = 0;
  const auto [end, error] = std::from_chars(labels.data(), labels.data() + labels.size(), count);
  const bool is_count = error == std::errc() && end == labels.data() + labels.size();
  if (is_count && count >= 2 && count <= kMostLabels) return numbered_labels(count);
  std::vector<std::string> names = is_count ? std::vector<std::string>{} : split(labels);
  const std::set<std::string> different(names.begin(), names.end());
  if (names.size() < 2 || different.size() != names.size() || different.contains("")) {
    throw InvalidInput("--labels {}: expected a number of 2 to {}, or as many different names with commas", labels,
                       kMostLabels);
  }
  return names;
}

}  // namespace

bool is_classifier(const JsonObject& config) {
  if (!config.has("architectures")) return false;
  const std::vector<std::string> names = config.texts("architectures");
  return !names.empty() && names.front().ends_with("ForSequenceClassification");
}

std::vector<std::string> read_labels(const JsonObject& config, int64_t most) {
  const std::string problem = config.text_or("problem_type", "single_label_classification");
  if (problem != "single_label_classification") {
    throw InvalidInput("{}: {} is not supported; expected single_label_classification", config.where("problem_type"),
                       config.show("problem_type"));
  }
  const std::optional<JsonObject> named = config.object_if("id2label");
  const int64_t count = named ? static_cast<int64_t>(named->keys().size()) : 2;
  const int64_t number = config.integer_or("num_labels", count, 1, kMostLabels);
  const char* const key = named ? "id2label" : "num_labels";
  if (named && number != count) {
    throw InvalidInput("{}: {} labels, but id2label names {}", config.where("num_labels"), number, count);
  }
  if (number < 2 || number > std::min(most, kMostLabels)) {
    throw InvalidInput("{}: {} labels are not supported; expected 2 to {}{}", config.where(key), number,
                       std::min(most, kMostLabels), number == 1 ? " (one label is a regression)" : "");
  }
  if (!named) return numbered_labels(number);
  std::vector<std::string> names;
  for (int64_t i = 0; i < number; ++i) names.push_back(named->text(fmt::format("{}", i)));
  return names;
}

JsonObject with_labels(const JsonObject& config, const std::string& labels) {
  const Architecture& architecture = find_architecture(config);
  if (is_classifier(config)) {
    throw InvalidInput("--labels {}: the model is a classifier, with labels of its own; expected a language model",
                       labels);
  }
  nlohmann::ordered_json names = nlohmann::ordered_json::object();
  nlohmann::ordered_json numbers = nlohmann::ordered_json::object();
  int64_t number = 0;
  for (const std::string& name : parse_labels(labels)) {
    names[fmt::format("{}", number)] = name;
    numbers[name] = number++;
  }
  JsonObject labelled = config.with("architectures", nlohmann::ordered_json::array({architecture.classifier}))
                            .with("id2label", std::move(names))
                            .with("label2id", std::move(numbers));
  const std::string text = labelled.json().dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  const auto size = static_cast<int64_t>(text.size());
  if (size > kMostConfigBytes) {
    throw InvalidInput("--labels: {} of them make a config.json of {} bytes; expected at most {}", format_count(number),
                       format_count(size), format_count(kMostConfigBytes));
  }
  return labelled;
}

}  // namespace headroom
