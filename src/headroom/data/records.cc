#include "headroom/data/records.h"

#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/data/table_records.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;
using Kind = JsonReader::Kind;

// Objects that follow one another, or stand in a list.
class JsonRecords final : public Records {
 public:
  explicit JsonRecords(const DataFile& file)
      : Records(file.path()),
        bytes_(file.open()),
        json_(*bytes_, file.path()),
        is_list_(file.form() == DataForm::list) {}

  bool next() override {
    if (is_list_ && !has_begun_) json_.begin_array();
    has_begun_ = true;
    if (is_list_ ? !json_.next_element() : json_.at_end()) {
      json_.finish();
      return false;
    }
    if (json_.peek() != Kind::object) json_.fail("expected an object");
    json_.begin_object();
    return true;
  }

  bool next_field(std::string& name) override { return json_.next_key(name); }
  void skip() override { json_.skip(); }

  void text(std::string_view name, const std::function<void(std::string_view)>& sink) override {
    if (json_.peek() != Kind::text) json_.fail(fmt::format("expected a text in \"{}\"", name));
    json_.text_in_pieces(sink);
  }

  Json value(RecordRoom& room) override { return read_json_value(json_, room); }
  bool is_typed() const override { return true; }
  int64_t position_bytes() const override { return json_.position_bytes(); }
  int64_t line() const override { return json_.line(); }

 private:
  std::unique_ptr<ByteSource> bytes_;
  JsonReader json_;
  bool is_list_;
  bool has_begun_ = false;
};

}  // namespace

void Records::fail(std::string_view words) const {
  throw InvalidInput("{}: {} (line {}, byte {})", path_, words, line(), position_bytes());
}

std::unique_ptr<Records> open_records(const DataFile& file) {
  ensure(file.form() != DataForm::text, "{}: a text has no records", file.path());
  if (file.form() == DataForm::table) return std::make_unique<TableRecords>(file);
  return std::make_unique<JsonRecords>(file);
}

}  // namespace headroom
