// Outside oracles for kernels: formulas in f64 written apart from the kernels, and derivatives of such formulas by
// central differences.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/backend/kernel_runner.h"

namespace headroom::testing {

inline std::vector<double> values_of(const Array& array) {
  std::vector<double> values;
  for (int64_t i = 0; i < array.elements(); ++i) values.push_back(array.at(i));
  return values;
}

// sum_i a[i] * b[i]: the scalar whose derivative by a kernel's input is what its backward computes from b.
inline double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// The derivatives of f at x; f takes a vector like x. Accurate to about 1e-9 for functions of order one.
template <class Function>
std::vector<double> numeric_gradient(std::vector<double> x, const Function& f) {
  constexpr double kStep = 1e-5;
  std::vector<double> gradient;
  for (double& element : x) {
    const double at = element;
    element = at + kStep;
    const double above = f(x);
    element = at - kStep;
    const double below = f(x);
    element = at;
    gradient.push_back((above - below) / (2 * kStep));
  }
  return gradient;
}

// Each element within `tolerance` of the oracle's, relative to the oracle's largest (at least 1).
inline void expect_close(const Array& got, const std::vector<double>& expected, double tolerance,
                         const std::string& where) {
  ASSERT_EQ(static_cast<size_t>(got.elements()), expected.size()) << where;
  double largest = 1;
  for (const double value : expected) largest = std::max(largest, std::fabs(value));
  for (int64_t i = 0; i < got.elements(); ++i) {
    ASSERT_NEAR(got.at(i), expected[static_cast<size_t>(i)], tolerance * largest) << where << ", element " << i;
  }
}

}  // namespace headroom::testing
