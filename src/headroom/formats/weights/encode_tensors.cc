#include "headroom/formats/weights/encode_tensors.h"

#include <algorithm>
#include <array>

#include "headroom/base/block_reader.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr int64_t kStepElements = 4096;    // decoded at once
constexpr size_t kFewNumbers = 16 * 1024;  // that wait on the heap instead of in staging memory

// One tensor on its way: pieces come in any order, on several threads.
class Encoding {
 public:
  Encoding(const TensorLoad& load, std::span<float> waiting)
      : load_(load), format_(block_format(load.wanted)), waiting_(waiting) {}

  const WeightTensor& source() const { return load_.source; }
  int64_t block_elements() const { return format_.block_elements(load_.source.stored.shape); }

  // Elements from number `first` on, whole blocks or the tensor's end.
  void add(int64_t first, std::span<const float> elements) const {
    if (format_.encode(source().stored.shape, first, elements, load_.out, waiting_) < 0) return;
    throw InvalidInput("{}: tensor {} holds an infinity, which --base-bits cannot keep", source().file->path(),
                       source().stored.name);
  }

  void finish() const { format_.finish(source().stored.shape, load_.out, waiting_); }

 private:
  const TensorLoad& load_;
  const BlockFormat& format_;
  std::span<float> waiting_;
};

// Bytes of a block's elements where the tensor lies in the file as it is wanted and in whole blocks; 0 otherwise.
int64_t stored_block_bytes(const WeightTensor& source, int64_t block_elements) {
  const StoredTensor& stored = source.stored;
  const int64_t elements = stored.shape.elements();
  if (!stored.in_order || elements % block_elements != 0) return 0;
  const int64_t bytes = stored.size_bytes / (elements / block_elements);
  return bytes % source.file->unit_bytes(stored) == 0 ? bytes : 0;
}

void read_blocks(BlockReader& reader, const Encoding& encoding, int64_t unit_bytes,
                 const BlockReader::Progress& progress) {
  const WeightTensor& source = encoding.source();
  const StoredTensor& stored = source.stored;
  const std::array<ReadRange, 1> range = {
      {{&source.file->file(stored), stored.offset_bytes, stored.size_bytes, unit_bytes}}};
  const int64_t step_blocks = kStepElements / encoding.block_elements();
  reader.read(
      range,
      [&](const ReadPiece& piece) {
        std::array<float, kStepElements> elements;
        const int64_t blocks = static_cast<int64_t>(piece.bytes.size()) / unit_bytes;
        const int64_t first = piece.offset_bytes / unit_bytes * encoding.block_elements();
        for (int64_t block = 0; block < blocks; block += step_blocks) {
          const int64_t count = std::min(step_blocks, blocks - block);
          const int64_t at = first + block * encoding.block_elements();
          source.file->decode(
              stored, at,
              piece.bytes.subspan(static_cast<size_t>(block * unit_bytes), static_cast<size_t>(count * unit_bytes)),
              DType::f32, elements.data(), NanCheck::refuse);
          encoding.add(at, std::span(elements).first(static_cast<size_t>(count * encoding.block_elements())));
        }
      },
      progress);
}

// What lies in another order, or in blocks that the file's units do not fill.
void read_elements(const Encoding& encoding) {
  std::array<float, kStepElements> elements;
  const int64_t count = encoding.source().stored.shape.elements();
  for (int64_t first = 0; first < count; first += kStepElements) {
    const int64_t step = std::min(kStepElements, count - first);
    encoding.source().read(first, step, DType::f32, elements.data(), NanCheck::refuse);
    encoding.add(first, std::span(elements).first(static_cast<size_t>(step)));
  }
}

size_t waiting_floats(const TensorLoad& load) {
  return static_cast<size_t>(block_format(load.wanted).waiting_floats(load.source.stored.shape));
}

}  // namespace

void encode_tensors(std::span<const TensorLoad> loads, std::span<std::byte> staging,
                    const std::function<void(int64_t done_bytes)>& progress) {
  if (loads.empty()) return;
  size_t most_waiting = 0;
  for (const TensorLoad& load : loads) most_waiting = std::max(most_waiting, waiting_floats(load));
  std::vector<float> few(std::min(most_waiting, kFewNumbers));
  std::span<float> waiting = few;
  if (most_waiting > kFewNumbers) {
    const size_t bytes = static_cast<size_t>(round_up(static_cast<int64_t>(most_waiting * sizeof(float)), 64));
    ensure(staging.size() >= bytes + BlockReader::kLeastStagingBytes, "{} bytes of staging memory for encoding",
           staging.size());
    waiting = {reinterpret_cast<float*>(staging.data()), most_waiting};
    staging = staging.subspan(bytes);
  }
  BlockReader reader(staging);
  int64_t done = 0;
  for (const TensorLoad& load : loads) {
    const Encoding encoding(load, waiting.first(waiting_floats(load)));
    if (const int64_t unit_bytes = stored_block_bytes(load.source, encoding.block_elements()); unit_bytes > 0) {
      read_blocks(reader, encoding, unit_bytes, [&](int64_t of_tensor) { progress(done + of_tensor); });
    } else {
      read_elements(encoding);
    }
    encoding.finish();
    done += load.source.stored.size_bytes;
    progress(done);
  }
}

}  // namespace headroom
