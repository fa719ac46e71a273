#include "headroom/data/labelled_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/data/chat_examples.h"
#include "headroom/data/records.h"

namespace headroom {
namespace {

constexpr size_t kMostNamesShown = 12;
constexpr size_t kMaxLabelBytes = 1024;

class Reader {
 public:
  Reader(Records& records, TextEncoder& encoder, const LabelSettings& settings, const OnLabelledText& on_text)
      : records_(records), encoder_(encoder), settings_(settings), on_text_(on_text) {}

  void read(const OnReadBytes& on_bytes) {
    while (records_.next()) {
      read_record();
      if (on_bytes) on_bytes(records_.position_bytes());
    }
  }

 private:
  void read_record() {
    bool has_text = false;
    std::optional<int32_t> label;
    std::string name;
    while (records_.next_field(name)) {
      if (name == "text") {
        if (has_text) records_.fail("\"text\" occurs twice");
        has_text = true;
        read_text();
      } else if (name == "label") {
        if (label) records_.fail("\"label\" occurs twice");
        label = read_label();
      } else if (name == "weight" || name == "train") {
        require_learned(name);
      } else {
        records_.skip();
      }
    }
    if (!has_text || !label) {
      records_.fail(
          fmt::format("the object has no \"{}\"; expected \"text\" and \"label\"", has_text ? "label" : "text"));
    }
    if (ids_.empty()) records_.fail("the text has no tokens");
    on_text_(ids_, *label, count_ - static_cast<int64_t>(ids_.size()));
  }

  void read_text() {
    ids_.clear();
    count_ = 0;
    const TextEncoder::Emit emit = [&](std::span<const int32_t> ids) {
      const int64_t room = std::max<int64_t>(settings_.max_tokens - count_, 0);
      const auto taken = static_cast<size_t>(std::min(room, static_cast<int64_t>(ids.size())));
      ids_.insert(ids_.end(), ids.begin(), ids.begin() + static_cast<ptrdiff_t>(taken));
      count_ += static_cast<int64_t>(ids.size());
    };
    encoder_.begin(TextEncoder::Frame::whole, emit);
    records_.text("text", [&](std::string_view piece) { encoder_.feed(piece); });
    encoder_.end();
    const size_t cut = ids_.size();
    while (ids_.size() > 1 && ids_.back() == settings_.padding) ids_.pop_back();
    count_ -= static_cast<int64_t>(cut - ids_.size());
  }

  int32_t read_label() {
    const auto labels = static_cast<int64_t>(settings_.names.size());
    RecordRoom room(kMaxLabelBytes, 1);
    const nlohmann::ordered_json label = records_.value(room);
    if (label.is_number()) return number_of_label(label);
    if (!label.is_string()) records_.fail("expected a number or a name in \"label\"");
    const std::string name = label;
    const auto found = std::find(settings_.names.begin(), settings_.names.end(), name);
    if (found != settings_.names.end()) return static_cast<int32_t>(found - settings_.names.begin());
    if (!records_.is_typed()) {
      const auto number = nlohmann::ordered_json::parse(name, nullptr, false);
      if (number.is_number()) return number_of_label(number);
    }
    std::string known;
    for (size_t i = 0; i < std::min(settings_.names.size(), kMostNamesShown); ++i) {
      known += fmt::format("{}{}", i == 0 ? "" : ", ", printable(settings_.names[i]));
    }
    if (settings_.names.size() > kMostNamesShown) known += ", ...";
    records_.fail(fmt::format("the model has no label \"{}\"; expected 0 to {}, or one of {}", printable(name),
                              labels - 1, known));
  }

  void require_learned(const std::string& name) {
    RecordRoom room(kMaxLabelBytes, 1);
    const nlohmann::ordered_json value = records_.value(room);
    if (value.is_null() || value == "") return;
    try {
      if (is_learned(name, value)) return;
    } catch (const InvalidInput& error) {
      records_.fail(error.what());
    }
    records_.fail("a text that is not to be learned; expected it to be left out of the file");
  }

  int32_t number_of_label(const nlohmann::ordered_json& label) const {
    const auto labels = static_cast<int64_t>(settings_.names.size());
    if (!label.is_number_integer() || label < 0 || label >= labels) {
      records_.fail(fmt::format("expected an integer from 0 to {}, got {}", labels - 1, label.dump()));
    }
    return label.get<int32_t>();
  }

  Records& records_;
  TextEncoder& encoder_;
  const LabelSettings& settings_;
  const OnLabelledText& on_text_;
  std::vector<int32_t> ids_;  // of the current text
  int64_t count_ = 0;         // with those that were cut off
};

}  // namespace

int64_t count_labelled_texts(const std::string& path) {
  const DataFile file(path);
  if (file.form() == DataForm::text) return 0;
  const std::unique_ptr<Records> records = open_records(file);
  int64_t count = 0;
  std::string name;
  for (; records->next(); ++count) {
    while (records->next_field(name)) records->skip();
  }
  return count;
}

void read_labelled_texts(const std::string& path, TextEncoder& encoder, const LabelSettings& settings,
                         const OnLabelledText& on_text, const OnReadBytes& on_bytes) {
  const DataFile file(path);
  if (file.form() == DataForm::text) {
    throw InvalidInput(
        "{}: holds a text without a label; expected JSON lines with \"text\" and \"label\", or a table of both", path);
  }
  const std::unique_ptr<Records> records = open_records(file);
  Reader(*records, encoder, settings, on_text).read(on_bytes);
}

}  // namespace headroom
