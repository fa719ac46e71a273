#include "headroom/formats/weights/safetensors.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "headroom/base/bytes.h"
#include "headroom/base/convert.h"
#include "headroom/base/errors.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/formats/weights/grouped_reader.h"
#include "headroom/formats/weights/weight_notes.h"

namespace headroom {
namespace {

constexpr int64_t kLengthBytes = 8;
constexpr int64_t kStagingBytes = 32 * 1024;
constexpr std::string_view kMetadata = "__metadata__";

uint64_t read_length(const File& file) {
  std::array<uint8_t, kLengthBytes> bytes = {};
  file.read(0, bytes.data(), kLengthBytes);
  uint64_t length = 0;
  for (size_t index = 0; index < bytes.size(); ++index) length |= uint64_t{bytes[index]} << (8 * index);
  return length;
}

}  // namespace

// Reads the entries of the header one after the other; run twice, first to count, then to keep.
struct SafetensorsFile::HeaderParser {
  explicit HeaderParser(const SafetensorsFile& owner)
      : owner_path(owner.path()), json(owner.file_, kLengthBytes, owner.data_begin_, owner.path() + ": the header") {}

  const std::string& owner_path;
  JsonReader json;
  std::string name;
  bool has_weights_version = false;

  // The next tensor's name; its entry must be read or skipped next. False at the end of the header.
  bool next() {
    while (json.next_key(name)) {
      if (name != kMetadata) return true;
      read_metadata();
    }
    json.finish();
    return false;
  }

  void read_metadata() {
    std::string key;
    for (json.begin_object(); json.next_key(key);) {
      if (json.peek() != JsonReader::Kind::text) json.fail("__metadata__ maps names to texts only");
      if (key != kWeightsVersionKey) {
        json.skip();
        continue;
      }
      if (has_weights_version) json.fail(fmt::format("{} occurs twice", key));
      has_weights_version = true;
      expect_weights_version(json.text(kMostNoteBytes), owner_path);
    }
  }

  Record read_entry(int64_t data_bytes) {
    Record record;
    std::string key;
    bool has_dtype = false, has_shape = false, has_offsets = false;
    std::array<int64_t, 2> offsets = {};
    const auto once = [&](bool& seen) {
      if (seen) json.fail(fmt::format("tensor {} has {} twice", printable(name), key));
      seen = true;
    };
    for (json.begin_object(); json.next_key(key);) {
      if (key == "dtype") {
        once(has_dtype);
        record.type = read_type();
      } else if (key == "shape") {
        once(has_shape);
        read_shape(record);
      } else if (key == "data_offsets") {
        once(has_offsets);
        size_t number = 0;
        for (json.begin_array(); json.next_element();) {
          if (number == 2) json.fail(fmt::format("tensor {}: data_offsets are two numbers", printable(name)));
          offsets[number++] = json.integer(0, INT64_MAX);
        }
        if (number != 2) json.fail(fmt::format("tensor {}: data_offsets are two numbers", printable(name)));
      } else {
        json.skip();
      }
    }
    if (!has_dtype || !has_shape || !has_offsets) {
      json.fail(fmt::format("tensor {} lacks dtype, shape or data_offsets", printable(name)));
    }
    check_size(record, offsets);
    if (offsets[1] > data_bytes) {
      throw InvalidInput("{}: the file is truncated; tensor {} ends at byte {} of the data, of which it has {}; try {}",
                         owner_path, printable(name), offsets[1], data_bytes, "copying or downloading it again");
    }
    record.begin = offsets[0];
    return record;
  }

  StoredType read_type() {
    const std::string text = json.text(16);
    if (const std::optional<StoredType> type = find_stored_type(text)) return *type;
    json.fail(fmt::format("tensor {} has the unknown dtype {}", printable(name), printable(text)));
  }

  void read_shape(Record& record) {
    for (json.begin_array(); json.next_element();) {
      if (record.rank == Shape::kMaxRank) {
        json.fail(fmt::format("tensor {} has more than {} dimensions", printable(name), Shape::kMaxRank));
      }
      record.dims[record.rank++] = json.integer(0, INT64_MAX);
    }
  }

  void check_size(const Record& record, const std::array<int64_t, 2>& offsets) {
    const std::string what = fmt::format("{}: tensor {}", owner_path, printable(name));
    int64_t size_bytes = size_of(record.type);
    for (int axis = 0; axis < record.rank; ++axis) {
      size_bytes = multiply_sizes(size_bytes, record.dims[static_cast<size_t>(axis)], what);
    }
    if (offsets[1] - offsets[0] != size_bytes) {
      throw InvalidInput("{}: its shape and dtype {} need {} bytes, its data_offsets [{}, {}] hold {}", what,
                         name_of(record.type), size_bytes, offsets[0], offsets[1], offsets[1] - offsets[0]);
    }
  }
};

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(File::open(path)) {
  const int64_t file_bytes = file_.size_bytes();
  if (file_bytes < kLengthBytes) {
    throw InvalidInput("{}: has {} bytes; expected a safetensors file, which begins with 8 bytes of length", path,
                       file_bytes);
  }
  const uint64_t length = read_length(file_);
  if (length > static_cast<uint64_t>(kMaxHeaderBytes)) {
    throw InvalidInput(
        "{}: announces a header of {} bytes; expected at most {}: not a safetensors file, or a damaged one", path,
        length, format_count(kMaxHeaderBytes));
  }
  if (static_cast<int64_t>(length) > file_bytes - kLengthBytes) {
    throw InvalidInput("{}: the file is truncated; its header has {} bytes, the file {}", path, length, file_bytes);
  }
  data_begin_ = kLengthBytes + static_cast<int64_t>(length);
  data_bytes_ = file_bytes - data_begin_;
  const bool has_notes = parse_header();
  check_layout();
  index_names();
  if (has_notes) read_weight_notes();
}

std::string_view SafetensorsFile::name_of_record(const Record& record) const {
  return std::string_view(names_).substr(record.name_begin, record.name_bytes);
}

int64_t SafetensorsFile::size_of_record(const Record& record) const {
  if (record.type == StoredType::encoded) return block_format(static_cast<DType>(record.format)).bytes(record.shape());
  int64_t size_bytes = size_of(record.type);
  for (int axis = 0; axis < record.rank; ++axis) size_bytes *= record.dims[static_cast<size_t>(axis)];
  return size_bytes;
}

// Whether there are notes to be read.
bool SafetensorsFile::parse_header() {
  size_t tensors = 0, name_bytes = 0;
  HeaderParser count(*this);
  for (count.json.begin_object(); count.next(); count.json.skip()) {
    ++tensors;
    name_bytes += count.name.size();
  }
  records_.reserve(tensors);
  names_.reserve(name_bytes);
  HeaderParser keep(*this);
  for (keep.json.begin_object(); keep.next();) {
    Record record = keep.read_entry(data_bytes_);
    record.name_begin = static_cast<uint32_t>(names_.size()) & 0xffffffu;
    record.name_bytes = static_cast<uint16_t>(keep.name.size());
    names_ += keep.name;
    records_.push_back(record);
  }
  return keep.has_weights_version;
}

void SafetensorsFile::check_layout() {
  // Tensors without elements may share an offset; the end decides their place.
  std::sort(records_.begin(), records_.end(), [this](const Record& a, const Record& b) {
    return a.begin != b.begin ? a.begin < b.begin : size_of_record(a) < size_of_record(b);
  });
  int64_t end = 0;
  for (const Record& record : records_) {
    if (record.begin != end) {
      throw InvalidInput("{}: tensor {} begins at byte {} of the data, the one before ends at {}; expected neither {}",
                         path(), printable(name_of_record(record)), record.begin, end, "overlap nor hole");
    }
    end = record.begin + size_of_record(record);
  }
  if (end != data_bytes_) {
    throw InvalidInput("{}: its tensors end at byte {} of the data, the file has {} bytes of data; expected the same",
                       path(), end, data_bytes_);
  }
}

void SafetensorsFile::index_names() {
  by_name_.resize(records_.size());
  std::iota(by_name_.begin(), by_name_.end(), 0u);
  const auto name_at = [this](uint32_t index) { return name_of_record(records_[index]); };
  std::sort(by_name_.begin(), by_name_.end(), [&](uint32_t a, uint32_t b) { return name_at(a) < name_at(b); });
  const auto same = [&](uint32_t a, uint32_t b) { return name_at(a) == name_at(b); };
  const auto twice = std::adjacent_find(by_name_.begin(), by_name_.end(), same);
  if (twice != by_name_.end()) {
    throw InvalidInput("{}: tensor {} occurs twice in the header", path(), printable(name_at(*twice)));
  }
}

// Once more over the header: what its metadata say of tensors that are known by now.
void SafetensorsFile::read_weight_notes() {
  JsonReader json(file_, kLengthBytes, data_begin_, path() + ": the header");
  std::string key, name;
  for (json.begin_object(); json.next_key(key);) {
    if (key != kMetadata) {
      json.skip();
      continue;
    }
    for (json.begin_object(); json.next_key(name);) {
      const std::string text = json.text(kMostNoteBytes);
      if (name == kWeightsVersionKey) continue;
      const int64_t place = find(name);
      if (place < 0) json.fail(fmt::format("__metadata__ speaks of tensor {}, which is not there", printable(name)));
      Record& record = records_[static_cast<size_t>(place)];
      const std::string what = fmt::format("{}: tensor {}", path(), printable(name));
      if (record.type == StoredType::encoded) json.fail(fmt::format("tensor {} is noted twice", printable(name)));
      if (record.type != StoredType::u8 || record.rank != 1) {
        throw InvalidInput("{}: is {} of shape {}; expected U8 of one dimension under a weight format", what,
                           headroom::name_of(record.type), to_string(record.shape()));
      }
      const WeightNote note = read_weight_note(text, size_of_record(record), what);
      record.type = StoredType::encoded;
      record.format = static_cast<uint8_t>(note.format->dtype());
      record.dims = {};
      record.rank = static_cast<uint8_t>(note.shape.rank());
      std::copy(note.shape.begin(), note.shape.end(), record.dims.begin());
    }
  }
}

StoredTensor SafetensorsFile::tensor(int64_t index) const {
  const Record& record = records_.at(static_cast<size_t>(index));
  StoredTensor tensor;
  tensor.name = name_of_record(record);
  tensor.type = record.type;
  tensor.shape = record.shape();
  if (record.type == StoredType::encoded) {
    tensor.format = as_grouped(static_cast<DType>(record.format));
    tensor.type_name = tensor.format->name();
    tensor.in_order = false;
  } else {
    tensor.type_name = headroom::name_of(record.type);
  }
  tensor.offset_bytes = data_begin_ + record.begin;
  tensor.size_bytes = size_of_record(record);
  return tensor;
}

int64_t SafetensorsFile::find(std::string_view name) const {
  const auto found = std::lower_bound(
      by_name_.begin(), by_name_.end(), name,
      [this](uint32_t index, std::string_view wanted) { return name_of_record(records_[index]) < wanted; });
  return found != by_name_.end() && name_of_record(records_[*found]) == name ? int64_t{*found} : -1;
}

void SafetensorsFile::read(const StoredTensor& tensor, int64_t first, int64_t count, DType wanted, void* out,
                           NanCheck nan_check) const {
  ensure(first >= 0 && count >= 0 && first <= tensor.shape.elements() - count,
         "{}: elements {} to {} lie outside the tensor", tensor.name, first, first + count);
  if (tensor.format != nullptr) return read_grouped(file_, tensor, first, count, wanted, out);
  const int64_t stored_bytes = size_of(tensor.type);
  alignas(64) std::array<std::byte, kStagingBytes> staging;
  const int64_t step = kStagingBytes / stored_bytes;
  for (int64_t done = 0; done < count;) {
    const int64_t run = std::min(count - done, step);
    const std::span<std::byte> bytes = std::span(staging).first(static_cast<size_t>(run * stored_bytes));
    file_.read(tensor.offset_bytes + (first + done) * stored_bytes, bytes.data(), run * stored_bytes);
    decode(tensor, first + done, bytes, wanted, static_cast<std::byte*>(out) + done * size_of(wanted), nan_check);
    done += run;
  }
}

void SafetensorsFile::decode(const StoredTensor& tensor, int64_t first, std::span<const std::byte> bytes, DType wanted,
                             void* out, NanCheck nan_check) const {
  ensure(tensor.in_order, "{}: is not stored in order", tensor.name);
  const std::optional<DType> stored = dtype_of(tensor.type);
  const auto is_integer = [](DType dtype) { return dtype == DType::i32 || dtype == DType::u8; };
  const bool convertible = stored && (*stored == wanted || (!is_integer(*stored) && !is_integer(wanted)));
  if (!convertible) {
    throw InvalidInput("{}: tensor {} is stored as {}; expected a dtype that converts to {}", path(),
                       printable(tensor.name), name_of(tensor.type), name_of(wanted));
  }
  const int64_t count = static_cast<int64_t>(bytes.size()) / size_of(tensor.type);
  convert_elements(*stored, bytes.data(), wanted, out, count);
  if (nan_check == NanCheck::refuse) refuse_nan(path(), tensor, first, wanted, out, count);
}

}  // namespace headroom
