// Products head by head with parts of one weight, against formulas in f64.
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

struct Heads {
  int64_t tokens, heads, rows_of_head, first, rows, latents, tail;

  Attributes attributes(bool to_latents, int64_t with_tail) const {
    return {
        {"heads", heads}, {"first", first}, {"rows", rows}, {"tail", with_tail}, {"to_latents", int64_t{to_latents}}};
  }
  double weight(const Array& w, int64_t head, int64_t p, int64_t l) const {
    return w.at((head * rows_of_head + first + p) * latents + l);
  }
};
constexpr Heads kHeads[] = {
    {1, 3, 14, 0, 8, 24, 4}, {5, 2, 20, 8, 12, 16, 6}, {70, 4, 32, 0, 16, 40, 8}, {9, 1, 7, 2, 5, 3, 1}};

TEST(HeadProducts, MultiplyIntoTheLatentsSpaceAndOutOfIt) {
  Random random(1);
  for (const Heads& h : kHeads) {
    const Array weight = random.array(f32({h.heads * h.rows_of_head, h.latents}));
    for (const bool copies : {true, false}) {
      const int64_t in = h.rows + (copies ? h.tail : 0), out = h.latents + h.tail;
      const Array x = random.array(f32({h.tokens, h.heads * in}));
      const Array y = expect_kernels_agree("head_products", {x, weight}, h.attributes(true, h.tail))[0];
      std::vector<double> expected;
      for (int64_t row = 0; row < h.tokens * h.heads; ++row) {
        for (int64_t l = 0; l < out; ++l) {
          double sum = l < h.latents || !copies ? 0 : x.at(row * in + h.rows + l - h.latents);
          for (int64_t p = 0; p < h.rows && l < h.latents; ++p) {
            sum += x.at(row * in + p) * h.weight(weight, row % h.heads, p, l);
          }
          expected.push_back(sum);
        }
      }
      expect_close(y, expected, 1e-6, "into");
    }
    const int64_t in = h.latents + h.tail;
    const Array x = random.array(f32({h.tokens, h.heads * in}));
    for (const int64_t tail : {int64_t{0}, h.tail}) {
      const Array y = expect_kernels_agree("head_products", {x, weight}, h.attributes(false, tail))[0];
      std::vector<double> expected;
      for (int64_t row = 0; row < h.tokens * h.heads; ++row) {
        for (int64_t p = 0; p < h.rows + tail; ++p) {
          double sum = p < h.rows ? 0 : x.at(row * in + h.latents + p - h.rows);
          for (int64_t l = 0; l < h.latents && p < h.rows; ++l) {
            sum += x.at(row * in + l) * h.weight(weight, row % h.heads, p, l);
          }
          expected.push_back(sum);
        }
      }
      expect_close(y, expected, 2e-6, "out of");
    }
    for (const DType dtype : {DType::bf16, DType::f16}) {
      expect_kernels_agree("head_products", {random.array({dtype, x.type().shape}), weight},
                           h.attributes(false, h.tail));
    }
  }
}

TEST(HeadProductsGradient, IsAChainOverTokensThatLeavesOtherRowsAlone) {
  Random random(2);
  for (const Heads& h : kHeads) {
    Attributes attributes = h.attributes(true, h.tail);
    attributes.set("weight_rows", h.heads * h.rows_of_head);
    attributes.set("latents", h.latents);
    const int64_t narrow_width = h.rows + h.tail, wide_width = h.latents + h.tail;
    const Array narrow = random.array(f32({h.tokens, h.heads * narrow_width}));
    const Array wide = random.array(f32({h.tokens, h.heads * wide_width}));
    const Array got = expect_kernels_agree("head_products_gradient", {narrow, wide}, attributes)[0];
    std::vector<double> expected(static_cast<size_t>(got.elements()));
    for (int64_t row = 0; row < h.tokens * h.heads; ++row) {
      for (int64_t p = 0; p < h.rows; ++p) {
        for (int64_t l = 0; l < h.latents; ++l) {
          expected[static_cast<size_t>(((row % h.heads) * h.rows_of_head + h.first + p) * h.latents + l)] +=
              narrow.at(row * narrow_width + p) * wide.at(row * wide_width + l);
        }
      }
    }
    expect_close(got, expected, 2e-6, "gradient");
    const Array sum = random.array(got.type());
    const Array on_top = expect_kernels_agree("head_products_gradient", {narrow, wide, sum}, attributes)[0];
    for (size_t i = 0; i < expected.size(); ++i) expected[i] += sum.at(static_cast<int64_t>(i));
    expect_close(on_top, expected, 2e-6, "on top");
    expect_kernels_agree(
        "head_products_gradient",
        {random.array({DType::bf16, narrow.type().shape}), random.array({DType::bf16, wide.type().shape})}, attributes);
  }
}

}  // namespace
}  // namespace headroom::testing
