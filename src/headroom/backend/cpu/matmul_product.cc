// Blocked products after Goto and van de Geijn (2008): a block of B is packed into the second-level cache, a panel of A
// into the first, and tiles of C run over k in registers. Blocks of k ascend and every tile goes on from the C that
// the block before left, so the sum of each element is the chain of the reference, whatever the blocks and threads.
#include "headroom/backend/cpu/matmul_product.h"

#include <algorithm>

#include "headroom/backend/cpu/matmul_few_rows.h"
#include "headroom/backend/cpu/matmul_tile.h"
#include "headroom/backend/cpu/simd.h"
#include "headroom/backend/cpu/transpose.h"
#include "headroom/backend/matmul_blocks.h"

namespace headroom::HEADROOM_ISA {
namespace {

static_assert(kTileRows <= kMostTileRows && kBlockColumns % kTileColumns == 0);
static_assert(kPackedLeftBytes >= 4 * (kBlockDepth * kTileRows + 16));

// A packed panel: to[k * kWidth + i] = element (i, k), i < count <= kWidth, k < depth. Lanes from `count` to kWidth are
// finite garbage. Where kWidth is no multiple of 16, whole vectors are stored over the next k, and beyond the panel.

// Source rows are contiguous along i: from[k * stride + i].
template <int kWidth, class Element>
void pack_along(const Element* from, int64_t stride, int64_t count, int64_t depth, float* to) {
  constexpr int kVectors = (kWidth + 15) / 16;
  if (count == kWidth && kWidth % 16 == 0) {
    for (int64_t k = 0; k < depth; ++k) {
      for (int j = 0; j < kVectors; ++j) store(to + k * kWidth + 16 * j, load(from + k * stride + 16 * j));
    }
    return;
  }
  for (int64_t k = 0; k < depth; ++k) {
    for (int j = 0; j < kVectors; ++j) {
      const int64_t left = std::clamp<int64_t>(count - 16 * j, 0, 16);
      store(to + k * kWidth + 16 * j, load(from + k * stride + 16 * j, left));
    }
  }
}

// Asks for the lines of kTransposeTile rows from `row` on: short stretches of many rows are more than the hardware
// foresees. A hint only; addresses beyond the matrix do no harm, and are computed as numbers.
template <class Element>
HEADROOM_INLINE void prefetch_rows(const Element* from, int64_t row, int64_t stride) {
  for (int64_t r = 0; r < kTransposeTile; ++r) {
    const uintptr_t address =
        reinterpret_cast<uintptr_t>(from) + static_cast<uintptr_t>((row + r) * stride) * sizeof(Element);
    __builtin_prefetch(reinterpret_cast<const void*>(address), 0, 2);
  }
}

// Source rows are contiguous along k: from[i * stride + k].
template <int kWidth, class Element>
void pack_across(const Element* from, int64_t stride, int64_t count, int64_t depth, float* to) {
  for (int64_t k = 0; k < depth; k += kTransposeTile) {
    const int64_t columns = std::min<int64_t>(kTransposeTile, depth - k);
    for (int64_t i = 0; i < kWidth; i += kTransposeTile) {
      const int64_t rows = std::clamp<int64_t>(count - i, 0, kTransposeTile);
      prefetch_rows(from + k, i + kWidth, stride);
      transpose_tile(from + (rows > 0 ? i : 0) * stride + k, stride, rows, columns, to + k * kWidth + i, kWidth);
    }
  }
}

template <int kWidth, class Element>
void pack(const Element* from, int64_t stride, bool is_contiguous_along_k, int64_t count, int64_t depth, float* to) {
  if (is_contiguous_along_k) {
    pack_across<kWidth>(from, stride, count, depth, to);
  } else {
    pack_along<kWidth>(from, stride, count, depth, to);
  }
}

// Element (i, j) of a factor.
template <class Element>
const Element* at(const Factor& factor, int64_t i, int64_t j) {
  const Element* data = reinterpret_cast<const Element*>(factor.data);
  return factor.transposed ? data + j * factor.stride + i : data + i * factor.stride + j;
}

struct Region {
  int64_t row_begin, row_end, column_begin, column_end;
};

void clear(const Product& product, const Region& region) {
  for (int64_t i = region.row_begin; i < region.row_end; ++i) {
    std::fill(product.c + i * product.c_stride + region.column_begin,
              product.c + i * product.c_stride + region.column_end, 0.0f);
  }
}

// One thread's part of C.
template <class Element>
void multiply_region(const Product& product, const Region& region, std::byte* scratch) {
  float* packed_b = reinterpret_cast<float*>(scratch);
  float* packed_a = reinterpret_cast<float*>(scratch + kPackedRightBytes);
  if (product.depth == 0 && product.from_zero) clear(product, region);
  for (int64_t block = region.column_begin; block < region.column_end; block += kBlockColumns) {
    const int64_t block_end = std::min(block + kBlockColumns, region.column_end);
    for (int64_t k = 0; k < product.depth; k += kBlockDepth) {
      const int64_t depth = std::min(kBlockDepth, product.depth - k);
      const bool from_zero = product.from_zero && k == 0;
      for (int64_t i = region.row_begin; i < region.row_end; i += kTileRows) {
        const int64_t rows = std::min<int64_t>(kTileRows, region.row_end - i);
        pack<kTileRows>(at<float>(product.a, i, k), product.a.stride, !product.a.transposed, rows, depth, packed_a);
        for (int64_t j = block; j < block_end; j += kTileColumns) {
          const int64_t columns = std::min<int64_t>(kTileColumns, block_end - j);
          float* panel = packed_b + (j - block) * kBlockDepth;
          if (i == region.row_begin) {
            pack<kTileColumns>(at<Element>(product.b, k, j), product.b.stride, product.b.transposed, columns, depth,
                               panel);
          }
          float* c = product.c + i * product.c_stride + j;
          multiply_tile({depth, packed_a, panel, c, product.c_stride, from_zero}, rows, columns);
        }
      }
    }
  }
}

template <class Element>
void multiply_few_rows(const Product& product, const Region& region) {
  using Function = decltype(&multiply_strip<1, Element>);
  static constexpr Function kFunctions[kStripRows] = {&multiply_strip<1, Element>, &multiply_strip<2, Element>,
                                                      &multiply_strip<3, Element>, &multiply_strip<4, Element>};
  for (int64_t j = region.column_begin; j < region.column_end; j += kStripColumns) {
    const int64_t width = std::min(kStripColumns, region.column_end - j);
    for (int64_t i = 0; i < product.rows; i += kStripRows) {
      const Function function = kFunctions[std::min(kStripRows, product.rows - i) - 1];
      function(at<float>(product.a, i, 0), product.a.stride, at<Element>(product.b, 0, j), product.b.stride,
               product.depth, product.c + i * product.c_stride + j, product.c_stride, width, product.from_zero);
    }
  }
}

// How many threads share the rows of C; the others share its columns. The grid with the least work for the thread that
// has most: its tiles, ragged ones counted whole, and its packing, an element of which costs about 32 multiply-adds.
int64_t threads_along_rows(const Product& product, int64_t threads) {
  int64_t best = 1;
  double least = 0;
  for (int64_t along_rows = 1; along_rows <= threads; ++along_rows) {
    if (threads % along_rows != 0) continue;
    const auto share = [](int64_t count, int64_t tile, int64_t parts) {
      const int64_t tiles = (count + tile - 1) / tile;
      return static_cast<double>((tiles + parts - 1) / parts * tile);
    };
    const double rows = share(product.rows, kTileRows, along_rows);
    const double columns = share(product.columns, kTileColumns, threads / along_rows);
    const double packed = rows * (columns / static_cast<double>(kBlockColumns) + 1) + columns;
    const double work = rows * columns + 32 * packed;
    if (along_rows == 1 || work < least) {
      best = along_rows;
      least = work;
    }
  }
  return best;
}

// The part of [0, count) that `index` of `parts` gets; ends are multiples of `grain`.
std::pair<int64_t, int64_t> share_of(int64_t count, int64_t grain, int64_t index, int64_t parts) {
  const int64_t grains = (count + grain - 1) / grain;
  return {std::min(grains * index / parts * grain, count), std::min(grains * (index + 1) / parts * grain, count)};
}

}  // namespace

void multiply(const Product& product, Threads& threads, std::byte* scratch) {
  if (product.rows == 0) return;
  const bool streams = product.rows <= kMostFewRows && product.b.transposed && !product.a.transposed;
  const int64_t along_rows = streams ? 1 : threads_along_rows(product, threads.count());
  const int64_t along_columns = threads.count() / along_rows;
  const Tensor b{const_cast<std::byte*>(product.b.data), {product.b.dtype, {}}};
  threads.run([&](int thread) {
    const auto [row_begin, row_end] = share_of(product.rows, kTileRows, thread / along_columns, along_rows);
    const auto [column_begin, column_end] =
        share_of(product.columns, kTileColumns, thread % along_columns, along_columns);
    const Region region{row_begin, row_end, column_begin, column_end};
    std::byte* own = scratch + thread * kProductScratchBytes;
    with_elements(b, [&]<class Element>(const Element*) {
      if (streams) {
        multiply_few_rows<Element>(product, region);
      } else {
        multiply_region<Element>(product, region, own);
      }
    });
  });
}

}  // namespace headroom::HEADROOM_ISA
