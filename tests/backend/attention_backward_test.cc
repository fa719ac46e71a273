// The gradients of attention, against central differences of the f64 softmax and against its gradients written out.
#include "tests/backend/attention_cases.h"

namespace headroom::testing {
namespace {

std::vector<Array> backward_inputs(const AttentionOperands& x, const Array& dout) {
  const std::vector<Array> forward = run_kernel(Isa::reference, "attention", x.inputs(), x.attributes());
  return {x.q, x.k, x.v, forward[0], forward[1], dout, x.sequences};
}

// dq, dk, dv from probabilities written out: ds = p * (dp - sum_j p*dp).
std::vector<std::vector<double>> gradients_in_f64(const AttentionOperands& x, const std::vector<double>& dout) {
  const std::vector<double> q = values_of(x.q), k = values_of(x.k), v = values_of(x.v);
  const std::vector<double> lse = attention_in_f64(x, q, k, v).lse;
  const size_t size = static_cast<size_t>(x.c.head_size), heads = static_cast<size_t>(x.c.heads);
  std::vector<double> dq(q.size(), 0.0), dk(k.size(), 0.0), dv(v.size(), 0.0);
  for (const std::array<int, 4>& numbers : x.c.sequences) {
    const int64_t first_query = numbers[0], queries = numbers[1], first_key = numbers[2], position = numbers[3];
    for (size_t i = 0; i < static_cast<size_t>(queries); ++i) {
      for (size_t head = 0; head < heads; ++head) {
        const size_t row = (static_cast<size_t>(first_query) + i) * heads + head;
        std::vector<double> p(static_cast<size_t>(position) + i + 1, 0.0), dp(p.size(), 0.0);
        const auto key = [&](size_t j) {
          return ((static_cast<size_t>(first_key) + j) * static_cast<size_t>(x.c.kv_heads) +
                  head * static_cast<size_t>(x.c.kv_heads) / heads) *
                 size;
        };
        for (size_t j = 0; j < p.size(); ++j) {
          for (size_t d = 0; d < size; ++d) p[j] += x.scale() * q[row * size + d] * k[key(j) + d];
          for (size_t d = 0; d < size; ++d) dp[j] += dout[row * size + d] * v[key(j) + d];
          p[j] = std::exp(p[j] - lse[row]);
        }
        const double mean = dot(p, dp);
        for (size_t j = 0; j < p.size(); ++j) {
          for (size_t d = 0; d < size; ++d) {
            dq[row * size + d] += p[j] * (dp[j] - mean) * x.scale() * k[key(j) + d];
            dk[key(j) + d] += p[j] * (dp[j] - mean) * x.scale() * q[row * size + d];
            dv[key(j) + d] += p[j] * dout[row * size + d];
          }
        }
      }
    }
  }
  return {dq, dk, dv};
}

TEST(AttentionBackward, AgreesInSixteenBitsForwardAndBackward) {
  for (const AttentionCase& c : kAttentionCases) {
    if (c.kv_dtype != DType::f32) continue;
    AttentionOperands x(c);
    const DType dtype = c.head_size % 16 == 0 ? DType::bf16 : DType::f16;
    SCOPED_TRACE(c.name);
    for (Array* operand : {&x.q, &x.k, &x.v}) *operand = in_format(*operand, dtype);
    const std::vector<Array> forward = expect_kernels_agree("attention", x.inputs(), x.attributes());
    EXPECT_EQ(forward[0].type().dtype, dtype);
    const Array dout = x.random.array(x.q.type());
    const std::vector<Array> got = expect_kernels_agree("attention_backward", backward_inputs(x, dout), x.attributes());
    const std::vector<std::vector<double>> expected = gradients_in_f64(x, values_of(dout));
    for (size_t i = 0; i < 3; ++i) expect_close(got[i], expected[i], 0.02 * c.magnitude, fmt::format("output {}", i));
  }
}

TEST(AttentionBackward, MatchesTheFormulasInF64) {
  for (const AttentionCase& c : kAttentionCases) {
    if (c.kv_dtype != DType::f32) continue;
    AttentionOperands x(c);
    const Array dout = x.random.array(x.q.type());
    const std::vector<Array> got = expect_kernels_agree("attention_backward", backward_inputs(x, dout), x.attributes());
    const std::vector<std::vector<double>> expected = gradients_in_f64(x, values_of(dout));
    const double tolerance = 3e-6 * c.magnitude;
    for (size_t i = 0; i < 3; ++i)
      expect_close(got[i], expected[i], tolerance, fmt::format("{}, output {}", c.name, i));
  }
}

TEST(AttentionBackward, MatchesCentralDifferences) {
  AttentionOperands x(
      {.name = "small", .sequences = {{0, 4, 0, 2}, {4, 3, 7, 0}}, .queries = 7, .keys = 10, .head_size = 8});
  const Array dout = x.random.array(x.q.type());
  const std::vector<Array> got = expect_kernels_agree("attention_backward", backward_inputs(x, dout), x.attributes());
  const std::vector<double> q = values_of(x.q), k = values_of(x.k), v = values_of(x.v), weights = values_of(dout);
  using Vector = std::vector<double>;
  const Vector by_q =
      numeric_gradient(q, [&](const Vector& at) { return dot(attention_in_f64(x, at, k, v).out, weights); });
  const Vector by_k =
      numeric_gradient(k, [&](const Vector& at) { return dot(attention_in_f64(x, q, at, v).out, weights); });
  const Vector by_v =
      numeric_gradient(v, [&](const Vector& at) { return dot(attention_in_f64(x, q, k, at).out, weights); });
  expect_close(got[0], by_q, 1e-6, "dq");
  expect_close(got[1], by_k, 1e-6, "dk");
  expect_close(got[2], by_v, 1e-6, "dv");
}

TEST(AttentionBackward, NeverReadsMaskedKeysAndClearsWhatIsInNoSequence) {
  AttentionOperands x(
      {.name = "gap", .sequences = {{2, 70, 3, 0}}, .queries = 75, .keys = 90, .heads = 2, .kv_heads = 1});
  const Array dout = x.random.array(x.q.type());
  for (int64_t row : {0, 2, 73, 89}) {
    for (int64_t i = row * x.k_width(); i < (row + 1) * x.k_width(); ++i) x.k.set(i, NAN), x.v.set(i, NAN);
  }
  const std::vector<Array> got = expect_kernels_agree("attention_backward", backward_inputs(x, dout), x.attributes());
  for (const Array& gradient : got) {
    for (int64_t i = 0; i < gradient.elements(); ++i) ASSERT_FALSE(std::isnan(gradient.at(i)));
  }
  EXPECT_EQ(got[0].at(1 * x.q_width()), 0);
  EXPECT_EQ(got[0].at(72 * x.q_width()), 0);
  EXPECT_EQ(got[1].at(2 * x.k_width()), 0);
  EXPECT_EQ(got[2].at(73 * x.k_width()), 0);
}

TEST(AttentionBackward, AgreesOnRandomShapes) {
  Random random(8);
  for (int i = 0; i < 10; ++i) {
    AttentionOperands x(random_attention_case(random, 140, 200));
    // No key is in two sequences here.
    int64_t keys = 0;
    for (std::array<int, 4>& numbers : x.c.sequences) {
      numbers[2] = static_cast<int>(keys);
      keys += numbers[1] > 0 ? numbers[1] + numbers[3] : 0;
    }
    x.c.keys = keys + random.integer(1, 3);
    x = AttentionOperands(x.c);
    const Array dout = random.array(x.q.type());
    spoil(random, {x.q, x.k, x.v, dout});
    expect_reference_bits(random, "attention_backward", backward_inputs(x, dout), x.attributes(),
                          fmt::format("case {}", i));
  }
}

}  // namespace
}  // namespace headroom::testing
