// Blocks as files of ggml hold them (ggml-common.h, ggml-quants.c): a row is whole blocks, one behind the other, and
// rows follow each other. A type says what a block is:
//   kName, kElements (of a block), kBytes
//   decode(block, out)   all elements, in f32, each operation rounded in the order of ggml's reference
//   is_sound(block)      whether all elements are numbers
//   encode(in, block)    of those that headroom writes; false where an element or a scale is infinite
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "headroom/base/block_format.h"
#include "headroom/base/errors.h"

namespace headroom {

// A number in f16 at `from`, unaligned.
inline float f16_at(const uint8_t* from) {
  uint16_t bits;
  std::memcpy(&bits, from, sizeof bits);
  return f16_to_f32(bits);
}

template <class Block>
class GgmlBlocks final : public BlockFormat {
 public:
  constexpr GgmlBlocks() : BlockFormat(Block::kName, kElements) {}

  bool has_rows() const override { return true; }

  int64_t bytes(const Shape& shape) const override {
    const int64_t row = shape.rank() == 0 ? 0 : shape[shape.rank() - 1];
    if (row % kElements != 0) {
      throw InvalidInput("{}: rows are whole blocks; expected a multiple of {} elements, got {}", Block::kName,
                         kElements, to_string(shape));
    }
    return shape.elements() / kElements * Block::kBytes;
  }

  void decode(const Shape&, const std::byte* tensor, int64_t first, int64_t count, float* out) const override {
    const uint8_t* block = block_at(tensor, first);
    for (int64_t left = count; left > 0; block += Block::kBytes) {
      const int64_t skipped = first % kElements;
      const int64_t run = std::min(kElements - skipped, left);
      if (run == kElements) {
        Block::decode(block, out);
      } else {
        std::array<float, kElements> whole;
        Block::decode(block, whole.data());
        std::copy_n(whole.data() + skipped, run, out);
      }
      first += run;
      out += run;
      left -= run;
    }
  }

  int64_t find_bad_scale(const Shape& shape, const std::byte* tensor) const override {
    const int64_t row_blocks = shape[shape.rank() - 1] / kElements;
    const uint8_t* block = block_at(tensor, 0);
    for (int64_t i = 0; i < shape.elements() / kElements; ++i, block += Block::kBytes) {
      if (!Block::is_sound(block)) return i / row_blocks;
    }
    return -1;
  }

  int64_t encode(const Shape& shape, int64_t first, std::span<const float> elements, std::byte* tensor,
                 std::span<float> waiting) const override {
    if constexpr (requires(uint8_t * block) { Block::encode(elements.data(), block); }) {
      for (size_t done = 0; done < elements.size(); done += kElements) {
        const int64_t at = first + static_cast<int64_t>(done);
        std::byte* block = tensor + at / kElements * Block::kBytes;
        if (!Block::encode(elements.data() + done, reinterpret_cast<uint8_t*>(block))) return at;
      }
      return -1;
    }
    return BlockFormat::encode(shape, first, elements, tensor, waiting);
  }

 private:
  static constexpr int64_t kElements = Block::kElements;

  static const uint8_t* block_at(const std::byte* tensor, int64_t element) {
    return reinterpret_cast<const uint8_t*>(tensor) + element / kElements * Block::kBytes;
  }
};

}  // namespace headroom
