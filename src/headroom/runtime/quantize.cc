#include "headroom/runtime/quantize.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "headroom/backend/dynamic_map.h"
#include "headroom/backend/quantized_weights.h"
#include "headroom/base/block_reader.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr int64_t kStepElements = 64 * kQuantizedBlock;  // decoded at once
constexpr size_t kFewMagnitudes = 16 * 1024;             // kept on the heap instead of in staging memory

using Block = std::array<float, kQuantizedBlock>;

// The block with zeros behind it; returns its largest magnitude.
float fill_block(std::span<const float> block, Block& padded) {
  padded.fill(0);
  std::copy(block.begin(), block.end(), padded.begin());
  float largest = 0;
  for (const float x : padded) largest = std::max(largest, std::fabs(x));
  return largest;
}

// How many midpoints lie below each number: loops of a fixed length, which compilers turn into vectors.
[[gnu::always_inline]] inline void count_midpoints(const Block& x, std::array<int32_t, kQuantizedBlock>& counts) {
  counts.fill(0);
  for (const float midpoint : kNf4Midpoints) {
    for (size_t i = 0; i < x.size(); ++i) counts[i] += x[i] > midpoint ? 1 : 0;
  }
}
[[gnu::target("avx2")]] void count_midpoints_avx2(const Block& x, std::array<int32_t, kQuantizedBlock>& counts) {
  count_midpoints(x, counts);
}

uint8_t nearest_code(float x) {
  const auto& midpoints = kSignedMap.midpoints;
  return static_cast<uint8_t>(std::lower_bound(midpoints.begin(), midpoints.end(), x) - midpoints.begin());
}

// One tensor on its way: pieces come in any order, on several threads.
class Quantizer {
 public:
  Quantizer(const QuantizedLoad& load, std::span<float> magnitudes)
      : load_(load), magnitudes_(magnitudes), elements_(load.source.stored.shape.elements()) {}

  // `count` elements from number `first` on, a multiple of 64, which are whole blocks or end the tensor.
  void add(int64_t first, std::span<const float> elements) const {
    uint8_t* codes = load_.parts[0].as<uint8_t>();
    for (size_t done = 0; done < elements.size(); done += kQuantizedBlock) {
      const std::span<const float> block =
          elements.subspan(done, std::min<size_t>(kQuantizedBlock, elements.size() - done));
      const int64_t at = first + static_cast<int64_t>(done);
      const float scale = is_nf4() ? quantize_nf4_block(block, codes + at / 2) : quantize_int8_block(block, codes + at);
      if (!std::isfinite(scale)) {
        throw InvalidInput("{}: tensor {} holds an infinity, which --base-bits cannot keep", load_.source.file->path(),
                           load_.source.stored.name);
      }
      magnitudes_[static_cast<size_t>(at / kQuantizedBlock)] = scale;
    }
  }

  void finish() const {
    if (!is_nf4()) return;
    const Tensor& codes = load_.parts[1];
    const Tensor& scales = load_.parts[2];
    quantize_magnitudes(magnitudes_, {codes.as<uint8_t>(), static_cast<size_t>(codes.elements())},
                        {scales.as<float>(), static_cast<size_t>(scales.elements())});
  }

 private:
  bool is_nf4() const { return load_.parts.size() == 3; }

  const QuantizedLoad& load_;
  std::span<float> magnitudes_;
  int64_t elements_;
};

// Bytes of 64 elements where the tensor lies in the file as it is wanted and in whole blocks; 0 otherwise.
int64_t block_bytes(const WeightTensor& source) {
  const StoredTensor& stored = source.stored;
  const int64_t elements = stored.shape.elements();
  if (!stored.in_order || elements % kQuantizedBlock != 0) return 0;
  const int64_t bytes = stored.size_bytes / (elements / kQuantizedBlock);
  return bytes % source.file->unit_bytes(stored) == 0 ? bytes : 0;
}

void read_blocks(BlockReader& reader, const WeightTensor& source, int64_t unit_bytes, const Quantizer& quantizer,
                 const BlockReader::Progress& progress) {
  const StoredTensor& stored = source.stored;
  const std::array<ReadRange, 1> range = {{{&source.file->file(), stored.offset_bytes, stored.size_bytes, unit_bytes}}};
  reader.read(
      range,
      [&](const ReadPiece& piece) {
        std::array<float, kStepElements> elements;
        const int64_t blocks = static_cast<int64_t>(piece.bytes.size()) / unit_bytes;
        const int64_t first = piece.offset_bytes / unit_bytes * kQuantizedBlock;
        constexpr int64_t kStepBlocks = kStepElements / kQuantizedBlock;
        for (int64_t block = 0; block < blocks; block += kStepBlocks) {
          const int64_t count = std::min(kStepBlocks, blocks - block);
          const int64_t at = first + block * kQuantizedBlock;
          source.file->decode(
              stored, at,
              piece.bytes.subspan(static_cast<size_t>(block * unit_bytes), static_cast<size_t>(count * unit_bytes)),
              DType::f32, elements.data(), NanCheck::refuse);
          quantizer.add(at, std::span(elements).first(static_cast<size_t>(count * kQuantizedBlock)));
        }
      },
      progress);
}

// What lies in another order, or in blocks that the file's units do not fill.
void read_elements(const WeightTensor& source, const Quantizer& quantizer) {
  std::array<float, kStepElements> elements;
  const int64_t count = source.stored.shape.elements();
  for (int64_t first = 0; first < count; first += kStepElements) {
    const int64_t step = std::min(kStepElements, count - first);
    source.read(first, step, DType::f32, elements.data(), NanCheck::refuse);
    quantizer.add(first, std::span(elements).first(static_cast<size_t>(step)));
  }
}

}  // namespace

float quantize_nf4_block(std::span<const float> block, uint8_t* codes) {
  Block x;
  const float magnitude = fill_block(block, x);
  const float inverse = 1.0f / std::max(magnitude, kLeastDynamicScale);
  for (float& element : x) element = std::clamp(element * inverse, -1.0f, 1.0f);
  std::array<int32_t, kQuantizedBlock> counts;
  static const bool has_avx2 = __builtin_cpu_supports("avx2");
  if (has_avx2) {
    count_midpoints_avx2(x, counts);
  } else {
    count_midpoints(x, counts);
  }
  for (size_t i = 0; i < (block.size() + 1) / 2; ++i) {
    codes[i] = static_cast<uint8_t>(counts[2 * i] << 4 | counts[2 * i + 1]);
  }
  return magnitude;
}

float quantize_int8_block(std::span<const float> block, uint8_t* codes) {
  Block x;
  const float magnitude = fill_block(block, x);
  const float inverse = magnitude > 0 ? 127.0f / magnitude : 0.0f;
  for (size_t i = 0; i < block.size(); ++i) {
    const float rounded = std::nearbyint(std::clamp(x[i] * inverse, -127.0f, 127.0f));
    codes[i] = static_cast<uint8_t>(static_cast<int8_t>(rounded));
  }
  return magnitude / 127.0f;
}

void quantize_magnitudes(std::span<const float> magnitudes, std::span<uint8_t> codes, std::span<float> scale_blocks) {
  double sum = 0;
  for (const float magnitude : magnitudes) sum += static_cast<double>(magnitude);
  const float mean = static_cast<float>(sum / static_cast<double>(magnitudes.size()));
  scale_blocks.back() = mean;
  for (size_t begin = 0; begin < magnitudes.size(); begin += kScaleBlock) {
    const size_t end = std::min(begin + kScaleBlock, magnitudes.size());
    float largest = 0;
    for (size_t i = begin; i < end; ++i) largest = std::max(largest, std::fabs(magnitudes[i] - mean));
    scale_blocks[begin / kScaleBlock] = largest;
    const float inverse = 1.0f / std::max(largest, kLeastDynamicScale);
    for (size_t i = begin; i < end; ++i) {
      codes[i] = nearest_code(std::clamp((magnitudes[i] - mean) * inverse, -1.0f, 1.0f));
    }
  }
}

LoadStatistics load_quantized(const std::vector<QuantizedLoad>& loads, std::span<std::byte> staging,
                              const LoadProgress& progress) {
  const auto begin = std::chrono::steady_clock::now();
  LoadStatistics use;
  size_t most_blocks = 0;
  for (const QuantizedLoad& load : loads) {
    use.bytes += load.source.stored.size_bytes;
    const int64_t blocks = quantized_blocks(load.source.stored.shape.elements());
    if (load.parts.size() == 3) most_blocks = std::max(most_blocks, static_cast<size_t>(blocks));
  }
  // The magnitudes of NF4 blocks wait until all of a tensor's are there.
  std::vector<float> few(std::min(most_blocks, kFewMagnitudes));
  std::span<float> waiting = few;
  if (most_blocks > kFewMagnitudes) {
    const size_t bytes = static_cast<size_t>(round_up(static_cast<int64_t>(most_blocks * sizeof(float)), 64));
    ensure(staging.size() >= bytes + BlockReader::kLeastStagingBytes, "{} bytes of staging memory for NF4 codes",
           staging.size());
    waiting = {reinterpret_cast<float*>(staging.data()), most_blocks};
    staging = staging.subspan(bytes);
  }
  BlockReader reader(staging);
  int64_t done = 0;
  for (const QuantizedLoad& load : loads) {
    const size_t blocks = static_cast<size_t>(quantized_blocks(load.source.stored.shape.elements()));
    const Tensor& last = load.parts.back();
    const Quantizer quantizer(
        load, load.parts.size() == 3 ? waiting.first(blocks) : std::span<float>(last.as<float>(), blocks));
    if (const int64_t unit_bytes = block_bytes(load.source); unit_bytes > 0) {
      read_blocks(reader, load.source, unit_bytes, quantizer, [&](int64_t of_tensor) {
        if (progress) progress(done + of_tensor, use.bytes);
      });
    } else {
      read_elements(load.source, quantizer);
    }
    quantizer.finish();
    done += load.source.stored.size_bytes;
    if (progress) progress(done, use.bytes);
  }
  use.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return use;
}

}  // namespace headroom
