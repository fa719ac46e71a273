#include "headroom/formats/gguf/gguf_writer.h"

#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/gguf/gguf_file.h"

namespace headroom {
namespace {

constexpr uint32_t kVersion = 3;
constexpr int64_t kKeysOffset = 16;  // of the number of keys, known at the end
constexpr size_t kWriteBytes = 64 * 1024;

}  // namespace

int64_t GgufDeclaration::bytes() const {
  const GgmlType* ggml = find_ggml_type(type);
  const int64_t row = shape.rank() == 0 ? 1 : shape[shape.rank() - 1];
  ensure(ggml != nullptr && row % ggml->block_elements == 0, "{}: rows of {} elements are no blocks", name, row);
  return shape.elements() / ggml->block_elements * ggml->block_bytes;
}

GgufWriter::GgufWriter(std::string path, std::vector<GgufDeclaration> tensors)
    : output_(std::move(path)), tensors_(std::move(tensors)) {
  pending_ = "GGUF";
  put(kVersion);
  put(uint64_t{tensors_.size()});
  put(keys_);
}

int64_t GgufWriter::data_bytes(const std::vector<GgufDeclaration>& tensors) {
  int64_t bytes = 0;
  for (const GgufDeclaration& tensor : tensors) {
    bytes = add_sizes(bytes, round_up(tensor.bytes(), kAlignmentBytes), tensor.name);
  }
  return bytes;
}

template <class Number>
void GgufWriter::put(Number number) {
  pending_.append(reinterpret_cast<const char*>(&number), sizeof number);
  if (pending_.size() >= kWriteBytes) flush();
}

void GgufWriter::put_text(std::string_view text) {
  put(uint64_t{text.size()});
  pending_ += text;
}

void GgufWriter::flush() {
  output_.file().write(offset_bytes_, pending_.data(), static_cast<int64_t>(pending_.size()));
  offset_bytes_ += static_cast<int64_t>(pending_.size());
  pending_.clear();
}

void GgufWriter::key(std::string_view name, GgufValueType type) {
  ensure(!in_data_, "{}: the key {} comes after the data", output_.path(), name);
  put_text(name);
  put(static_cast<uint32_t>(type));
  ++keys_;
}

void GgufWriter::text(std::string_view name, std::string_view value) {
  key(name, GgufValueType::text);
  put_text(value);
}

void GgufWriter::integer(std::string_view name, int64_t value) {
  ensure(value >= 0 && value <= UINT32_MAX, "{}: {} is no u32", name, value);
  key(name, GgufValueType::u32);
  put(static_cast<uint32_t>(value));
}

void GgufWriter::real(std::string_view name, double value) {
  key(name, GgufValueType::f32);
  put(static_cast<float>(value));
}

void GgufWriter::boolean(std::string_view name, bool value) {
  key(name, GgufValueType::boolean);
  put(static_cast<uint8_t>(value ? 1 : 0));
}

void GgufWriter::array(std::string_view name, GgufValueType element, int64_t count) {
  key(name, GgufValueType::array);
  put(static_cast<uint32_t>(element));
  put(static_cast<uint64_t>(count));
}

void GgufWriter::element(std::string_view text) { put_text(text); }
void GgufWriter::element(int32_t number) { put(number); }
void GgufWriter::element(float number) { put(number); }

void GgufWriter::begin_data() {
  in_data_ = true;
  int64_t begin = 0;
  for (const GgufDeclaration& tensor : tensors_) {
    ensure(static_cast<int64_t>(tensor.name.size()) <= GgufFile::kMaxNameBytes, "{}: the name is too long",
           tensor.name);
    put_text(tensor.name);
    put(static_cast<uint32_t>(tensor.shape.rank()));
    for (int axis = tensor.shape.rank(); axis-- > 0;) put(static_cast<uint64_t>(tensor.shape[axis]));
    put(tensor.type);
    put(static_cast<uint64_t>(begin));
    begin += round_up(tensor.bytes(), kAlignmentBytes);
  }
  flush();
  pad();
}

void GgufWriter::pad() {
  const int64_t missing = round_up(offset_bytes_, kAlignmentBytes) - offset_bytes_;
  pending_.append(static_cast<size_t>(missing), '\0');
  flush();
}

void GgufWriter::write(const void* data, int64_t size_bytes) {
  if (!in_data_) begin_data();
  ensure(current_ < tensors_.size() && size_bytes <= tensors_[current_].bytes() - done_bytes_,
         "{}: more data than was declared", output_.path());
  output_.file().write(offset_bytes_, data, size_bytes);
  offset_bytes_ += size_bytes;
  done_bytes_ += size_bytes;
  if (done_bytes_ < tensors_[current_].bytes()) return;
  pad();
  ++current_;
  done_bytes_ = 0;
}

int64_t GgufWriter::finish() {
  if (!in_data_) begin_data();
  ensure(current_ == tensors_.size(), "{}: tensor {} is not complete", output_.path(),
         current_ < tensors_.size() ? tensors_[current_].name : "");
  output_.file().write(kKeysOffset, &keys_, sizeof keys_);
  output_.commit();
  return offset_bytes_;
}

}  // namespace headroom
