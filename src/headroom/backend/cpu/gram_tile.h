// Some rows of a weight at a time, with the factor of a Gram matrix (ops/factor_gram.h): columns in the factor's order,
// block by block. What other columns add to a block is a product of matrices; within the block, rows are independent.
#pragma once

#include <algorithm>

#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/cpu/matmul_product.h"
#include "headroom/backend/gptq_scratch.h"
#include "headroom/base/block_format.h"

namespace headroom::HEADROOM_ISA {

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

  int64_t column(int64_t k) const { return order_[k]; }
  float d(int64_t k) const { return factor_[k * (columns_ + 1)]; }
  float* row(int64_t i) const { return elements_ + i * columns_; }
  float* block_row(int64_t i) const { return block_ + i * kGptqColumns; }
  // The factor's elements of a row of the block's square, from its first column on.
  const float* triangle_row(int64_t j) const { return triangle_ + j * kGptqColumns; }

  // w, or w - q where `quantized` is not null, in the factor's order.
  void load(const TileRows& rows, const Tensor& weight, const Tensor* quantized) {
    for_rows(rows, [&](int64_t i) {
      const int64_t first = (rows.first + i) * columns_;
      float* to = row(i);
      with_elements(weight, [&](const auto* from) {
        for (int64_t k = 0; k < columns_; ++k) to[k] = load_one(from + first + order_[k]);
      });
      if (quantized != nullptr) subtract(*quantized, first, to);
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
    for_each_block([&](const TileColumns& block) {
      begin_block(rows, block);
      for_rows(rows, [&](int64_t i) {
        float* z = block_row(i);
        for (int64_t k = 0; k < block.size(); ++k) {
          row(i)[block.begin + k] = -z[k];
          add_scaled(-z[k], triangle_row(k), z, k + 1, block.size());
        }
      });
    });
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
    for_rows(rows, [&](int64_t i) { std::copy_n(row(i) + block.begin, block.size(), block_row(i)); });
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

}  // namespace headroom::HEADROOM_ISA
