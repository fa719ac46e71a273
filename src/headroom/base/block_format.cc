#include "headroom/base/block_format.h"

#include <algorithm>
#include <vector>

#include "headroom/base/errors.h"

extern "C" {
[[gnu::weak]] extern const headroom::BlockFormat* const __start_headroom_block_formats[];
[[gnu::weak]] extern const headroom::BlockFormat* const __stop_headroom_block_formats[];
}

namespace headroom {
namespace {

// By name, so that numbers do not depend on the linker.
const std::vector<const BlockFormat*>& table() {
  static const std::vector<const BlockFormat*> formats = [] {
    std::vector<const BlockFormat*> all{__start_headroom_block_formats, __stop_headroom_block_formats};
    std::sort(all.begin(), all.end(), [](const auto* a, const auto* b) { return a->name() < b->name(); });
    return all;
  }();
  return formats;
}

}  // namespace

DType BlockFormat::dtype() const {
  const auto& formats = table();
  const auto place = std::find(formats.begin(), formats.end(), this);
  ensure(place != formats.end(), "the format {} is not in the table", name_);
  return static_cast<DType>(kScalarFormats + (place - formats.begin()));
}

int64_t BlockFormat::encode(const Shape&, int64_t, std::span<const float>, std::byte*, std::span<float>) const {
  throw InternalError("{} is only read", name_);
}

const BlockFormat& block_format(DType dtype) {
  const size_t place = static_cast<size_t>(dtype) - kScalarFormats;
  ensure(place < table().size(), "no format has the number {}", static_cast<int>(dtype));
  return *table()[place];
}

const BlockFormat* find_block_format(std::string_view name) {
  const auto& formats = table();
  const auto place = std::find_if(formats.begin(), formats.end(), [&](const auto* one) { return one->name() == name; });
  return place == formats.end() ? nullptr : *place;
}

}  // namespace headroom
