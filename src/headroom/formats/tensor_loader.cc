#include "headroom/formats/tensor_loader.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include "headroom/base/block_reader.h"

namespace headroom {

LoadStatistics load_tensors(std::vector<TensorLoad> loads, std::span<std::byte> staging, NanCheck nan_check,
                            const LoadProgress& progress) {
  const auto begin = std::chrono::steady_clock::now();
  std::stable_sort(loads.begin(), loads.end(), [](const TensorLoad& a, const TensorLoad& b) {
    if (a.source.file != b.source.file) return a.source.file->path() < b.source.file->path();
    return a.source.stored.offset_bytes < b.source.stored.offset_bytes;
  });
  // What lies in another order comes last, tensor by tensor.
  const auto scattered =
      std::stable_partition(loads.begin(), loads.end(), [](const TensorLoad& a) { return a.source.stored.in_order; });
  LoadStatistics use;
  std::vector<ReadRange> ranges;
  for (const TensorLoad& load : loads) {
    const StoredTensor& stored = load.source.stored;
    use.bytes += stored.size_bytes;
    if (!stored.in_order) continue;
    ranges.push_back(
        {&load.source.file->file(), stored.offset_bytes, stored.size_bytes, load.source.file->unit_bytes(stored)});
  }
  BlockReader reader(staging);
  reader.read(
      ranges,
      [&](const ReadPiece& piece) {
        const TensorLoad& load = loads[piece.range];
        const StoredTensor& stored = load.source.stored;
        const int64_t units = stored.size_bytes / ranges[piece.range].unit_bytes;
        const int64_t first = piece.offset_bytes / ranges[piece.range].unit_bytes * (stored.shape.elements() / units);
        load.source.file->decode(stored, first, piece.bytes, load.wanted, load.out + first * size_of(load.wanted),
                                 nan_check);
      },
      [&](int64_t done) {
        if (progress) progress(done, use.bytes);
      });
  int64_t done = 0;
  for (const ReadRange& range : ranges) done += range.size_bytes;
  for (auto load = scattered; load != loads.end(); ++load) {
    const StoredTensor& stored = load->source.stored;
    load->source.read(0, stored.shape.elements(), load->wanted, load->out, nan_check);
    done += stored.size_bytes;
    if (progress) progress(done, use.bytes);
  }
  use.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return use;
}

}  // namespace headroom
