#include "headroom/formats/weights/grouped_reader.h"

#include <algorithm>
#include <array>

#include "headroom/base/convert.h"
#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/base/interleaved_rows.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {
namespace {

constexpr int64_t kPartBytes = 32 * 1024;
constexpr int64_t kColumnStep = 32;
constexpr int64_t kConvertedElements = 1024;

[[noreturn]] void refuse_scale(const std::string& path, const StoredTensor& tensor, int64_t row) {
  throw InvalidInput("{}: tensor {} has a scale in row {} that is NaN or infinite; the file is damaged", path,
                     printable(tensor.name), row);
}

// As many columns of a panel as fit the memory for a part.
int64_t part_columns(const GroupedFormat& format, const GroupedLayout& whole) {
  const int64_t step = format.group() == 0 ? kColumnStep : format.group();
  const int64_t bytes = GroupedLayout(format, {kPanelRows, step}).panel_bytes();
  return std::min(whole.columns, kPartBytes / bytes * step);
}

// Some columns of a panel, as a tensor of 16 rows.
class Part {
 public:
  Part(const File& file, const StoredTensor& tensor, const GroupedLayout& whole, int64_t panel, int64_t column,
       int64_t columns)
      : format_(*as_grouped(tensor.format->dtype())), shape_{kPanelRows, columns} {
    const GroupedLayout layout(format_, shape_);
    const int64_t begin = tensor.offset_bytes + panel * whole.panel_bytes();
    const PanelRuns runs = columns_of_panel(whole, layout, column);
    for (size_t i = 0; i < runs.count; ++i) {
      file.read(begin + runs.all[i].from, bytes_.data() + runs.all[i].to, runs.all[i].bytes);
    }
    const int64_t lane = find_bad_scale(layout, bytes_.data());
    if (lane >= 0) refuse_scale(file.path(), tensor, panel * kPanelRows + lane);
  }

  void decode(int64_t lane, int64_t first, int64_t count, DType wanted, std::byte* out) const {
    const int64_t at = lane * shape_[1] + first;
    if (wanted == DType::f32) return format_.decode(shape_, bytes_.data(), at, count, reinterpret_cast<float*>(out));
    std::array<float, kConvertedElements> numbers;
    for (int64_t done = 0; done < count; done += kConvertedElements) {
      const int64_t run = std::min(kConvertedElements, count - done);
      format_.decode(shape_, bytes_.data(), at + done, run, numbers.data());
      convert_elements(DType::f32, numbers.data(), wanted, out + done * size_of(wanted), run);
    }
  }

 private:
  const GroupedFormat& format_;
  Shape shape_;
  alignas(64) std::array<std::byte, kPartBytes> bytes_;
};

}  // namespace

void read_grouped(const File& file, const StoredTensor& tensor, int64_t first, int64_t count, DType wanted, void* out) {
  if (wanted != DType::f64 && wanted != DType::f32 && wanted != DType::f16 && wanted != DType::bf16) {
    throw InvalidInput("{}: tensor {} is stored as {}; expected a dtype that converts to {}", file.path(),
                       printable(tensor.name), tensor.type_name, name_of(wanted));
  }
  if (count == 0) return;
  const GroupedFormat& format = *as_grouped(tensor.format->dtype());
  const GroupedLayout whole(format, tensor.shape);
  const int64_t columns = whole.columns;
  const int64_t step = part_columns(format, whole);
  const int64_t first_row = first / columns, last_row = (first + count - 1) / columns;
  for (int64_t panel = first_row / kPanelRows; panel <= last_row / kPanelRows; ++panel) {
    const int64_t begin = std::max(first_row, panel * kPanelRows);
    const int64_t end = std::min(last_row, panel * kPanelRows + kPanelRows - 1);
    for (int64_t column = 0; column < columns; column += step) {
      const int64_t width = std::min(step, columns - column);
      // Of a row, the wanted elements among these columns.
      const auto low = [&](int64_t row) { return std::max(first, row * columns + column); };
      const auto high = [&](int64_t row) { return std::min(first + count, row * columns + column + width); };
      int64_t row = begin;
      while (row <= end && low(row) >= high(row)) ++row;
      if (row > end) continue;
      const Part part(file, tensor, whole, panel, column, width);
      for (; row <= end; ++row) {
        const int64_t at = low(row), run = high(row) - at;
        if (run > 0) {
          part.decode(row % kPanelRows, at - row * columns - column, run, wanted,
                      static_cast<std::byte*>(out) + (at - first) * size_of(wanted));
        }
      }
    }
  }
}

void refuse_bad_scales(const std::string& path, const StoredTensor& tensor, const BlockFormat& format,
                       const Shape& rows, int64_t first_row, const std::byte* bytes, bool as_in_file) {
  const int64_t bad = format.find_bad_scale(rows, bytes);
  if (bad < 0) return;
  const int64_t row = first_row + bad;
  refuse_scale(path, tensor, as_in_file && tensor.head_rows > 0 ? halved_row(row, tensor.head_rows) : row);
}

}  // namespace headroom
