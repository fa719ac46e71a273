#include "headroom/quantize/hidden_rows.h"

#include <cstring>

#include "headroom/base/bytes.h"
#include "headroom/base/page.h"

namespace headroom {
namespace {

int64_t bytes_of_row(int64_t elements) {
  return round_up(multiply_sizes(elements, 4, "a row of the calibration"), kPageBytes);
}

}  // namespace

HiddenRows::HiddenRows(int64_t rows, int64_t elements, const std::string& disk, Threads& threads)
    : row_bytes_(bytes_of_row(elements)), memory_(memory_bytes(rows, elements, !disk.empty()), threads) {
  if (!disk.empty()) file_ = std::make_unique<OffloadFile>(disk, disk_bytes(rows, elements));
}

int64_t HiddenRows::memory_bytes(int64_t rows, int64_t elements, bool on_disk) {
  return multiply_sizes(on_disk ? 1 : rows, bytes_of_row(elements), "the rows of the calibration");
}

int64_t HiddenRows::disk_bytes(int64_t rows, int64_t elements) {
  return multiply_sizes(rows, bytes_of_row(elements), "the rows of the calibration");
}

std::byte* HiddenRows::load(int64_t row) const {
  std::byte* memory = memory_.bytes().data();
  if (file_ == nullptr) return memory + row * row_bytes_;
  file_->read(row * row_bytes_, memory, row_bytes_);
  return memory;
}

void HiddenRows::read(int64_t row, std::span<float> to) const { std::memcpy(to.data(), load(row), to.size_bytes()); }

void HiddenRows::write(int64_t row, std::span<const float> from) {
  std::byte* memory = memory_.bytes().data() + (file_ == nullptr ? row * row_bytes_ : 0);
  std::memcpy(memory, from.data(), from.size_bytes());
  if (file_ != nullptr) file_->write(row * row_bytes_, memory, row_bytes_);
}

void HiddenRows::clear(int64_t row, int64_t first, int64_t count) {
  std::byte* memory = load(row);
  std::memset(memory + 4 * first, 0, static_cast<size_t>(4 * count));
  if (file_ != nullptr) file_->write(row * row_bytes_, memory, row_bytes_);
}

}  // namespace headroom
