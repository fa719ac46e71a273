// kl_divergence: equal on every instruction set; the f64 formula to f32's accuracy, near zero too.
#include <cmath>

#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

double log_sum_exp(const Array& logits, int64_t row) {
  const int64_t columns = logits.type().shape[1];
  double sum = 0;
  for (int64_t v = 0; v < columns; ++v) sum += std::exp(logits.at(row * columns + v));
  return std::log(sum);
}

Array lse_of(const Array& logits) { return run_kernel(Isa::reference, "logsumexp", {logits})[0]; }

std::vector<double> expected(const Array& reference, const Array& logits) {
  const int64_t columns = reference.type().shape[1];
  std::vector<double> all;
  for (int64_t t = 0; t < reference.type().shape[0]; ++t) {
    const double p_lse = log_sum_exp(reference, t);
    const double q_lse = log_sum_exp(logits, t);
    double kl = 0;
    for (int64_t v = 0; v < columns; ++v) {
      const double log_p = reference.at(t * columns + v) - p_lse;
      kl += std::exp(log_p) * (log_p - (logits.at(t * columns + v) - q_lse));
    }
    all.push_back(kl);
  }
  return all;
}

TEST(KlDivergence, KernelsAgreeAndAreAccurate) {
  Random random(1);
  for (const int64_t columns : {1L, 5L, 16L, 100L, 4097L}) {
    SCOPED_TRACE(columns);
    const Array reference = random.array(f32({3, columns}), -10, 10);
    const Array logits = random.array(f32({3, columns}), -10, 10);
    const Array kl = expect_kernels_agree("kl_divergence", {reference, lse_of(reference), logits, lse_of(logits)})[0];
    expect_close(kl, expected(reference, logits), 4e-6, "far");
    Array near = reference.copy();
    for (int64_t i = 0; i < near.elements(); ++i) near.set(i, near.at(i) + random.uniform(-0.01, 0.01));
    const Array small = expect_kernels_agree("kl_divergence", {reference, lse_of(reference), near, lse_of(near)})[0];
    expect_close(small, expected(reference, near), 2e-6, "near");
  }
}

TEST(KlDivergence, OfEqualDistributionsIsZero) {
  Random random(2);
  const Array logits = random.array(f32({4, 999}), -30, 30);
  const Array kl = expect_kernels_agree("kl_divergence", {logits, lse_of(logits), logits, lse_of(logits)})[0];
  for (int64_t t = 0; t < 4; ++t) EXPECT_EQ(kl.at(t), 0);
}

TEST(KlDivergence, WhatIsImpossible) {
  const Array reference = array_of(f32({2, 2}), std::vector<double>{-INFINITY, 0, 0, 0});
  const Array logits = array_of(f32({2, 2}), std::vector<double>{-INFINITY, 0, -INFINITY, 0});
  const Array kl = expect_kernels_agree("kl_divergence", {reference, lse_of(reference), logits, lse_of(logits)})[0];
  EXPECT_EQ(kl.at(0), 0);         // to both
  EXPECT_EQ(kl.at(1), INFINITY);  // to the second only
}

}  // namespace
}  // namespace headroom::testing
