// Blocked products after Goto and van de Geijn (2008): a block of B is packed for the second-level cache, one of A for
// the third, from which a strip of it at a time stays in the first, and tiles of C run over k in registers. Blocks of k
// ascend and every tile goes on from the C that the block before left, so the sum of each element is the chain of the
// reference, whatever the blocks and threads.
#include "headroom/backend/cpu/matmul_product.h"

#include <algorithm>

#include "headroom/backend/cpu/matmul_few_rows.h"
#include "headroom/backend/cpu/matmul_pack.h"
#include "headroom/backend/cpu/matmul_tile.h"
#include "headroom/backend/matmul_blocks.h"

namespace headroom::HEADROOM_ISA {
namespace {

static_assert(kLeastTileRows <= kTileRows && kTileRows <= kMostTileRows && kBlockColumns % kTileColumns == 0);

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

int64_t parts_of(int64_t count, int64_t size) { return (count + size - 1) / size; }

// The size of each part when `count` is cut evenly into parts of at most `most`: a multiple of `grain`.
int64_t even_part(int64_t count, int64_t most, int64_t grain) {
  const int64_t parts = parts_of(count, most);
  return parts <= 1 ? most : parts_of(parts_of(count, parts), grain) * grain;
}

// The lines of `region` of a factor, rows and columns as the factor has them.
template <class Element>
Ahead lines_of(const Factor& factor, const Region& region) {
  const int64_t rows = region.row_end - region.row_begin;
  const int64_t columns = region.column_end - region.column_begin;
  constexpr int64_t kSize = sizeof(Element);
  const int64_t lines = ((factor.transposed ? rows : columns) * kSize + 63) / 64;
  return {.address = reinterpret_cast<uintptr_t>(at<Element>(factor, region.row_begin, region.column_begin)),
          .lines = lines,
          .stride = factor.stride * kSize,
          .left = lines,
          .per_tile = lines * (factor.transposed ? columns : rows)};
}

// The tiles of `region`, `height` rows each, over `depth` from k on. a and b are packed; the lines of `ahead` are asked
// for meanwhile.
void multiply_block(const Product& product, const Region& region, int64_t k, int64_t depth, int64_t height,
                    const float* a, const float* b, Ahead ahead) {
  const int64_t tiles = parts_of(region.row_end - region.row_begin, height) *
                        parts_of(region.column_end - region.column_begin, kTileColumns);
  ahead.per_tile = parts_of(ahead.per_tile, tiles);
  for (int64_t i = region.row_begin; i < region.row_end; i += height, a += panel_stride<kTileRows>(depth)) {
    const int64_t rows = std::min(height, region.row_end - i);
    const float* panel = b;
    for (int64_t j = region.column_begin; j < region.column_end; j += kTileColumns) {
      const int64_t columns = std::min<int64_t>(kTileColumns, region.column_end - j);
      float* c = product.c + i * product.c_stride + j;
      const bool is_last = j + kTileColumns >= region.column_end;
      const float* next_c = is_last ? product.c + (i + height) * product.c_stride + region.column_begin : c + columns;
      const bool from_zero = product.from_zero && k == 0;
      multiply_tile({depth, a, panel, c, product.c_stride, from_zero, next_c, &ahead}, rows, columns);
      panel += panel_stride<kTileColumns>(depth);
    }
  }
}

// One thread's part of C.
template <class Element>
void multiply_region(const Product& product, const Region& region, std::byte* scratch) {
  float* packed_b = reinterpret_cast<float*>(scratch);
  float* packed_a = reinterpret_cast<float*>(scratch + kPackedRightBytes);
  if (product.depth == 0 && product.from_zero) clear(product, region);
  const int64_t block_rows = even_part(region.row_end - region.row_begin, kBlockRows, kTileRows);
  const int64_t block_depth = even_part(product.depth, kBlockDepth, 16);
  for (int64_t i = region.row_begin; i < region.row_end; i += block_rows) {
    const int64_t row_end = std::min(i + block_rows, region.row_end);
    const int64_t height = even_part(row_end - i, kTileRows, 1);
    for (int64_t span = region.column_begin; span < region.column_end; span += kSpanColumns) {
      const int64_t span_end = std::min(span + kSpanColumns, region.column_end);
      for (int64_t k = 0; k < product.depth; k += block_depth) {
        const int64_t depth = std::min(block_depth, product.depth - k);
        pack<kTileRows>(at<float>(product.a, i, k), product.a.stride, !product.a.transposed, row_end - i, height, depth,
                        packed_a);
        for (int64_t j = span; j < span_end; j += kBlockColumns) {
          const int64_t column_end = std::min(j + kBlockColumns, span_end);
          pack<kTileColumns>(at<Element>(product.b, k, j), product.b.stride, product.b.transposed, column_end - j,
                             kTileColumns, depth, packed_b);
          const bool is_last = column_end == span_end;
          const int64_t next_k = is_last ? k + block_depth : k;
          const int64_t next_j = is_last ? span : column_end;
          const Ahead next = next_k >= product.depth
                                 ? Ahead()
                                 : lines_of<Element>(product.b, {next_k, std::min(next_k + depth, product.depth),
                                                                 next_j, std::min(next_j + kBlockColumns, span_end)});
          multiply_block(product, {i, row_end, j, column_end}, k, depth, height, packed_a, packed_b, next);
        }
      }
    }
  }
}

template <int kRows, class Element>
void stream(const Product& product, const Region& region) {
  constexpr int kColumns = kStripColumns<kRows, Element>;
  for (int64_t j = region.column_begin; j < region.column_end; j += kColumns) {
    const Strip strip{.a = at<float>(product.a, 0, 0),
                      .a_stride = product.a.stride,
                      .w_stride = product.b.stride,
                      .depth = product.depth,
                      .c = product.c + j,
                      .c_stride = product.c_stride,
                      .from_zero = product.from_zero};
    multiply_strip<kRows>(strip, at<Element>(product.b, 0, j), std::min<int64_t>(kColumns, region.column_end - j));
  }
}

template <class Element, size_t... kRowsBelow>
void multiply_few_rows(const Product& product, const Region& region, std::index_sequence<kRowsBelow...>) {
  static constexpr std::array kFunctions = {&stream<static_cast<int>(kRowsBelow) + 1, Element>...};
  kFunctions[static_cast<size_t>(product.rows - 1)](product, region);
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
    const double packed = rows * (columns / static_cast<double>(kSpanColumns) + 1) + columns;
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
  const bool streams = product.rows <= kStripRows && product.b.transposed && !product.a.transposed;
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
        multiply_few_rows<Element>(product, region, std::make_index_sequence<kStripRows>());
      } else {
        multiply_region<Element>(product, region, own);
      }
    });
  });
}

}  // namespace headroom::HEADROOM_ISA
