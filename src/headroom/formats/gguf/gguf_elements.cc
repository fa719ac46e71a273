#include "headroom/formats/gguf/gguf_elements.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "headroom/base/block_format.h"
#include "headroom/base/convert.h"

namespace headroom {
namespace {

constexpr int64_t kStagingBytes = 17 * 1024;
constexpr int64_t kStagingElements = 16 * 1024;
constexpr size_t kMostBlockElements = 256;

}  // namespace

void decode_gguf_blocks(const GgmlType& type, const std::byte* in, int64_t blocks, DType wanted, void* out) {
  switch (type.number) {
    case kGgmlF32: return convert_elements(DType::f32, in, wanted, out, blocks);
    case kGgmlF16: return convert_elements(DType::f16, in, wanted, out, blocks);
    case kGgmlBf16: return convert_elements(DType::bf16, in, wanted, out, blocks);
    default: break;
  }
  const BlockFormat& format = *type.blocks();
  const int64_t elements = blocks * type.block_elements;
  if (wanted == DType::f32) return format.decode({elements}, in, 0, elements, static_cast<float*>(out));
  std::array<float, kStagingElements> numbers;
  for (int64_t done = 0; done < elements; done += kStagingElements) {
    const int64_t count = std::min(kStagingElements, elements - done);
    format.decode({elements}, in, done, count, numbers.data());
    convert_elements(DType::f32, numbers.data(), wanted, static_cast<std::byte*>(out) + done * size_of(wanted), count);
  }
}

void read_gguf_elements(const GgufTensor& tensor, int64_t first, int64_t count, DType wanted, std::byte* out) {
  const GgmlType& type = *tensor.type;
  std::array<std::byte, kStagingBytes> staging;
  const int64_t most_blocks = static_cast<int64_t>(staging.size()) / type.block_bytes;
  std::array<double, kMostBlockElements> partial;  // one block, as `wanted`, of which not all is asked for
  for (int64_t at = first; at < first + count;) {
    const int64_t block = at / type.block_elements;
    const int64_t skipped = at % type.block_elements;
    const int64_t whole_blocks = (first + count - at) / type.block_elements;
    const bool is_whole = skipped == 0 && whole_blocks > 0;
    const int64_t blocks = is_whole ? std::min(most_blocks, whole_blocks) : 1;
    tensor.file->read(tensor.offset_bytes + block * type.block_bytes, staging.data(), blocks * type.block_bytes);
    std::byte* target = out + (at - first) * size_of(wanted);
    if (is_whole) {
      decode_gguf_blocks(type, staging.data(), blocks, wanted, target);
      at += blocks * type.block_elements;
    } else {
      decode_gguf_blocks(type, staging.data(), 1, wanted, partial.data());
      const int64_t run = std::min(type.block_elements - skipped, first + count - at);
      std::memcpy(target, reinterpret_cast<const std::byte*>(partial.data()) + skipped * size_of(wanted),
                  static_cast<size_t>(run * size_of(wanted)));
      at += run;
    }
  }
}

}  // namespace headroom
