#include "headroom/formats/weights/safetensors_writer.h"

#include <algorithm>
#include <array>
#include <functional>
#include <nlohmann/json.hpp>

#include "headroom/base/bytes.h"
#include "headroom/base/convert.h"
#include "headroom/base/errors.h"
#include "headroom/base/page.h"
#include "headroom/formats/weights/safetensors.h"
#include "headroom/formats/weights/weight_notes.h"

namespace headroom {
namespace {

constexpr int64_t kLengthFieldBytes = 8;
constexpr int64_t kConvertedBytes = 32 * 1024;

// The header's first member: that the tensors are as PyTorch knows them, or what those are that it does not know.
void emit_metadata(std::span<const TensorDeclaration> tensors, const std::function<void(const std::string&)>& emit) {
  const bool is_plain =
      std::all_of(tensors.begin(), tensors.end(), [](const auto& tensor) { return is_scalar(tensor.type.dtype); });
  if (is_plain) return emit(R"({"__metadata__":{"format":"pt"})");
  emit(fmt::format(R"({{"__metadata__":{{"{}":"{}")", kWeightsVersionKey, kWeightsVersion));
  for (const TensorDeclaration& tensor : tensors) {
    if (is_scalar(tensor.type.dtype)) continue;
    const GroupedFormat* format = as_grouped(tensor.type.dtype);
    ensure(format != nullptr, "{}: {} is no format of files", tensor.name, name_of(tensor.type.dtype));
    emit(fmt::format(R"(,{}:"{}")", nlohmann::json(tensor.name).dump(), weight_note(*format, tensor.type.shape)));
  }
  emit("}");
}

// The header's text without its padding, in pieces, so that no header is ever held whole.
void emit_header(std::span<const TensorDeclaration> tensors, const std::function<void(const std::string&)>& emit) {
  emit_metadata(tensors, emit);
  int64_t begin = 0;
  for (const TensorDeclaration& tensor : tensors) {
    const Type type = tensor.type_in_file();
    const int64_t end = add_sizes(begin, type.bytes(), tensor.name);
    std::string shape = to_string(type.shape);
    std::erase(shape, ' ');
    emit(fmt::format(R"(,{}:{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", nlohmann::json(tensor.name).dump(),
                     name_of(stored_type_of(type.dtype)), shape, begin, end));
    begin = end;
  }
  emit("}");
}

// Bytes of length, header and padding: where the data begin.
int64_t data_begin(std::span<const TensorDeclaration> tensors) {
  int64_t header_bytes = 0;
  emit_header(tensors, [&](const std::string& text) { header_bytes += static_cast<int64_t>(text.size()); });
  ensure(header_bytes <= SafetensorsFile::kMaxHeaderBytes - kPageBytes, "a header of {} bytes is too long for one file",
         header_bytes);
  return round_up(kLengthFieldBytes + header_bytes, kPageBytes);
}

void check_names(std::span<const TensorDeclaration> tensors) {
  std::vector<std::string_view> names;
  for (const TensorDeclaration& tensor : tensors) names.emplace_back(tensor.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  ensure(twice == names.end(), "tensor {} is declared twice", twice == names.end() ? "" : *twice);
  for (const std::string_view reserved : {std::string_view("__metadata__"), kWeightsVersionKey}) {
    ensure(!std::binary_search(names.begin(), names.end(), reserved), "a tensor cannot be called {}", reserved);
  }
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(std::string path, std::vector<TensorDeclaration> tensors)
    : output_(std::move(path)), tensors_(std::move(tensors)) {
  check_names(tensors_);
  const int64_t begin = data_begin(tensors_);
  for (const TensorDeclaration& tensor : tensors_) {
    begins_.push_back(begin + data_bytes_);
    data_bytes_ += tensor.type.bytes();  // emit_header has checked the sum
  }
  output_.file().reserve(begin + data_bytes_);
  std::string pending(kLengthFieldBytes, '\0');
  const uint64_t length = static_cast<uint64_t>(begin - kLengthFieldBytes);
  for (size_t index = 0; index < pending.size(); ++index) pending[index] = static_cast<char>(length >> (8 * index));
  int64_t written = 0;
  const auto flush = [&] {
    output_.file().write(written, pending.data(), static_cast<int64_t>(pending.size()));
    written += static_cast<int64_t>(pending.size());
    pending.clear();
  };
  emit_header(tensors_, [&](const std::string& text) {
    pending += text;
    if (static_cast<int64_t>(pending.size()) >= kConvertedBytes) flush();
  });
  pending.append(static_cast<size_t>(begin - written) - pending.size(), ' ');
  flush();
  pass_complete_tensors();
}

int64_t SafetensorsWriter::file_bytes(std::span<const TensorDeclaration> tensors) {
  int64_t bytes = data_begin(tensors);
  for (const TensorDeclaration& tensor : tensors) bytes = add_sizes(bytes, tensor.type.bytes(), tensor.name);
  return bytes;
}

void SafetensorsWriter::pass_complete_tensors() {
  while (current_ < tensors_.size() && done_ == tensors_[current_].type_in_file().shape.elements()) {
    ++current_;
    done_ = 0;
  }
}

void SafetensorsWriter::write(std::string_view name, DType dtype, const void* data, int64_t count) {
  if (count == 0) return;
  ensure(current_ < tensors_.size() && tensors_[current_].name == name, "{}: tensor {} is written out of order",
         output_.path(), name);
  const Type type = tensors_[current_].type_in_file();
  ensure(count > 0 && count <= type.shape.elements() - done_, "{}: tensor {} gets more than its {} elements",
         output_.path(), name, type.shape.elements());
  if (dtype == type.dtype) {
    write_at(current_, done_, data, count);
  } else {
    alignas(64) std::array<std::byte, kConvertedBytes> staging;
    const int64_t step = kConvertedBytes / size_of(type.dtype);
    for (int64_t first = 0; first < count; first += step) {
      const int64_t run = std::min(step, count - first);
      convert_elements(dtype, static_cast<const std::byte*>(data) + first * size_of(dtype), type.dtype, staging.data(),
                       run);
      write_at(current_, done_ + first, staging.data(), run);
    }
  }
  done_ += count;
  pass_complete_tensors();
}

void SafetensorsWriter::write_at(size_t tensor, int64_t first, const void* data, int64_t count) {
  const Type type = tensors_.at(tensor).type_in_file();
  ensure(first >= 0 && count >= 0 && first <= type.shape.elements() - count,
         "{}: elements {} to {} lie outside tensor {}", output_.path(), first, first + count, tensors_[tensor].name);
  const int64_t bytes = count * size_of(type.dtype);
  direct_.write(offset_of(tensor, first), data, bytes);
  written_bytes_ += bytes;
}

int64_t SafetensorsWriter::offset_of(size_t tensor, int64_t first) const {
  return begins_.at(tensor) + first * size_of(tensors_[tensor].type_in_file().dtype);
}

void SafetensorsWriter::finish() {
  ensure(written_bytes_ == data_bytes_, "{}: {} of {} bytes were written; tensor {} is not complete", output_.path(),
         written_bytes_.load(), data_bytes_, current_ < tensors_.size() ? tensors_[current_].name : "");
  output_.commit();
}

}  // namespace headroom
