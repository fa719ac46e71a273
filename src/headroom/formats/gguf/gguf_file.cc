#include "headroom/formats/gguf/gguf_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <span>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/gguf/gguf_parts.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {
namespace {

constexpr uint32_t kMagic = 0x46554747;
constexpr std::string_view kMagicText = "GGUF";
constexpr int64_t kMaxParts = 65535;
constexpr int64_t kMaxAlignmentBytes = 1 << 20;
constexpr std::string_view kAlignmentKey = "general.alignment";

bool is_integer(GgufValueType type) {
  return type != GgufValueType::f32 && type != GgufValueType::f64 && type != GgufValueType::boolean &&
         size_of(type) > 0;
}

// The number of type `type` that comes next; u64 beyond an i64 is clamped, which no range allows.
int64_t read_integer(ByteCursor& cursor, GgufValueType type) {
  switch (type) {
    case GgufValueType::u8:
    case GgufValueType::boolean: return cursor.number<uint8_t>();
    case GgufValueType::i8: return cursor.number<int8_t>();
    case GgufValueType::u16: return cursor.number<uint16_t>();
    case GgufValueType::i16: return cursor.number<int16_t>();
    case GgufValueType::u32: return cursor.number<uint32_t>();
    case GgufValueType::i32: return cursor.number<int32_t>();
    case GgufValueType::u64: return static_cast<int64_t>(std::min<uint64_t>(cursor.number<uint64_t>(), INT64_MAX));
    default: return cursor.number<int64_t>();
  }
}

double read_number(ByteCursor& cursor, GgufValueType type) {
  if (type == GgufValueType::f32) return cursor.number<float>();
  if (type == GgufValueType::f64) return cursor.number<double>();
  return static_cast<double>(read_integer(cursor, type));
}

GgufValueType read_value_type(ByteCursor& cursor, const std::string& path, std::string_view key) {
  const uint32_t number = cursor.number<uint32_t>();
  if (number < kGgufValueTypes) return static_cast<GgufValueType>(number);
  throw InvalidInput("{}: {}: has the unknown value type {}; expected one below {}", path, printable(key), number,
                     kGgufValueTypes);
}

std::string integer_range(int64_t min, int64_t max) {
  return max == INT64_MAX ? fmt::format("an integer of at least {}", min)
                          : fmt::format("an integer from {} to {}", min, max);
}

}  // namespace

bool GgufFile::is_gguf(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return false;
  if (has_gguf_ending(path)) return true;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  std::ifstream file(path, std::ios::binary);
  std::array<char, kMagicText.size()> head = {};
  file.read(head.data(), head.size());
  return file.good() && std::string_view(head.data(), head.size()) == kMagicText;
}

GgufFile::GgufFile(const std::string& path) : GgufFile(first_gguf_part(path), OnePart()) {
  const int64_t count = integer_or("split.count", 1, 0, kMaxParts);
  if (integer_or("split.no", 0, 0, kMaxParts) != 0) {
    throw InvalidInput("{}: is part {} of {} of a model; expected the first, whose name ends in -00001-of-{:05}.gguf",
                       path, integer("split.no", 0, kMaxParts) + 1, count, count);
  }
  if (count > 1) open_parts(count);
}

void GgufFile::open_parts(int64_t count) {
  for (int64_t index = 1; index < count; ++index) {
    const std::string name = gguf_part(path(), index, count);
    std::error_code error;
    if (!std::filesystem::exists(name, error)) {
      throw InvalidInput("{}: is missing; expected it beside {}, the first of the {} parts of a model", name, path(),
                         count);
    }
    parts_.push_back(std::unique_ptr<GgufFile>(new GgufFile(name, OnePart())));
    const GgufFile& part = *parts_.back();
    if (part.integer_or("split.no", -1, 0, kMaxParts) != index ||
        part.integer_or("split.count", -1, 0, kMaxParts) != count) {
      throw InvalidInput("{}: is not part {} of {} of a model; it does not belong to {}", name, index + 1, count,
                         path());
    }
  }
  for (int32_t number = 0; number < count; ++number) {
    for (int32_t index = 0; index < static_cast<int32_t>(part(number).tensors_.size()); ++index) {
      places_.push_back({number, index});
    }
  }
  const auto tensors = static_cast<int64_t>(places_.size());
  if (const int64_t said = integer_or("split.tensors.count", tensors, 0, kMaxTensors); said != tensors) {
    throw InvalidInput("{}: split.tensors.count: expected {}, the tensors of all {} parts, got {}", path(), tensors,
                       count, said);
  }
  std::sort(places_.begin(), places_.end(), [this](Place a, Place b) { return name_at(a) < name_at(b); });
  const auto twice =
      std::adjacent_find(places_.begin(), places_.end(), [this](Place a, Place b) { return name_at(a) == name_at(b); });
  if (twice == places_.end()) return;
  throw InvalidInput("{}: tensor {} occurs twice, in {} too", part(twice->part).path(), printable(name_at(*twice)),
                     part((twice + 1)->part).path());
}

GgufFile::GgufFile(const std::string& path, OnePart) : file_(File::open(path)) {
  const int64_t file_bytes = file_.size_bytes();
  ByteCursor cursor(file_, 0, std::min(file_bytes, kMaxHeaderBytes));
  if (file_bytes < 24 || cursor.number<uint32_t>() != kMagic) {
    throw InvalidInput("{}: is no GGUF file; expected one, which begins with the letters GGUF", path);
  }
  const uint32_t version = cursor.number<uint32_t>();
  if (version != 2 && version != 3) {
    const bool swapped = (version & 0xffff) == 0;
    throw InvalidInput("{}: GGUF version {}{} is not supported; expected 2 or 3", path,
                       swapped ? version >> 24 : version, swapped ? ", big-endian," : "");
  }
  const uint64_t tensors = cursor.number<uint64_t>();
  const uint64_t keys = cursor.number<uint64_t>();
  if (tensors > static_cast<uint64_t>(kMaxTensors) || keys > static_cast<uint64_t>(kMaxKeys)) {
    throw InvalidInput("{}: announces {} tensors and {} keys; expected at most {} and {}: a damaged file", path,
                       tensors, keys, format_count(kMaxTensors), format_count(kMaxKeys));
  }
  read_keys(cursor, static_cast<int64_t>(keys));
  alignment_bytes_ = integer_or(kAlignmentKey, 32, 1, kMaxAlignmentBytes);
  if ((alignment_bytes_ & (alignment_bytes_ - 1)) != 0) refuse(kAlignmentKey, "a power of two");
  read_tensors(cursor, static_cast<int64_t>(tensors), false);
  read_tensors(cursor, static_cast<int64_t>(tensors), true);
  check_layout(file_bytes);
}

void GgufFile::read_keys(ByteCursor& cursor, int64_t count) {
  std::string key;
  for (int64_t index = 0; index < count; ++index) {
    const uint64_t key_bytes = cursor.number<uint64_t>();
    if (key_bytes == 0 || key_bytes > static_cast<uint64_t>(kMaxKeyBytes)) {
      throw InvalidInput("{}: key {} has a name of {} bytes; expected 1 to {}", path(), index, key_bytes,
                         format_count(kMaxKeyBytes));
    }
    cursor.text(static_cast<int64_t>(key_bytes), key);
    Value value;
    value.key_begin = static_cast<uint32_t>(keys_.size());
    value.key_bytes = static_cast<uint16_t>(key_bytes);
    value.type_number = static_cast<uint8_t>(read_value_type(cursor, path(), key));
    skip_value(cursor, value, key);
    keys_ += key;
    values_.push_back(value);
  }
  const auto before = [this](const Value& a, const Value& b) { return key_of(a) < key_of(b); };
  std::sort(values_.begin(), values_.end(), before);
  const auto same = [this](const Value& a, const Value& b) { return key_of(a) == key_of(b); };
  const auto twice = std::adjacent_find(values_.begin(), values_.end(), same);
  if (twice != values_.end()) {
    throw InvalidInput("{}: the key {} occurs twice", path(), printable(key_of(*twice)));
  }
}

// Passes over a value, strings one by one, and notes where it lies.
void GgufFile::skip_value(ByteCursor& cursor, Value& value, std::string_view key) {
  const auto skip_text = [&] {
    const uint64_t bytes = cursor.number<uint64_t>();
    if (bytes > static_cast<uint64_t>(kMaxHeaderBytes)) {
      throw InvalidInput("{}: {}: a text of {} bytes; expected at most {}: a damaged file", path(), printable(key),
                         bytes, format_count(kMaxHeaderBytes));
    }
    cursor.skip(static_cast<int64_t>(bytes));
  };
  value.begin = cursor.position();
  if (value.type() == GgufValueType::text) {
    skip_text();
  } else if (value.type() == GgufValueType::array) {
    const GgufValueType element = read_value_type(cursor, path(), key);
    if (element == GgufValueType::array) {
      throw InvalidInput("{}: {}: an array of arrays is not supported; expected an array of numbers or texts", path(),
                         printable(key));
    }
    const uint64_t count = cursor.number<uint64_t>();
    if (count > static_cast<uint64_t>(kMaxHeaderBytes)) {
      throw InvalidInput("{}: {}: an array of {} elements; expected at most {}: a damaged file", path(), printable(key),
                         count, format_count(kMaxHeaderBytes));
    }
    value.element_number = static_cast<uint8_t>(element);
    value.count = static_cast<int64_t>(count);
    value.begin = cursor.position();
    if (element == GgufValueType::text) {
      for (int64_t index = 0; index < value.count; ++index) skip_text();
    } else {
      cursor.skip(value.count * size_of(element));
    }
  } else {
    cursor.skip(size_of(value.type()));
  }
  value.bytes = static_cast<uint32_t>(cursor.position() - value.begin);
}

// Run twice, first to check and count, then to keep, so that no table grows. The cursor is a copy.
void GgufFile::read_tensors(ByteCursor cursor, int64_t count, bool keep) {
  size_t name_bytes_of_all = 0, dims_of_all = 0;
  std::string name;
  for (int64_t index = 0; index < count; ++index) {
    const uint64_t name_bytes = cursor.number<uint64_t>();
    if (name_bytes == 0 || name_bytes > static_cast<uint64_t>(kMaxNameBytes)) {
      throw InvalidInput("{}: tensor {} has a name of {} bytes; expected 1 to {}", path(), index, name_bytes,
                         kMaxNameBytes);
    }
    cursor.text(static_cast<int64_t>(name_bytes), name);
    const uint32_t rank = cursor.number<uint32_t>();
    if (rank > Shape::kMaxRank) {
      throw InvalidInput("{}: tensor {} has {} dimensions; expected at most {}", path(), printable(name), rank,
                         Shape::kMaxRank);
    }
    std::array<uint64_t, Shape::kMaxRank> dims = {};
    for (uint32_t axis = 0; axis < rank; ++axis) {
      dims[axis] = cursor.number<uint64_t>();
      if (dims[axis] == 0 || dims[axis] > INT64_MAX) {
        throw InvalidInput("{}: tensor {} has a dimension of {}; expected 1 or more", path(), printable(name),
                           dims[axis]);
      }
    }
    const uint32_t number = cursor.number<uint32_t>();
    const GgmlType* type = find_ggml_type(number);
    if (type == nullptr) {
      throw InvalidInput("{}: tensor {} has the unknown type {}; a newer kind of file, or a damaged one", path(),
                         printable(name), number);
    }
    if (rank == 0 ? type->block_elements != 1 : dims[0] % static_cast<uint64_t>(type->block_elements) != 0) {
      throw InvalidInput("{}: tensor {} has rows of {} elements; expected a multiple of {}, the block of {}", path(),
                         printable(name), rank == 0 ? 1 : dims[0], type->block_elements, type->name);
    }
    const uint64_t begin = cursor.number<uint64_t>();
    if (begin > INT64_MAX || begin % static_cast<uint64_t>(alignment_bytes_) != 0) {
      throw InvalidInput("{}: tensor {} begins at byte {} of the data; expected a multiple of the alignment {}", path(),
                         printable(name), begin, alignment_bytes_);
    }
    name_bytes_of_all += name_bytes;
    dims_of_all += rank;
    if (!keep) {
      int64_t elements = type->block_bytes;  // checks that the size fits, whatever the file has
      for (const uint64_t dim : std::span(dims).first(rank)) {
        elements = multiply_sizes(elements, static_cast<int64_t>(dim), path() + ": tensor " + printable(name));
      }
      continue;
    }
    Record record;
    record.begin = static_cast<int64_t>(begin);
    record.name_begin = static_cast<uint32_t>(names_.size());
    record.dims_begin = static_cast<uint32_t>(dims_.size());
    record.name_bytes = static_cast<uint8_t>(name_bytes);
    record.rank = static_cast<uint8_t>(rank);
    record.type_number = static_cast<uint8_t>(number);
    names_ += name;
    for (uint32_t axis = rank; axis-- > 0;) dims_.push_back(static_cast<int64_t>(dims[axis]));
    tensors_.push_back(record);
  }
  if (keep) {
    data_begin_ = round_up(cursor.position(), alignment_bytes_);
  } else {
    names_.reserve(name_bytes_of_all);
    dims_.reserve(dims_of_all);
    tensors_.reserve(static_cast<size_t>(count));
  }
}

void GgufFile::check_layout(int64_t file_bytes) {
  std::sort(tensors_.begin(), tensors_.end(), [](const Record& a, const Record& b) { return a.begin < b.begin; });
  int64_t end = 0;
  for (const Record& record : tensors_) {
    if (record.begin < end) {
      throw InvalidInput("{}: tensor {} begins at byte {} of the data, inside the one before, which ends at {}", path(),
                         printable(name_of_record(record)), record.begin, end);
    }
    end = add_sizes(record.begin, size_of_record(record), path());
    if (end > file_bytes - data_begin_) {
      throw InvalidInput("{}: tensor {} ends at byte {} of the data, which has {}; the file is truncated", path(),
                         printable(name_of_record(record)), end, std::max<int64_t>(0, file_bytes - data_begin_));
    }
  }
  const auto before = [this](const Record& a, const Record& b) { return name_of_record(a) < name_of_record(b); };
  std::sort(tensors_.begin(), tensors_.end(), before);
  const auto same = [this](const Record& a, const Record& b) { return name_of_record(a) == name_of_record(b); };
  const auto twice = std::adjacent_find(tensors_.begin(), tensors_.end(), same);
  if (twice != tensors_.end()) {
    throw InvalidInput("{}: tensor {} occurs twice", path(), printable(name_of_record(*twice)));
  }
}

std::vector<std::string_view> GgufFile::keys() const {
  std::vector<std::string_view> keys;
  for (const Value& value : values_) keys.push_back(key_of(value));
  return keys;
}

const GgufFile::Value* GgufFile::find_value(std::string_view key) const {
  const auto place = std::lower_bound(values_.begin(), values_.end(), key,
                                      [this](const Value& value, auto wanted) { return key_of(value) < wanted; });
  return place != values_.end() && key_of(*place) == key ? &*place : nullptr;
}

const GgufFile::Value& GgufFile::require(std::string_view key, std::string_view expected) const {
  const Value* value = find_value(key);
  if (value == nullptr) throw InvalidInput("{}: {}: is missing; expected {}", path(), key, expected);
  return *value;
}

std::string GgufFile::show(const Value& value) const {
  if (value.type() == GgufValueType::array) {
    return fmt::format("an array of {} {}", format_count(value.count), name_of(value.element()));
  }
  ByteCursor cursor(file_, value.begin, value.begin + value.bytes);
  if (value.type() == GgufValueType::text) {
    std::string text;
    const int64_t bytes = static_cast<int64_t>(std::min<uint64_t>(cursor.number<uint64_t>(), 256));
    cursor.text(bytes, text);
    return "\"" + printable(text) + "\"";
  }
  if (value.type() == GgufValueType::boolean) return read_integer(cursor, value.type()) != 0 ? "true" : "false";
  if (is_integer(value.type())) return fmt::format("{}", read_integer(cursor, value.type()));
  return fmt::format("{}", read_number(cursor, value.type()));
}

void GgufFile::refuse(std::string_view key, std::string_view expected) const {
  throw InvalidInput("{}: {}: expected {}, got {}", path(), key, expected, show(*find_value(key)));
}

int64_t GgufFile::integer(std::string_view key, int64_t min, int64_t max) const {
  const Value& value = require(key, integer_range(min, max));
  if (!is_integer(value.type())) refuse(key, integer_range(min, max));
  ByteCursor cursor(file_, value.begin, value.begin + value.bytes);
  const int64_t number = read_integer(cursor, value.type());
  if (number < min || number > max) refuse(key, integer_range(min, max));
  return number;
}

double GgufFile::real(std::string_view key, double min, double max) const {
  const std::string expected = fmt::format("a number from {} to {}", min, max);
  const Value& value = require(key, expected);
  if (value.type() == GgufValueType::boolean || size_of(value.type()) == 0) refuse(key, expected);
  ByteCursor cursor(file_, value.begin, value.begin + value.bytes);
  const double number = read_number(cursor, value.type());
  if (!(number >= min && number <= max)) refuse(key, expected);
  return number;
}

bool GgufFile::boolean(std::string_view key) const {
  const Value& value = require(key, "true or false");
  if (value.type() != GgufValueType::boolean) refuse(key, "true or false");
  ByteCursor cursor(file_, value.begin, value.begin + value.bytes);
  return cursor.number<uint8_t>() != 0;
}

std::string GgufFile::text(std::string_view key) const {
  const Value& value = require(key, "a text");
  if (value.type() != GgufValueType::text) refuse(key, "a text");
  ByteCursor cursor(file_, value.begin, value.begin + value.bytes);
  const int64_t bytes = static_cast<int64_t>(cursor.number<uint64_t>());
  if (bytes > kMaxTextBytes) {
    throw InvalidInput("{}: {}: has {} bytes; expected a text of at most {}", path(), key, format_count(bytes),
                       format_count(kMaxTextBytes));
  }
  std::string text;
  cursor.text(bytes, text);
  return text;
}

int64_t GgufFile::integer_or(std::string_view key, int64_t fallback, int64_t min, int64_t max) const {
  return has(key) ? integer(key, min, max) : fallback;
}
double GgufFile::real_or(std::string_view key, double fallback, double min, double max) const {
  return has(key) ? real(key, min, max) : fallback;
}
bool GgufFile::boolean_or(std::string_view key, bool fallback) const { return has(key) ? boolean(key) : fallback; }
std::string GgufFile::text_or(std::string_view key, std::string_view fallback) const {
  return has(key) ? text(key) : std::string(fallback);
}

bool GgufFile::is_array(std::string_view key) const {
  const Value* value = find_value(key);
  return value != nullptr && value->type() == GgufValueType::array;
}

int64_t GgufFile::length(std::string_view key) const {
  const Value* value = find_value(key);
  return value == nullptr ? 0 : value->count;
}

int64_t GgufFile::array_bytes(std::string_view key) const {
  const Value* value = find_value(key);
  return value == nullptr ? 0 : value->bytes;
}

void GgufFile::add_to_fingerprint(std::string_view key, Fingerprint& print) const {
  const Value& value = require(key, "a value");
  ByteCursor cursor(file_, value.begin, value.begin + value.bytes);
  std::string piece;
  while (cursor.left() > 0) {
    cursor.text(std::min(cursor.left(), ByteCursor::kBufferBytes), piece);
    print.add(piece);
  }
}

Shape GgufFile::shape_of(const Record& record) const {
  return Shape::from(std::span(dims_).subspan(record.dims_begin, record.rank));
}

int64_t GgufFile::size_of_record(const Record& record) const {
  const GgmlType* type = find_ggml_type(record.type_number);
  return shape_of(record).elements() / type->block_elements * type->block_bytes;
}

GgufTensor GgufFile::tensor(int64_t index) const {
  const Place where = place(index);
  const GgufFile& holder = part(where.part);
  const Record& record = holder.tensors_.at(static_cast<size_t>(where.index));
  return {holder.name_of_record(record),
          find_ggml_type(record.type_number),
          holder.shape_of(record),
          &holder.file_,
          where.part,
          holder.data_begin_ + record.begin,
          holder.size_of_record(record)};
}

int64_t GgufFile::find(std::string_view name) const {
  int64_t low = 0, high = count();
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (name_at(place(middle)) < name) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < count() && name_at(place(low)) == name ? low : -1;
}

GgufArray::GgufArray(const GgufFile& file, std::string_view key, bool of_texts)
    : cursor_(file.file(), 0, 0), key_(key), path_(file.path()) {
  const char* expected = of_texts ? "an array of texts" : "an array of numbers";
  const GgufFile::Value& value = file.require(key, expected);
  element_ = value.element();
  const bool fits =
      value.type() == GgufValueType::array && (of_texts ? element_ == GgufValueType::text : size_of(element_) > 0);
  if (!fits) file.refuse(key, expected);
  count_ = value.count;
  cursor_ = ByteCursor(file.file(), value.begin, value.begin + value.bytes);
}

bool GgufArray::next() {
  if (++index_ >= count_) return false;
  if (element_ != GgufValueType::text) {
    number_ = read_number(cursor_, element_);
    return true;
  }
  const uint64_t bytes = cursor_.number<uint64_t>();
  if (bytes > static_cast<uint64_t>(kMaxTextBytes)) {
    throw InvalidInput("{}: {}: element {} has {} bytes; expected at most {}", path_, key_, index_, format_count(bytes),
                       format_count(kMaxTextBytes));
  }
  cursor_.text(static_cast<int64_t>(bytes), text_);
  return true;
}

}  // namespace headroom
