#include "headroom/formats/weights/tensor_loader.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>

#include "headroom/base/block_format.h"
#include "headroom/base/block_reader.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/weights/encode_tensors.h"
#include "headroom/formats/weights/grouped_reader.h"

namespace headroom {
namespace {

// Whether the file holds the bytes that are wanted.
bool is_copied(const TensorLoad& load) {
  const BlockFormat* format = load.source.stored.format;
  return format != nullptr && format->dtype() == load.wanted;
}

// Whether what it holds is put into the format that is wanted as it is: piece by piece, or by the file itself.
bool is_exact(const TensorLoad& load) {
  const BlockFormat* format = load.source.stored.exact_format;
  return format != nullptr && format->dtype() == load.wanted;
}

bool is_regrouped(const TensorLoad& load) { return is_exact(load) && load.source.stored.blocks != nullptr; }

// From the beginning of the value.
int64_t first_byte(const TensorLoad& load) {
  if (load.place.index == 0) return 0;
  const Shape& shape = load.source.stored.shape;
  const int64_t stride =
      is_scalar(load.wanted) ? Type{load.wanted, shape}.bytes() : block_format(load.wanted).stack_stride(shape);
  return load.place.index * stride;
}

// Of the file, without what fills up a format's last page where another tensor follows in the value.
int64_t copied_bytes(const TensorLoad& load) {
  const StoredTensor& stored = load.source.stored;
  if (load.place.count == 1 || !is_copied(load)) return stored.size_bytes;
  return stored.format->stack_stride(stored.shape);
}

// In pieces that the staging memory holds. Elements of a piece are whole blocks of any quantised format.
void pour(const TensorLoad& load, std::span<std::byte> staging, NanCheck nan_check) {
  constexpr int64_t kPiece = TensorLoad::kPieceBytes;
  const auto address = static_cast<int64_t>(reinterpret_cast<uintptr_t>(staging.data()));
  const int64_t head = round_up(address, kPiece) - address;
  std::byte* memory = staging.data() + head;
  const int64_t element_bytes = size_of(load.wanted);
  const int64_t most = (static_cast<int64_t>(staging.size()) - head) / (kPiece * element_bytes) * kPiece;
  ensure(most > 0, "{} bytes of staging memory", staging.size());
  const int64_t elements = load.source.stored.shape.elements();
  for (int64_t first = 0; first < elements; first += most) {
    const int64_t count = std::min(most, elements - first);
    load.source.read(first, count, load.wanted, memory, nan_check);
    load.sink(first * element_bytes, memory, count * element_bytes);
  }
}

}  // namespace

LoadStatistics load_tensors(std::vector<TensorLoad> loads, std::span<std::byte> staging, NanCheck nan_check,
                            const LoadProgress& progress) {
  const auto begin = std::chrono::steady_clock::now();
  std::stable_sort(loads.begin(), loads.end(),
                   [](const TensorLoad& a, const TensorLoad& b) { return is_before(a.source, b.source); });
  // What becomes blocks comes last; before it, tensor by tensor, what lies in another order or goes to a sink.
  const auto encoded = std::stable_partition(loads.begin(), loads.end(), [](const TensorLoad& a) {
    return is_scalar(a.wanted) || is_copied(a) || is_exact(a);
  });
  const auto one_by_one = std::stable_partition(loads.begin(), encoded, [](const TensorLoad& a) {
    return is_copied(a) || is_regrouped(a) || (a.source.stored.in_order && a.out != nullptr);
  });
  LoadStatistics use;
  std::vector<ReadRange> ranges;
  for (const TensorLoad& load : loads) use.bytes += load.source.stored.size_bytes;
  for (auto load = loads.begin(); load != one_by_one; ++load) {
    const StoredTensor& stored = load->source.stored;
    ranges.push_back({&load->source.file->file(stored), stored.offset_bytes, copied_bytes(*load),
                      load->source.file->unit_bytes(stored)});
  }
  BlockReader(staging).read(
      ranges,
      [&](const ReadPiece& piece) {
        const TensorLoad& load = loads[piece.range];
        const StoredTensor& stored = load.source.stored;
        std::byte* out = load.out + first_byte(load);
        if (is_copied(load)) {
          std::memcpy(out + piece.offset_bytes, piece.bytes.data(), piece.bytes.size());
          return;
        }
        const int64_t units = stored.size_bytes / ranges[piece.range].unit_bytes;
        const int64_t first = piece.offset_bytes / ranges[piece.range].unit_bytes * (stored.shape.elements() / units);
        if (is_regrouped(load)) {
          load.source.file->regroup(stored, first, piece.bytes, out);
          return;
        }
        load.source.file->decode(stored, first, piece.bytes, load.wanted, out + first * size_of(load.wanted),
                                 nan_check);
      },
      [&](int64_t done) {
        if (progress) progress(done, use.bytes);
      });
  for (auto load = loads.begin(); load != one_by_one; ++load) {
    const StoredTensor& stored = load->source.stored;
    if (is_regrouped(*load) && load->place.count == 1) stored.exact_format->finish(stored.shape, load->out, {});
    if (is_copied(*load) || is_regrouped(*load)) {
      refuse_bad_scales(load->source.file->file(stored).path(), stored, block_format(load->wanted), stored.shape, 0,
                        load->out + first_byte(*load), false);
    }
  }
  int64_t done = 0;
  for (auto load = loads.begin(); load != one_by_one; ++load) done += load->source.stored.size_bytes;
  for (auto load = one_by_one; load != encoded; ++load) {
    const StoredTensor& stored = load->source.stored;
    if (is_exact(*load)) {
      load->source.file->fill(stored, load->out, load->place);
    } else if (load->out != nullptr) {
      load->source.read(0, stored.shape.elements(), load->wanted, load->out + first_byte(*load), nan_check);
    } else {
      pour(*load, staging, nan_check);
    }
    done += stored.size_bytes;
    if (progress) progress(done, use.bytes);
  }
  for (auto load = loads.begin(); load != encoded; ++load) {
    if (load->place.count == 1 || load->place.index > 0 || is_scalar(load->wanted)) continue;
    block_format(load->wanted).finish(load->place.whole(load->source.stored.shape), load->out, {});
  }
  encode_tensors({encoded, loads.end()}, staging, [&](int64_t of_encoded) {
    if (progress) progress(done + of_encoded, use.bytes);
  });
  use.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return use;
}

}  // namespace headroom
