// Blocked products after Goto and van de Geijn (2008): a block of B is packed for the second-level cache, one of A for
// the third, from which a strip of it at a time stays in the first, and tiles of C run over k in registers. Blocks of k
// ascend and every tile goes on from the C that the block before left, so the sum of each element is the chain of the
// reference, whatever the blocks and threads.
#include "headroom/backend/cpu/matmul_product.h"

#include <algorithm>
#include <type_traits>

#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/cpu/matmul_decoded.h"
#include "headroom/backend/cpu/matmul_few_rows.h"
#include "headroom/backend/cpu/matmul_pack.h"
#include "headroom/backend/cpu/matmul_tile.h"
#include "headroom/backend/matmul_blocks.h"
#if defined(__AVX512BF16__)
#include "headroom/backend/cpu/matmul_pairs.h"
#endif

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

template <>
Ahead lines_of<Decoded>(const Factor&, const Region&) {
  return {};
}

// How a product of these factors is packed and multiplied: a step is one term, or a pair of bf16 where the processor
// multiplies those.
template <class Left>
struct Scheme {
#if defined(__AVX512BF16__)
  static constexpr Terms kTerms = std::is_same_v<Left, Bf16> ? Terms::two : Terms::one;
#else
  static constexpr Terms kTerms = Terms::one;
#endif
  static constexpr Order kOrder = std::is_same_v<Left, Bf16> ? Order::odd_first : Order::ascending;
  static constexpr int64_t kDepth = kTerms == Terms::two ? 2 : 1;  // of a step

  // What the dot product does with denormals; chains of other factors keep them.
  struct Untouched {};
  using Environment =
      std::conditional_t<kOrder == Order::odd_first && kTerms == Terms::one, DenormalsAsZeros, Untouched>;

  static constexpr int64_t steps(int64_t depth) { return places_of<kOrder>(depth) / kDepth; }

  template <int kWidth, class Element>
  static void pack_factor(const Factor& factor, const Element* from, bool along_k, int64_t lanes, int64_t height,
                          int64_t depth, float* to) {
#if defined(__AVX512BF16__)
    if constexpr (kTerms == Terms::two) {
      return pack_pairs<kWidth>(from, factor.stride, along_k, lanes, height, depth, to);
    }
#endif
    pack<kWidth, kOrder>(from, factor.stride, along_k, lanes, height, depth, to);
  }
};

// A block of C in f32: C itself, or where the chains of a rounded C run.
struct Block {
  float* c;
  int64_t stride;
};

// The tiles of a block of rows x columns, `height` rows each, over `steps`. a and b are packed; the lines of `ahead`
// are asked for meanwhile.
template <Terms kTerms>
void multiply_block(const Block& block, int64_t rows, int64_t columns, int64_t steps, int64_t height, bool from_zero,
                    const float* a, const float* b, Ahead ahead) {
  ahead.per_tile = parts_of(ahead.per_tile, parts_of(rows, height) * parts_of(columns, kTileColumns));
  for (int64_t i = 0; i < rows; i += height, a += panel_stride<kTileRows>(steps)) {
    const float* panel = b;
    for (int64_t j = 0; j < columns; j += kTileColumns) {
      const int64_t width = std::min<int64_t>(kTileColumns, columns - j);
      float* c = block.c + i * block.stride + j;
      const bool is_last = j + kTileColumns >= columns;
      const float* next_c = is_last ? block.c + (i + height) * block.stride : c + width;
      multiply_tile<kTerms>({steps, a, panel, c, block.stride, from_zero, next_c, &ahead}, std::min(height, rows - i),
                            width);
      panel += panel_stride<kTileColumns>(steps);
    }
  }
}

void clear(const Block& block, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; ++i) std::fill_n(block.c + i * block.stride, columns, 0.0f);
}

template <class Element>
void load_block(const Element* c, int64_t c_stride, int64_t rows, int64_t columns, const Block& block) {
  for (int64_t i = 0; i < rows; ++i) {
    const Element* from = c + i * c_stride;
    float* to = block.c + i * block.stride;
    for_each_group(0, columns, [=](int64_t j, auto n) { store(to + j, load(from + j, n), n); });
  }
}

template <class Element>
void round_block(const Block& block, int64_t rows, int64_t columns, Element* c, int64_t c_stride) {
  for (int64_t i = 0; i < rows; ++i) {
    const float* from = block.c + i * block.stride;
    Element* to = c + i * c_stride;
    for_each_group(0, columns, [=](int64_t j, auto n) { store(to + j, load(from + j, n), n); });
  }
}

// One thread's part of C.
template <class Left, class Right>
void multiply_region(const Product& product, const Region& region, std::byte* scratch, float* rounded,
                     [[maybe_unused]] float* decoded) {
  using How = Scheme<Left>;
  constexpr int64_t kDepth = How::kDepth;
  [[maybe_unused]] const typename How::Environment environment;
  float* packed_b = reinterpret_cast<float*>(scratch);
  float* packed_a = reinterpret_cast<float*>(scratch + kPackedRightBytes);
  const bool rounds = product.c_dtype != DType::f32;
  const int64_t block_rows = even_part(region.row_end - region.row_begin, kBlockRows, kTileRows);
  constexpr int64_t kGrain = std::is_same_v<Right, Decoded> ? kDecodedBlock : 16;
  const int64_t block_depth = kDepth * even_part(parts_of(product.depth, kDepth), kBlockDepth, kGrain);
  for (int64_t i = region.row_begin; i < region.row_end; i += block_rows) {
    const int64_t rows = std::min(block_rows, region.row_end - i);
    const int64_t height = even_part(rows, kTileRows, 1);
    const int64_t span_columns = rounds ? kRoundedColumns : kSpanColumns;
    for (int64_t span = region.column_begin; span < region.column_end; span += span_columns) {
      const int64_t span_end = std::min(span + span_columns, region.column_end);
      const Block block =
          rounds ? Block{rounded, rounded_block_stride(product.columns)}
                 : Block{reinterpret_cast<float*>(product.c) + i * product.c_stride + span, product.c_stride};
      const Tensor c{product.c, {product.c_dtype, {}}};
      if (product.depth == 0 && product.from_zero) clear(block, rows, span_end - span);
      if (rounds && !product.from_zero) {
        with_elements(c, [&](auto* from) {
          load_block(from + i * product.c_stride + span, product.c_stride, rows, span_end - span, block);
        });
      }
      for (int64_t k = 0; k < product.depth; k += block_depth) {
        const int64_t depth = std::min(block_depth, product.depth - k);
        const int64_t steps = How::steps(depth);
        How::template pack_factor<kTileRows>(product.a, at<Left>(product.a, i, k), !product.a.transposed, rows, height,
                                             depth, packed_a);
        for (int64_t j = span; j < span_end; j += kBlockColumns) {
          const int64_t column_end = std::min(j + kBlockColumns, span_end);
          if constexpr (std::is_same_v<Right, Decoded>) {
            pack_decoded<kTileColumns>(product.b, k, depth, j, column_end - j, decoded, packed_b);
          } else {
            How::template pack_factor<kTileColumns>(product.b, at<Right>(product.b, k, j), product.b.transposed,
                                                    column_end - j, kTileColumns, depth, packed_b);
          }
          const bool is_last = column_end == span_end;
          const int64_t next_k = is_last ? k + block_depth : k;
          const int64_t next_j = is_last ? span : column_end;
          const Ahead next = next_k >= product.depth
                                 ? Ahead()
                                 : lines_of<Right>(product.b, {next_k, std::min(next_k + depth, product.depth), next_j,
                                                               std::min(next_j + kBlockColumns, span_end)});
          multiply_block<How::kTerms>({block.c + (j - span), block.stride}, rows, column_end - j, steps, height,
                                      product.from_zero && k == 0, packed_a, packed_b, next);
        }
      }
      if (!rounds) continue;
      with_elements(c, [&]<class Element>(const Element*) {
        round_block(block, rows, span_end - span, c.as<Element>() + i * product.c_stride + span, product.c_stride);
      });
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
                      .c = reinterpret_cast<float*>(product.c) + j,
                      .c_stride = product.c_stride,
                      .from_zero = product.from_zero};
    multiply_strip<kRows>(strip, at<Element>(product.b, 0, j), std::min<int64_t>(kColumns, region.column_end - j));
  }
}

template <int kRows>
void stream_panels(const Product& product, const Region& region) {
  const GroupedPanels weight(*product.b.blocks);
  with_bits(weight.layout().bits, [&]<int kBits>() {
    multiply_all_panels<kRows, kBits>(product, weight, region.column_begin, region.column_end);
  });
}

template <size_t... kRowsBelow>
void multiply_few_rows_by_panels(const Product& product, const Region& region, std::index_sequence<kRowsBelow...>) {
  static constexpr std::array kFunctions = {&stream_panels<static_cast<int>(kRowsBelow) + 1>...};
  kFunctions[static_cast<size_t>(product.rows - 1)](product, region);
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

// Calls body<Left, Right>() for the elements that the factors are read as.
template <class Body>
void with_factors(const Product& product, Body&& body) {
  if (product.b.blocks != nullptr) return body.template operator()<float, Decoded>();
  const Tensor b{const_cast<std::byte*>(product.b.data), {product.b.dtype, {}}};
  switch (product.a.dtype) {
    case DType::bf16:
      return product.b.dtype == DType::bf16 ? body.template operator()<Bf16, Bf16>()
                                            : body.template operator()<Bf16, Rounded<Bf16>>();
    case DType::f16:
      return product.b.dtype == DType::f16 ? body.template operator()<F16, F16>()
                                           : body.template operator()<F16, Rounded<F16>>();
    default: return with_elements(b, [&]<class Right>(const Right*) { body.template operator()<float, Right>(); });
  }
}

}  // namespace

Factor factor_of(const Tensor& tensor, int64_t first_row, bool transposed) {
  const DType dtype = tensor.type.dtype;
  const int64_t columns = tensor.dim(1);
  if (!is_scalar(dtype)) return {nullptr, DType::f32, columns, transposed, &tensor, first_row};
  return {tensor.data + first_row * columns * size_of(dtype), dtype, columns, transposed};
}

namespace {

// Few rows pass a right factor that is read as it stands.
bool streams_right(const Product& product) {
  const Tensor* blocks = product.b.blocks;
  return product.rows <= kStripRows && product.b.transposed && !product.a.transposed && product.a.dtype == DType::f32 &&
         (blocks == nullptr || as_grouped(blocks->type.dtype) != nullptr);
}

// A part of the product, on thread number `thread` of `threads`, none of which has more than `most_rows` rows.
void multiply_part(const Product& product, const Region& region, int64_t most_rows, int thread, int threads,
                   std::byte* scratch) {
  const bool streams = streams_right(product);
  const int64_t rounded_bytes = rounded_product_bytes(most_rows, product.columns);
  std::byte* rounded = scratch + product_scratch_bytes(threads);
  std::byte* own = scratch + thread * kProductScratchBytes;
  with_factors(product, [&]<class Left, class Right>() {
    constexpr auto kRows = std::make_index_sequence<kStripRows>();
    if constexpr (std::is_same_v<Right, Decoded>) {
      if (streams) return multiply_few_rows_by_panels(product, region, kRows);
    } else if constexpr (std::is_same_v<Left, float>) {
      if (streams) return multiply_few_rows<Right>(product, region, kRows);
    }
    multiply_region<Left, Right>(product, region, own, reinterpret_cast<float*>(rounded + thread * rounded_bytes),
                                 reinterpret_cast<float*>(product.decoded + thread * kDecodedBytes));
  });
}

}  // namespace

void multiply(const Product& product, Threads& threads, std::byte* scratch) {
  if (product.rows == 0) return;
  const int64_t along_rows = streams_right(product) ? 1 : threads_along_rows(product, threads.count());
  const int64_t along_columns = threads.count() / along_rows;
  threads.run([&](int thread) {
    const auto [row_begin, row_end] = share_of(product.rows, kTileRows, thread / along_columns, along_rows);
    const auto [column_begin, column_end] =
        share_of(product.columns, kTileColumns, thread % along_columns, along_columns);
    multiply_part(product, {row_begin, row_end, column_begin, column_end}, product.rows, thread, threads.count(),
                  scratch);
  });
}

void multiply_alone(const Product& product, int64_t most_rows, int thread, int threads, std::byte* scratch) {
  if (product.rows == 0) return;
  multiply_part(product, {0, product.rows, 0, product.columns}, most_rows, thread, threads, scratch);
}

}  // namespace headroom::HEADROOM_ISA
