#include "headroom/formats/weights/weight_notes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {
namespace {

constexpr int64_t kMostElementsPerByte = 4;

// "[5504, 2048]", spelled as to_string does.
std::optional<Shape> read_shape(std::string_view text) {
  std::array<int64_t, Shape::kMaxRank> dims = {};
  size_t rank = 0;
  for (size_t at = 0; at < text.size() && text[at] != ']' && rank < dims.size(); ++rank) {
    at += rank == 0 ? 1 : 2;  // behind "[" or ", "
    if (at >= text.size()) return std::nullopt;
    const auto [behind, error] = std::from_chars(text.data() + at, text.data() + text.size(), dims[rank]);
    if (error != std::errc() || dims[rank] < 1) return std::nullopt;
    at = static_cast<size_t>(behind - text.data());
  }
  const Shape shape = Shape::from(std::span(dims).first(rank));
  return to_string(shape) == text ? std::optional(shape) : std::nullopt;
}

}  // namespace

std::string weight_note(const GroupedFormat& format, const Shape& shape) {
  return fmt::format("{} {}", format.name(), to_string(shape));
}

WeightNote read_weight_note(std::string_view text, int64_t size_bytes, const std::string& where) {
  const size_t space = std::min(text.find(' '), text.size());
  const std::string_view name = text.substr(0, space);
  const BlockFormat* known = find_block_format(name);
  const GroupedFormat* format = known == nullptr ? nullptr : as_grouped(known->dtype());
  if (format == nullptr) {
    throw InvalidInput("{}: unknown weight format '{}'; expected one like int4_g128, with a shape behind it", where,
                       printable(name));
  }
  const std::optional<Shape> shape = read_shape(text.substr(std::min(space + 1, text.size())));
  if (!shape)
    throw InvalidInput("{}: '{}' is no format and shape; expected '{} [rows, columns]'", where, printable(text), name);
  int64_t elements = 1;
  for (const int64_t dim : *shape) elements = multiply_sizes(elements, dim, where);
  const bool possible = elements / kMostElementsPerByte <= size_bytes;
  if (!possible || format->bytes(*shape) != size_bytes) {
    throw InvalidInput("{}: its {} bytes are not those of {}", where, size_bytes, text);
  }
  return {format, *shape};
}

void expect_weights_version(std::string_view version, const std::string& path) {
  if (version == kWeightsVersion) return;
  int number = 0;
  const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), number);
  if (error == std::errc() && end == version.data() + version.size() && number > 1) {
    throw InvalidInput(
        "{}: was written by a newer headroom (weights of version {}; this one reads version {}); try that", path,
        number, kWeightsVersion);
  }
  throw InvalidInput("{}: {} is '{}'; expected '{}'", path, kWeightsVersionKey, printable(version), kWeightsVersion);
}

}  // namespace headroom
