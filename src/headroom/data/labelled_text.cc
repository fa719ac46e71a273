#include "headroom/data/labelled_text.h"

#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/data/text_source.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {
namespace {

constexpr size_t kMostNamesShown = 12;
constexpr size_t kMaxLabelBytes = 1024;

class Reader {
 public:
  Reader(const File& file, TextEncoder& encoder, const LabelSettings& settings, const OnLabelledText& on_text)
      : json_(file, 0, file.size_bytes(), file.path()), encoder_(encoder), settings_(settings), on_text_(on_text) {}

  void read(const OnReadBytes& on_bytes) {
    while (!json_.at_end()) {
      read_line();
      if (on_bytes) on_bytes(json_.position_bytes());
    }
  }

 private:
  void read_line() {
    if (json_.peek() != JsonReader::Kind::object) json_.fail("expected an object");
    bool has_text = false;
    std::optional<int32_t> label;
    std::string key;
    for (json_.begin_object(); json_.next_key(key);) {
      if (key == "text") {
        if (has_text) json_.fail("\"text\" occurs twice");
        has_text = true;
        read_text();
      } else if (key == "label") {
        if (label) json_.fail("\"label\" occurs twice");
        label = read_label();
      } else {
        json_.skip();
      }
    }
    if (!has_text || !label) {
      json_.fail(fmt::format("the object has no \"{}\"; expected \"text\" and \"label\"", has_text ? "label" : "text"));
    }
    if (ids_.empty()) json_.fail("the text has no tokens");
    on_text_(ids_, *label, count_ - static_cast<int64_t>(ids_.size()));
  }

  void read_text() {
    if (json_.peek() != JsonReader::Kind::text) json_.fail("expected a text in \"text\"");
    ids_.clear();
    count_ = 0;
    const TextEncoder::Emit emit = [&](std::span<const int32_t> ids) {
      const int64_t room = std::max<int64_t>(settings_.max_tokens - count_, 0);
      const auto taken = static_cast<size_t>(std::min(room, static_cast<int64_t>(ids.size())));
      ids_.insert(ids_.end(), ids.begin(), ids.begin() + static_cast<ptrdiff_t>(taken));
      count_ += static_cast<int64_t>(ids.size());
    };
    encoder_.begin(TextEncoder::Frame::whole, emit);
    json_.text_in_pieces([&](std::string_view piece) { encoder_.feed(piece); });
    encoder_.end();
    const size_t cut = ids_.size();
    while (ids_.size() > 1 && ids_.back() == settings_.padding) ids_.pop_back();
    count_ -= static_cast<int64_t>(cut - ids_.size());
  }

  int32_t read_label() {
    const auto labels = static_cast<int64_t>(settings_.names.size());
    if (json_.peek() == JsonReader::Kind::number) return static_cast<int32_t>(json_.integer(0, labels - 1));
    if (json_.peek() != JsonReader::Kind::text) json_.fail("expected a number or a name in \"label\"");
    const std::string name = json_.text(kMaxLabelBytes);
    const auto found = std::find(settings_.names.begin(), settings_.names.end(), name);
    if (found != settings_.names.end()) return static_cast<int32_t>(found - settings_.names.begin());
    std::string known;
    for (size_t i = 0; i < std::min(settings_.names.size(), kMostNamesShown); ++i) {
      known += fmt::format("{}{}", i == 0 ? "" : ", ", printable(settings_.names[i]));
    }
    if (settings_.names.size() > kMostNamesShown) known += ", ...";
    json_.fail(fmt::format("the model has no label \"{}\"; expected 0 to {}, or one of {}", printable(name), labels - 1,
                           known));
  }

  JsonReader json_;
  TextEncoder& encoder_;
  const LabelSettings& settings_;
  const OnLabelledText& on_text_;
  std::vector<int32_t> ids_;  // of the current text
  int64_t count_ = 0;         // with those that were cut off
};

}  // namespace

int64_t count_labelled_texts(const std::string& path) {
  const File file = File::open(path);
  JsonReader json(file, 0, file.size_bytes(), path);
  int64_t count = 0;
  for (; !json.at_end(); ++count) json.skip();
  return count;
}

void read_labelled_texts(const std::string& path, TextEncoder& encoder, const LabelSettings& settings,
                         const OnLabelledText& on_text, const OnReadBytes& on_bytes) {
  if (!is_json_lines(path)) {
    throw InvalidInput(
        "{}: holds a text without a label; expected JSON lines with \"text\" and \"label\", in a .jsonl file", path);
  }
  const File file = File::open(path);
  Reader(file, encoder, settings, on_text).read(on_bytes);
}

}  // namespace headroom
