// exp and log: close to the exact value, and the same bits on every instruction set, over floats from all over the
// number line.
#include "headroom/backend/elementary.h"

#include <bit>
#include <cmath>

#include "tests/backend/kernel_runner.h"

namespace headroom::testing {
namespace {

Array apply(Isa isa, std::string_view probe, const Array& x) {
  const Array y(x.type());
  Threads threads(1);
  const std::vector<Tensor> inputs = {x.tensor()};
  const std::vector<Tensor> outputs = {y.tensor()};
  find_kernel(isa, probe)({inputs, outputs, {}, {}, threads});
  return y;
}

// Every stride-th float by bits, NaNs and infinities included, and a tail that fills no vector.
Array all_kinds_of_floats() {
  const int64_t stride = 4099;
  const int64_t count = (int64_t{1} << 32) / stride;
  const Array x(f32({count}));
  for (int64_t i = 0; i < count; ++i) x.as<float>()[i] = std::bit_cast<float>(static_cast<uint32_t>(i * stride));
  return x;
}

Array evenly_between(double low, double high) {
  const Array x(f32({300'001}));
  for (int64_t i = 0; i < x.elements(); ++i) x.set(i, low + (high - low) * static_cast<double>(i) / 300'000);
  return x;
}

// The largest error in units of the last place of the exact value; those of denormals are the smallest denormal.
template <class Exact>
double worst_ulps(const Array& x, const Array& y, Exact exact) {
  double worst = 0;
  for (int64_t i = 0; i < x.elements(); ++i) {
    const double expected = exact(x.at(i));
    const double got = y.at(i);
    if (static_cast<double>(static_cast<float>(expected)) == got || (std::isnan(expected) && std::isnan(got))) continue;
    const double ulp = std::max(std::ldexp(1.0, std::ilogb(expected) - 23), 0x1p-149);
    worst = std::max(worst, std::fabs(got - expected) / ulp);
  }
  return worst;
}

struct Function {
  std::string_view probe;
  double (*exact)(double);
  double low, high;  // where most of its use is
};

const Function kFunctions[] = {{"probe_exp", [](double x) { return std::exp(x); }, -104, 89},
                               {"probe_log", [](double x) { return std::log(x); }, 0, 4}};

TEST(Elementary, WithinOneUnitOfTheLastPlace) {
  for (const Function& function : kFunctions) {
    for (const Array& x : {all_kinds_of_floats(), evenly_between(function.low, function.high)}) {
      const double worst = worst_ulps(x, apply(Isa::reference, function.probe, x), function.exact);
      EXPECT_LE(worst, 1.0) << function.probe;
      RecordProperty(std::string(function.probe), std::to_string(worst));
    }
  }
}

TEST(Elementary, EveryInstructionSetHasTheSameBits) {
  for (const Function& function : kFunctions) {
    for (const Array& x : {all_kinds_of_floats(), evenly_between(function.low, function.high)}) {
      const Array expected = apply(Isa::reference, function.probe, x);
      for (const Isa isa : {Isa::avx2, Isa::avx512}) {
        if (is_supported(isa)) expect_same_bits(expected, apply(isa, function.probe, x), std::string(function.probe));
      }
    }
  }
}

TEST(Elementary, Edges) {
  const auto at = [](std::string_view probe, float x) {
    return apply(Isa::reference, probe, array_of(f32({1}), std::vector<float>{x})).as<float>()[0];
  };
  EXPECT_EQ(at("probe_exp", 0.0f), 1.0f);
  EXPECT_EQ(at("probe_exp", -0.0f), 1.0f);
  EXPECT_EQ(at("probe_exp", -INFINITY), 0.0f);
  EXPECT_EQ(at("probe_exp", INFINITY), INFINITY);
  EXPECT_EQ(at("probe_exp", 88.8f), INFINITY);
  EXPECT_GT(at("probe_exp", -103.0f), 0.0f);  // a denormal
  EXPECT_TRUE(std::isnan(at("probe_exp", NAN)));
  EXPECT_EQ(at("probe_log", 1.0f), 0.0f);
  EXPECT_EQ(at("probe_log", 0.0f), -INFINITY);
  EXPECT_EQ(at("probe_log", -0.0f), -INFINITY);
  EXPECT_EQ(at("probe_log", INFINITY), INFINITY);
  EXPECT_TRUE(std::isnan(at("probe_log", -1.0f)));
  EXPECT_TRUE(std::isnan(at("probe_log", NAN)));
}

}  // namespace
}  // namespace headroom::testing
