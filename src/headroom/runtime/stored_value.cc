#include "headroom/runtime/stored_value.h"

#include <algorithm>
#include <cstring>

#include "headroom/base/bytes.h"
#include "headroom/base/convert.h"
#include "headroom/base/errors.h"
#include "headroom/base/page.h"

namespace headroom {
namespace {

// Pieces of parts are as long on all ranks.
int64_t piece_elements(const StoredValue& value) {
  const int64_t pages = static_cast<int64_t>(value.staging.size()) / kPageBytes * kPageBytes;
  ensure(pages > 0, "no staging memory for '{}'", value.name);
  return pages / size_of(value.type.dtype);
}

// Elements [first, first + count) of this rank's part.
const std::byte* read_part(const StoredValue& value, int64_t first, int64_t count) {
  const int64_t element_bytes = size_of(value.type.dtype);
  if (value.file == nullptr) return value.data + first * element_bytes;
  value.file->read(value.offset_bytes + first * element_bytes, value.staging.data(),
                   round_up(count * element_bytes, kPageBytes));
  return value.staging.data();
}

void for_each_piece_of_parts(const StoredValue& value, const StoredValue::Piece& piece) {
  const RankParts& parts = *value.parts;
  const int64_t element_bytes = size_of(value.type.dtype);
  const int64_t most = piece_elements(value);
  const int own = value.ranks->rank();
  const auto move = [&](Exchange exchange) {
    value.ranks->begin(exchange);
    value.ranks->wait(exchange);
  };
  for (int rank = 0; rank < value.ranks->size(); ++rank) {
    if (own != 0 && own != rank) continue;
    for (int64_t done = 0; done < parts.held(rank); done += most) {
      const int64_t count = std::min(most, parts.held(rank) - done);
      if (own == rank) {
        const std::byte* part = read_part(value, done, count);
        if (own == 0) piece(parts.first(rank) + done, part, count);
        if (own != 0) move({.sends = {{0, const_cast<std::byte*>(part), count * element_bytes}}, .receives = {}});
      } else {
        move({.sends = {}, .receives = {{rank, value.staging.data(), count * element_bytes}}});
        piece(parts.first(rank) + done, value.staging.data(), count);
      }
    }
  }
}

// Into a part on disk, wherever it begins: whole pages are read, changed and written.
void patch(const StoredValue& value, int64_t first_byte, std::span<const std::byte> bytes) {
  constexpr int64_t kPatchBytes = 16 * kPageBytes;
  alignas(kPageBytes) std::byte pages[kPatchBytes];
  const int64_t end = first_byte + static_cast<int64_t>(bytes.size());
  for (int64_t at = first_byte; at < end;) {
    const int64_t begin = at / kPageBytes * kPageBytes;
    const int64_t stop = std::min(end, begin + kPatchBytes);
    const int64_t size = round_up(stop - begin, kPageBytes);
    value.file->read(value.offset_bytes + begin, pages, size);
    std::memcpy(pages + (at - begin), bytes.data() + (at - first_byte), static_cast<size_t>(stop - at));
    value.file->write(value.offset_bytes + begin, pages, size);
    at = stop;
  }
}

}  // namespace

void StoredValue::for_each_piece(const Piece& piece) const {
  if (parts) return for_each_piece_of_parts(*this, piece);
  if (file == nullptr) return piece(0, data, type.shape.elements());
  file->for_each_piece(offset_bytes, type.bytes(), staging, [&](int64_t first_byte, std::span<const std::byte> bytes) {
    piece(first_byte / size_of(type.dtype), bytes.data(), static_cast<int64_t>(bytes.size()) / size_of(type.dtype));
  });
}

void StoredValue::write(int64_t first, std::span<const float> numbers) const {
  int64_t begin = first;
  int64_t end = first + static_cast<int64_t>(numbers.size());
  if (parts) {
    const int64_t own = parts->first(ranks->rank());
    begin = std::clamp(begin, own, own + parts->held(ranks->rank()));
    end = std::clamp(end, begin, own + parts->held(ranks->rank()));
    if (begin == end) return;
    numbers = numbers.subspan(static_cast<size_t>(begin - first), static_cast<size_t>(end - begin));
    begin -= own;
  }
  const auto count = static_cast<int64_t>(numbers.size());
  const int64_t element_bytes = size_of(type.dtype);
  if (file == nullptr) {
    return convert_elements(DType::f32, numbers.data(), type.dtype, data + begin * element_bytes, count);
  }
  ensure(count * element_bytes <= static_cast<int64_t>(staging.size()), "no staging memory for '{}'", name);
  convert_elements(DType::f32, numbers.data(), type.dtype, staging.data(), count);
  if (parts) return patch(*this, begin * element_bytes, staging.first(static_cast<size_t>(count * element_bytes)));
  sink_into(*file, offset_bytes)(begin * element_bytes, staging.data(), count * element_bytes);
}

void StoredValue::write_bytes(int64_t first_byte, std::span<const std::byte> bytes) const {
  const int64_t element_bytes = size_of(type.dtype);
  const int64_t own = parts ? parts->first(ranks->rank()) * element_bytes : 0;
  const int64_t held = parts ? parts->held(ranks->rank()) * element_bytes : type.bytes();
  const int64_t begin = std::clamp(first_byte, own, own + held);
  const int64_t end = std::clamp(first_byte + static_cast<int64_t>(bytes.size()), begin, own + held);
  if (begin == end) return;
  bytes = bytes.subspan(static_cast<size_t>(begin - first_byte), static_cast<size_t>(end - begin));
  if (file != nullptr) return patch(*this, begin - own, bytes);
  std::memcpy(data + begin - own, bytes.data(), bytes.size());
}

LoadStatistics load_values(const std::vector<ValueLoad>& loads, NanCheck nan_check, const LoadProgress& progress) {
  if (loads.empty()) return {};
  std::vector<TensorLoad> tensors;
  for (const ValueLoad& load : loads) {
    const StoredValue& value = load.value;
    tensors.push_back({load.source, value.type.dtype, value.parts ? nullptr : value.data, load.place});
    if (value.parts) {
      tensors.back().sink = [&value](int64_t first_byte, const std::byte* data, int64_t size_bytes) {
        value.write_bytes(first_byte, {data, static_cast<size_t>(size_bytes)});
      };
    } else if (value.file != nullptr) {
      tensors.back().sink = sink_into(*value.file, value.offset_bytes);
    }
  }
  return load_tensors(std::move(tensors), loads.front().value.staging, nan_check, progress);
}

}  // namespace headroom
