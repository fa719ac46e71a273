// SwiGLU and its backward, against the formula and its derivatives by central differences in f64.
#include <limits>

#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

std::vector<double> swiglu(const std::vector<double>& gate, const std::vector<double>& up) {
  std::vector<double> y(gate.size());
  for (size_t i = 0; i < y.size(); ++i) y[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
  return y;
}

TEST(Swiglu, MatchesTheFormula) {
  Random random(1);
  for (const int64_t features : {1, 16, 31, 1000, 5003}) {
    const Array gate = random.array(f32({3, features}), -20, 20), up = random.array(f32({3, features}));
    expect_close(expect_kernels_agree("swiglu", {gate, up})[0], swiglu(values_of(gate), values_of(up)), 3e-7, "y");
  }
}

TEST(Swiglu, IsCalmAtTheEnds) {
  const float infinity = std::numeric_limits<float>::infinity();
  const Array gate = array_of(f32({4}), std::vector<float>{-1000, 1000, 0, infinity});
  const Array up = array_of(f32({4}), std::vector<float>{1, 1, 1, 1});
  const Array y = expect_kernels_agree("swiglu", {gate, up})[0];
  EXPECT_EQ(y.at(0), 0);
  EXPECT_EQ(y.at(1), 1000);
  EXPECT_EQ(y.at(2), 0);
  EXPECT_EQ(y.at(3), infinity);
}

TEST(SwigluBackward, MatchesTheDerivatives) {
  Random random(2);
  for (const int64_t features : {1, 40, 77}) {
    const Array gate = random.array(f32({2, features}), -6, 6), up = random.array(f32({2, features}));
    const Array dy = random.array(f32({2, features}));
    const std::vector<Array> got = expect_kernels_agree("swiglu_backward", {gate, up, dy});
    expect_close(
        got[0],
        numeric_gradient(values_of(gate),
                         [&](const std::vector<double>& at) { return dot(swiglu(at, values_of(up)), values_of(dy)); }),
        1e-6, "dgate");
    expect_close(got[1],
                 numeric_gradient(
                     values_of(up),
                     [&](const std::vector<double>& at) { return dot(swiglu(values_of(gate), at), values_of(dy)); }),
                 1e-6, "dup");
  }
}

// Both outputs at once in inputs' storage, as the planner may decide.
TEST(SwigluBackward, MayWriteBothOutputsOverInputs) {
  Random random(3);
  const std::vector<Array> inputs = {random.array(f32({999})), random.array(f32({999})), random.array(f32({999}))};
  const std::vector<Array> expected = run_kernel(Isa::reference, "swiglu_backward", inputs);
  for (const Isa isa : {Isa::reference, Isa::avx2, Isa::avx512}) {
    if (!is_supported(isa)) continue;
    for (const int gate_takes : {0, 2}) {
      const std::vector<Array> got = run_kernel(isa, "swiglu_backward", inputs, {}, 2, {{0, gate_takes}, {1, 1}});
      expect_same_bits(expected[0], got[0], "dgate");
      expect_same_bits(expected[1], got[1], "dup");
    }
  }
}

}  // namespace
}  // namespace headroom::testing
