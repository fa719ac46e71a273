// GPTQ (ops/gptq.h) and the losses by a Gram matrix: some rows of the weight at a time, their columns block by block.
// What the columns before a block add to it is a product of matrices; within the block, rows are independent.
#include <algorithm>

#include "headroom/backend/code_grid.h"
#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/cpu/matmul_product.h"
#include "headroom/backend/gptq_scratch.h"
#include "headroom/base/grouped_format.h"

namespace headroom::HEADROOM_ISA {
namespace {

// Rows [first, first + count) of a weight.
struct TileRows {
  int64_t first, count;
};

// Columns [begin, end) in the factor's order.
struct TileColumns {
  int64_t begin, end;

  int64_t size() const { return end - begin; }
};

// to[c] = fma(by, from[c], to[c]) for begin <= c < end.
HEADROOM_INLINE void add_scaled(float by, const float* from, float* to, int64_t begin, int64_t end) {
  const F32x16 factor(by);
  for_each_group(begin, end,
                 [&](int64_t c, auto n) { store(to + c, fma(factor, load(from + c, n), load(to + c, n)), n); });
}

class GramTile {
 public:
  GramTile(const Invocation& call, const GptqScratch& scratch)
      : threads_(call.threads),
        factor_(call.inputs[1].as<const float>()),
        order_(call.inputs[2].as<const int32_t>()),
        columns_(call.inputs[1].dim(0)),
        products_(call.scratch.data()),
        elements_(reinterpret_cast<float*>(products_ + scratch.elements_at)),
        block_(reinterpret_cast<float*>(products_ + scratch.block_at)),
        triangle_(reinterpret_cast<float*>(products_ + scratch.triangle_at)) {}

  int64_t columns() const { return columns_; }
  Threads& threads() const { return threads_; }
  int64_t column(int64_t k) const { return order_[k]; }
  float d(int64_t k) const { return factor_[k * (columns_ + 1)]; }
  float* row(int64_t i) const { return elements_ + i * columns_; }
  float* block_row(int64_t i) const { return block_ + i * kGptqColumns; }
  // The factor's elements of a row of the block's square, from its first column on.
  const float* triangle_row(int64_t j) const { return triangle_ + j * kGptqColumns; }

  // w, or w - q where `quantized` is not null, in the factor's order.
  void load(const TileRows& rows, const Tensor& weight, const Tensor* quantized) {
    threads_.split(rows.count, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t first = (rows.first + i) * columns_;
        float* to = row(i);
        with_elements(weight, [&](const auto* from) {
          for (int64_t k = 0; k < columns_; ++k) to[k] = load_one(from + first + order_[k]);
        });
        if (quantized != nullptr) subtract(*quantized, first, to);
      }
    });
  }

  // w + pull (G + lambda I)^-1, where elements_ will have it.
  void load_corrected(const TileRows& rows, const Tensor& weight, const Tensor& pull) {
    load(rows, pull, nullptr);
    for (int64_t end = columns_; end > 0; end = (end - 1) / kGptqColumns * kGptqColumns) {
      subtract_later(rows, {(end - 1) / kGptqColumns * kGptqColumns, end});
    }
    for_rows(rows, [&](int64_t i) {
      for (int64_t k = 0; k < columns_; ++k) row(i)[k] = -row(i)[k] / d(k);
    });
    for (int64_t begin = 0; begin < columns_; begin += kGptqColumns) {
      const TileColumns block{begin, std::min(begin + kGptqColumns, columns_)};
      begin_block(rows, block);
      for_rows(rows, [&](int64_t i) {
        float* z = block_row(i);
        for (int64_t k = 0; k < block.size(); ++k) {
          row(i)[begin + k] = -z[k];
          add_scaled(-z[k], triangle_row(k), z, k + 1, block.size());
        }
      });
    }
    for_rows(rows, [&](int64_t i) {
      const int64_t first = (rows.first + i) * columns_;
      with_elements(weight, [&](const auto* from) {
        for (int64_t k = 0; k < columns_; ++k) row(i)[k] = load_one(from + first + order_[k]) - row(i)[k];
      });
    });
  }

  // The gradient of the loss by the block's columns, less a half: e (G + lambda I), where elements_ holds e.
  void begin_sweep(const TileRows& rows, const TileColumns& block, const float* diagonal) {
    for (int64_t j = 0; j < block.size(); ++j) {
      float* to = triangle_ + j * kGptqColumns;
      for (int64_t k = 0; k < block.size(); ++k)
        to[k] = gram(block.begin + std::max(j, k))[block.begin + std::min(j, k)];
      to[j] = diagonal[block.begin + j];
    }
    for_rows(rows, [&](int64_t i) { std::fill_n(block_row(i), block.size(), 0.0f); });
    add_product(rows, block, {block.end, columns_},
                {reinterpret_cast<const std::byte*>(gram(block.end) + block.begin), DType::f32, columns_});
    add_product(rows, block, {0, block.begin},
                {reinterpret_cast<const std::byte*>(gram(block.begin)), DType::f32, columns_, true});
    for_rows(rows, [&](int64_t i) {
      for (int64_t j = 0; j < block.size(); ++j) {
        add_scaled(row(i)[block.begin + j], triangle_row(j), block_row(i), 0, block.size());
      }
    });
  }

  // Takes the block's columns, w or e, and adds to them what the columns before it do.
  void begin_block(const TileRows& rows, const TileColumns& block) {
    threads_.split(rows.count, 16, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) std::copy_n(row(i) + block.begin, block.size(), block_row(i));
    });
    for (int64_t j = 0; j < block.size(); ++j) {
      std::copy_n(factor_ + (block.begin + j) * columns_ + block.begin, block.size(), triangle_ + j * kGptqColumns);
    }
    add_product(rows, block, {0, block.begin},
                {reinterpret_cast<const std::byte*>(factor_ + block.begin), DType::f32, columns_});
  }

  // Calls visit(block) for the blocks of columns in their order.
  template <class Visit>
  void for_each_block(Visit&& visit) const {
    for (int64_t begin = 0; begin < columns_; begin += kGptqColumns) {
      visit(TileColumns{begin, std::min(begin + kGptqColumns, columns_)});
    }
  }

  // Calls work(i) for the tile's rows.
  template <class Work>
  void for_rows(const TileRows& rows, Work&& work) const {
    threads_.split(rows.count, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) work(i);
    });
  }

 private:
  // Of the ordered matrix, columns 0 .. i - 1.
  const float* gram(int64_t i) const { return factor_ + i * columns_; }

  // The block += elements_ of the columns `others` times `factor`.
  void add_product(const TileRows& rows, const TileColumns& block, const TileColumns& others, const Factor& factor) {
    if (others.size() == 0) return;
    multiply({.rows = rows.count,
              .columns = block.size(),
              .depth = others.size(),
              .a = {reinterpret_cast<const std::byte*>(elements_ + others.begin), DType::f32, columns_},
              .b = factor,
              .c = reinterpret_cast<std::byte*>(block_),
              .c_stride = kGptqColumns,
              .from_zero = false},
             threads_, products_);
  }

  // Of a U^T = pull: a of the block's columns, as -a.
  void subtract_later(const TileRows& rows, const TileColumns& block) {
    for (int64_t k = 0; k < block.size(); ++k) {
      for (int64_t c = 0; c < k; ++c) {
        triangle_[k * kGptqColumns + c] = factor_[(block.begin + c) * columns_ + block.begin + k];
      }
    }
    for_rows(rows, [&](int64_t i) { std::copy_n(row(i) + block.begin, block.size(), block_row(i)); });
    add_product(
        rows, block, {block.end, columns_},
        {reinterpret_cast<const std::byte*>(factor_ + block.begin * columns_ + block.end), DType::f32, columns_, true});
    for_rows(rows, [&](int64_t i) {
      float* a = block_row(i);
      for (int64_t k = block.size() - 1; k >= 0; --k) {
        row(i)[block.begin + k] = -a[k];
        add_scaled(-a[k], triangle_row(k), a, 0, k);
      }
    });
  }

  void subtract(const Tensor& quantized, int64_t first, float* from) const {
    if (!is_scalar(quantized.type.dtype)) {
      const BlockFormat& format = block_format(quantized.type.dtype);
      for (int64_t k = 0; k < columns_; ++k) {
        float element;
        format.decode(quantized.type.shape, quantized.data, first + order_[k], 1, &element);
        from[k] = from[k] - element;
      }
      return;
    }
    with_elements(quantized, [&](const auto* elements) {
      for (int64_t k = 0; k < columns_; ++k) from[k] = from[k] - load_one(elements + first + order_[k]);
    });
  }

  Threads& threads_;
  const float* factor_;
  const int32_t* order_;
  int64_t columns_;
  std::byte* products_;
  float* elements_;
  float* block_;
  float* triangle_;
};

// The codes of a tile's rows.
class TileCodes {
 public:
  TileCodes(const Invocation& call, const GptqScratch& scratch, const GramTile& tile)
      : tile_(tile),
        target_(call.outputs[0]),
        format_(*as_grouped(target_.type.dtype)),
        layout_(format_, target_.type.shape),
        search_(call.attributes.integer("search")),
        losses_(call.outputs[1].as<float>()),
        grids_(reinterpret_cast<int32_t*>(call.scratch.data() + scratch.grids_at)),
        codes_(reinterpret_cast<uint8_t*>(call.scratch.data() + scratch.codes_at)) {}

  const GroupedLayout& layout() const { return layout_; }

  // Of row `i` of the tile in the block's columns.
  void find(const TileRows& rows, int64_t i, const TileColumns& block) const {
    float* w = tile_.block_row(i);
    float* lost = tile_.row(i);
    uint8_t* codes = codes_ + i * layout_.columns;
    float& loss = losses_[rows.first + i];
    if (block.begin == 0) loss = 0;
    CodeGrid grid;
    if (block.begin % layout_.group != 0) grid = grid_of(i, block.begin);
    for (int64_t k = block.begin; k < block.end; ++k) {
      const int64_t at = k - block.begin;
      if (k % layout_.group == 0) {
        grid = find_grid_of(w, lost, block, at);
        int32_t* kept = kept_grid(i, k);
        kept[0] = grid.scale_bits;
        kept[1] = static_cast<int32_t>(grid.zero);
      }
      const float code = code_on(grid, w[at]);
      const float q = value_on(grid, code);
      const float rounded = w[at] - q;
      loss = __builtin_fmaf(tile_.d(k) * rounded, rounded, loss);
      codes[tile_.column(k)] = static_cast<uint8_t>(code);
      lost[k] = lost[k] - q;
      add_scaled(lost[k], tile_.triangle_row(at), w, at + 1, block.size());
    }
  }

  // The best scales and codes of row `i` beside all others, as they are, in the block's columns; the block holds what
  // begin_sweep has put there.
  void refine(const TileRows& rows, int64_t i, const TileColumns& block) const {
    float* g = tile_.block_row(i);
    float* lost = tile_.row(i) + block.begin;
    uint8_t* codes = codes_ + i * layout_.columns;
    float& loss = losses_[rows.first + i];
    for (int64_t k = 0; layout_.group <= kGptqColumns && k < block.size(); k += layout_.group) {
      loss = loss + fit_scale(i, block, k);
    }
    for (int64_t k = 0; k < block.size(); ++k) {
      const CodeGrid grid = grid_of(i, block.begin + k);
      uint8_t& code = codes[tile_.column(block.begin + k)];
      const float s = tile_.triangle_row(k)[k];
      const float q = value_on(grid, static_cast<float>(code));
      const float better = code_on(grid, q + g[k] / s);
      const float delta = value_on(grid, better) - q;
      code = static_cast<uint8_t>(better);
      loss = loss + delta * __builtin_fmaf(delta, s, -2 * g[k]);
      lost[k] = lost[k] - delta;
      add_scaled(-delta, tile_.triangle_row(k), g, k + 1, block.size());
    }
  }

  // Of all columns of the tile's row `i`, into the tensor.
  void put(const TileRows& rows, int64_t i) const {
    for (int64_t g = 0; g < layout_.groups; ++g) {
      const int32_t* kept = grids_ + 2 * (i * layout_.groups + g);
      const std::span codes(codes_ + i * layout_.columns + g * layout_.group, static_cast<size_t>(layout_.group));
      format_.put_group(layout_, (rows.first + i) * layout_.columns + g * layout_.group, codes,
                        static_cast<uint16_t>(kept[0]), static_cast<uint8_t>(kept[1]), target_.data);
    }
  }

  void finish() const { format_.finish(target_.type.shape, target_.data, {}); }

 private:
  // By the group as the weight has it that holds column k in the factor's order.
  int32_t* kept_grid(int64_t i, int64_t k) const {
    return grids_ + 2 * (i * layout_.groups + tile_.column(k) / layout_.group);
  }

  // Of the group whose first column is that of the block at `at`. Returns what the loss grows by.
  float fit_scale(int64_t i, const TileColumns& block, int64_t at) const {
    const CodeGrid grid = grid_of(i, block.begin + at);
    float* g = tile_.block_row(i);
    float* lost = tile_.row(i) + block.begin;
    alignas(64) float codes[kGptqColumns];
    alignas(64) float v[kGptqColumns] = {};
    for (int64_t k = 0; k < layout_.group; ++k) {
      codes[k] = static_cast<float>(codes_[i * layout_.columns + tile_.column(block.begin + at + k)]);
      add_scaled(codes[k] - grid.zero, tile_.triangle_row(at + k), v, 0, block.size());
    }
    float t = 0, u = 0;
    for (int64_t k = 0; k < layout_.group; ++k) {
      t = __builtin_fmaf(codes[k] - grid.zero, g[at + k], t);
      u = __builtin_fmaf(codes[k] - grid.zero, v[at + k], u);
    }
    const CodeGrid better = with_scale(grid, grid.scale + t / u);
    const float growth = better.scale - grid.scale;
    const float change = growth * __builtin_fmaf(growth, u, -2 * t);
    if (!(u > 0) || !(change < 0)) return 0;
    for (int64_t k = 0; k < layout_.group; ++k) {
      lost[at + k] = lost[at + k] - (value_on(better, codes[k]) - value_on(grid, codes[k]));
    }
    add_scaled(-growth, v, g, 0, block.size());
    kept_grid(i, block.begin + at)[0] = better.scale_bits;
    return change;
  }

  CodeGrid grid_of(int64_t i, int64_t k) const {
    const int32_t* kept = kept_grid(i, k);
    const auto bits = static_cast<uint16_t>(kept[0]);
    return {f16_to_f32(bits), static_cast<float>(kept[1]), static_cast<float>((1 << layout_.bits) - 1), bits};
  }

  // Of the group whose first column is that of the block at `at`; of a row that is one group, of the row as it is.
  CodeGrid find_grid_of(const float* w, const float* lost, const TileColumns& block, int64_t at) const {
    const int64_t first = block.begin + at;
    const auto find = [&](const float* group) {
      return find_grid(
          group, [&](int64_t k) { return tile_.d(first + k); }, layout_.group, layout_.bits, layout_.has_zeros,
          search_);
    };
    if (layout_.group > kGptqColumns) return find(lost);
    alignas(64) float moved[kGptqColumns];
    std::copy_n(w + at, layout_.group, moved);
    for (int64_t j = 0; j < layout_.group; ++j) {
      add_scaled(lost[first + j] - moved[j], tile_.triangle_row(at + j) + at, moved, j + 1, layout_.group);
    }
    return find(moved);
  }

  const GramTile& tile_;
  const Tensor& target_;
  const GroupedFormat& format_;
  GroupedLayout layout_;
  int64_t search_;
  float* losses_;
  int32_t* grids_;
  uint8_t* codes_;
};

}  // namespace

void gptq(const Invocation& call) {
  const GroupedLayout layout(*as_grouped(call.outputs[0].type.dtype), call.outputs[0].type.shape);
  const GptqScratch scratch(layout.rows, layout.columns, layout.groups, call.threads.count());
  const float* diagonal = call.inputs[3].as<const float>();
  GramTile tile(call, scratch);
  const TileCodes codes(call, scratch, tile);
  for (int64_t first = 0; first < layout.rows; first += scratch.tile_rows) {
    const TileRows rows{first, std::min(scratch.tile_rows, layout.rows - first)};
    if (call.inputs.size() == 6) {
      tile.load_corrected(rows, call.inputs[0], call.inputs[5]);
    } else {
      tile.load(rows, call.inputs[0], nullptr);
    }
    tile.for_each_block([&](const TileColumns& block) {
      tile.begin_block(rows, block);
      tile.for_rows(rows, [&](int64_t i) { codes.find(rows, i, block); });
    });
    for (int64_t sweep = 0; sweep < call.attributes.integer("sweeps"); ++sweep) {
      tile.for_each_block([&](const TileColumns& block) {
        tile.begin_sweep(rows, block, diagonal);
        tile.for_rows(rows, [&](int64_t i) { codes.refine(rows, i, block); });
      });
    }
    tile.for_rows(rows, [&](int64_t i) { codes.put(rows, i); });
  }
  codes.finish();
}

void gram_losses(const Invocation& call) {
  const int64_t all_rows = call.inputs[0].dim(0);
  const GptqScratch scratch(all_rows, call.inputs[0].dim(1), 0, call.threads.count());
  GramTile tile(call, scratch);
  float* losses = call.outputs[0].as<float>();
  for (int64_t first = 0; first < all_rows; first += scratch.tile_rows) {
    const TileRows rows{first, std::min(scratch.tile_rows, all_rows - first)};
    tile.load(rows, call.inputs[0], call.inputs.size() == 4 ? &call.inputs[3] : nullptr);
    tile.for_each_block([&](const TileColumns& block) {
      tile.begin_block(rows, block);
      tile.for_rows(rows, [&](int64_t i) {
        float* z = tile.block_row(i);
        float loss = block.begin == 0 ? 0 : losses[first + i];
        for (int64_t k = 0; k < block.size(); ++k) {
          loss = __builtin_fmaf(tile.d(block.begin + k) * z[k], z[k], loss);
          add_scaled(tile.row(i)[block.begin + k], tile.triangle_row(k), z, k + 1, block.size());
        }
        losses[first + i] = loss;
      });
    });
  }
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(gptq);
HEADROOM_KERNEL(gram_losses);
