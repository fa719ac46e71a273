// The factor of a damped Gram matrix (ops/factor_gram.h): what earlier blocks take from a block of columns is a product
// of matrices; within the block, rows are independent.
#include <algorithm>

#include "headroom/backend/cpu/elements.h"
#include "headroom/backend/cpu/matmul_product.h"
#include "headroom/backend/gram_order.h"
#include "headroom/base/bytes.h"

namespace headroom::HEADROOM_ISA {
namespace {

// Columns [begin, end) of the factor.
struct FactorBlock {
  int64_t begin, end;

  int64_t size() const { return end - begin; }
};

class GramFactor {
 public:
  explicit GramFactor(const Invocation& call)
      : threads_(call.threads),
        gram_(call.outputs[0].as<float>()),
        diagonal_(call.outputs[2].as<float>()),
        columns_(call.outputs[0].dim(1)),
        products_(call.scratch.data()) {
    scaled_ = reinterpret_cast<float*>(products_ + product_scratch_bytes(threads_.count()));
    multipliers_ =
        reinterpret_cast<float*>(call.scratch.data() + call.scratch.size()) - kFactorColumns * kFactorColumns;
    square_ = multipliers_ - kFactorColumns * kFactorColumns;
  }

  float* rows() const { return scaled_; }

  void factor(float lambda) {
    for (int64_t i = 0; i < columns_; ++i) diagonal_[i] = at(i, i)[0] + lambda;
    for (int64_t end = columns_; end > 0; end -= kFactorColumns) {
      const FactorBlock block{std::max<int64_t>(0, end - kFactorColumns), end};
      subtract_later(block);
      factor_square(block, lambda);
      solve_above(block);
    }
  }

 private:
  float* at(int64_t i, int64_t j) const { return gram_ + i * columns_ + j; }

  // The block's columns less what the columns behind it take, of the rows above it in place and of its own in square_.
  void subtract_later(const FactorBlock& block) {
    const int64_t later = columns_ - block.end;
    threads_.split(block.size(), 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const float* row = at(block.begin + r, 0);
        float* square = square_ + r * kFactorColumns;
        for (int64_t j = 0; j < block.size(); ++j) square[j] = row[block.begin + j];
        square[r] = diagonal_[block.begin + r];
        for (int64_t k = 0; k < later; ++k) {
          scaled_[r * later + k] = -(row[block.end + k] * at(block.end + k, block.end + k)[0]);
        }
      }
    });
    if (later == 0) return;
    const auto add = [&](int64_t first, int64_t rows, float* c, int64_t stride) {
      multiply({.rows = rows,
                .columns = block.size(),
                .depth = later,
                .a = {reinterpret_cast<const std::byte*>(at(first, block.end)), DType::f32, columns_},
                .b = {reinterpret_cast<const std::byte*>(scaled_), DType::f32, later, true},
                .c = reinterpret_cast<std::byte*>(c),
                .c_stride = stride,
                .from_zero = false},
               threads_, products_);
    };
    add(0, block.begin, at(0, block.begin), columns_);
    add(block.begin, block.size(), square_, kFactorColumns);
  }

  // Of the block's own rows; leaves in row j of multipliers_ what column j takes from each column before it.
  void factor_square(const FactorBlock& block, float lambda) {
    for (int64_t j = block.size() - 1; j >= 0; --j) {
      const float pivot = square_[j * kFactorColumns + j];
      const float d = pivot < lambda ? lambda : pivot;
      float* multipliers = multipliers_ + j * kFactorColumns;
      for (int64_t i = 0; i < j; ++i) {
        const float u = square_[i * kFactorColumns + j] / d;
        at(block.begin + i, block.begin + j)[0] = u;
        multipliers[i] = -(u * d);
      }
      at(block.begin + j, block.begin + j)[0] = d;
      for (int64_t i = 0; i < j; ++i) {
        const F32x16 u(at(block.begin + i, block.begin + j)[0]);
        float* row = square_ + i * kFactorColumns;
        for_each_group(
            0, j, [&](int64_t c, auto n) { store(row + c, fma(u, load(multipliers + c, n), load(row + c, n)), n); });
      }
    }
  }

  // Of the rows above the block.
  void solve_above(const FactorBlock& block) {
    threads_.split(block.begin, 16, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        float* row = at(i, block.begin);
        for (int64_t j = block.size() - 1; j >= 0; --j) {
          row[j] = row[j] / at(block.begin + j, block.begin + j)[0];
          const F32x16 u(row[j]);
          const float* multipliers = multipliers_ + j * kFactorColumns;
          for_each_group(
              0, j, [&](int64_t c, auto n) { store(row + c, fma(u, load(multipliers + c, n), load(row + c, n)), n); });
        }
      }
    });
  }

  Threads& threads_;
  float* gram_;
  float* diagonal_;
  int64_t columns_;
  std::byte* products_;
  float* scaled_;
  float* square_;
  float* multipliers_;
};

}  // namespace

void factor_gram(const Invocation& call) {
  const int64_t columns = call.outputs[0].dim(1);
  const std::span<int32_t> order(call.outputs[1].as<int32_t>(), static_cast<size_t>(columns));
  GramFactor gram(call);
  float* elements = call.outputs[0].as<float>();
  const float lambda = damping_of(elements, columns, call.attributes.real("damping"));
  order_columns(elements, call.attributes.integer("group"), order);
  permute_gram(elements, order, call.threads, gram.rows());
  gram.factor(lambda);
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(factor_gram);
