// Codes by a Gram matrix: the kernels against each other, to the bit, and against the paper's own procedure (Frantar et
// al. 2022, algorithm 1: the inverse, its Cholesky factor, updates of all columns that follow) in f64.
#include <algorithm>
#include <numeric>

#include "headroom/base/grouped_format.h"
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

// Inputs of a layer whose columns are correlated and of very different sizes.
std::vector<double> inputs_of(int64_t tokens, int64_t columns, uint32_t seed) {
  Random random(seed);
  const Array noise = random.array(f32({tokens, columns}), -1, 1);
  const Array common = random.array(f32({tokens, 4}), -1, 1);
  const Array share = random.array(f32({4, columns}), -1, 1);
  const Array size = random.array(f32({columns}), -2, 2);
  std::vector<double> x(static_cast<size_t>(tokens * columns));
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t k = 0; k < columns; ++k) {
      double value = 0.5 * noise.at(t * columns + k);
      for (int64_t c = 0; c < 4; ++c) value += common.at(t * 4 + c) * share.at(c * columns + k);
      x[static_cast<size_t>(t * columns + k)] = value * std::exp(size.at(k));
    }
  }
  return x;
}

Array gram_of(const std::vector<double>& x, int64_t columns) {
  Array gram(f32({columns, columns}));
  const int64_t tokens = static_cast<int64_t>(x.size()) / columns;
  for (int64_t i = 0; i < columns; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      double sum = 0;
      for (int64_t t = 0; t < tokens; ++t)
        sum += x[static_cast<size_t>(t * columns + i)] * x[static_cast<size_t>(t * columns + j)];
      gram.as<float>()[i * columns + j] = static_cast<float>(sum);
    }
  }
  return gram;
}

using Matrix = std::vector<std::vector<double>>;

Matrix cholesky(Matrix a) {  // lower
  const size_t n = a.size();
  for (size_t j = 0; j < n; ++j) {
    for (size_t k = 0; k < j; ++k) a[j][j] -= a[j][k] * a[j][k];
    a[j][j] = std::sqrt(a[j][j]);
    for (size_t i = j + 1; i < n; ++i) {
      for (size_t k = 0; k < j; ++k) a[i][j] -= a[i][k] * a[j][k];
      a[i][j] /= a[j][j];
    }
    for (size_t i = 0; i < j; ++i) a[i][j] = 0;
  }
  return a;
}

Matrix inverse(const Matrix& a) {  // of a positive definite one
  const size_t n = a.size();
  const Matrix l = cholesky(a);
  Matrix result(n, std::vector<double>(n));
  for (size_t column = 0; column < n; ++column) {
    std::vector<double> y(n);
    for (size_t i = 0; i < n; ++i) {
      y[i] = i == column ? 1 : 0;
      for (size_t k = 0; k < i; ++k) y[i] -= l[i][k] * y[k];
      y[i] /= l[i][i];
    }
    for (size_t i = n; i-- > 0;) {
      for (size_t k = i + 1; k < n; ++k) y[i] -= l[k][i] * y[k];
      y[i] /= l[i][i];
    }
    for (size_t i = 0; i < n; ++i) result[i][column] = y[i];
  }
  return result;
}

struct Problem {
  Array weight, gram;
  const GroupedFormat* format;
};

// Weights about normal, of which grids that cut the farthest lose less.
Problem problem_of(int64_t rows, int64_t columns, const GroupedFormat* format, uint32_t seed = 1) {
  Random random(seed);
  const Array weight(f32({rows, columns}));
  for (int64_t i = 0; i < weight.elements(); ++i) {
    double sum = 0;
    for (int part = 0; part < 8; ++part) sum += random.uniform(-0.5, 0.5);
    weight.set(i, sum);
  }
  return {weight, gram_of(inputs_of(3 * columns, columns, seed + 1), columns), format};
}

struct Solved {
  std::vector<Array> factored;
  Array quantized, losses;
};

Solved solve(const Problem& problem, int64_t search, int64_t sweeps = 0, const Array* pull = nullptr) {
  const Type type = {problem.format->dtype(), problem.weight.type().shape};
  const int64_t columns = problem.weight.type().shape[1];
  const int64_t group = problem.format->group() == 0 ? columns : problem.format->group();
  const std::vector<Array> factored =
      expect_kernels_agree("factor_gram", {problem.gram}, {{"damping", 0.01}, {"group", group}});
  std::vector<Array> inputs = {problem.weight, factored[0], factored[1], factored[2], Array(type)};
  if (pull != nullptr) inputs.push_back(*pull);
  const std::vector<Array> outputs = expect_kernels_agree("gptq", inputs, {{"search", search}, {"sweeps", sweeps}});
  return {factored, outputs[0], outputs[1]};
}

double decoded(const Array& quantized, int64_t i) {
  float element;
  block_format(quantized.type().dtype).decode(quantized.type().shape, quantized.as<std::byte>(), i, 1, &element);
  return static_cast<double>(element);
}

// (w - q) (G + lambda I) (w - q)^T over all rows.
double loss_of(const Problem& problem, const Array& quantized) {
  const int64_t columns = problem.weight.type().shape[1];
  double lambda = 0;
  for (int64_t i = 0; i < columns; ++i)
    lambda += 0.01 / static_cast<double>(columns) * problem.gram.at(i * (columns + 1));
  double loss = 0;
  for (int64_t row = 0; row < problem.weight.type().shape[0]; ++row) {
    std::vector<double> lost;
    for (int64_t k = 0; k < columns; ++k) {
      lost.push_back(problem.weight.at(row * columns + k) - decoded(quantized, row * columns + k));
    }
    for (int64_t i = 0; i < columns; ++i) {
      double sum = lambda * lost[static_cast<size_t>(i)];
      for (int64_t j = 0; j < columns; ++j) sum += problem.gram.at(i * columns + j) * lost[static_cast<size_t>(j)];
      loss += lost[static_cast<size_t>(i)] * sum;
    }
  }
  return loss;
}

// Algorithm 1 of the paper in f64, with the grids of base/grouped_format.h found at each group's first column, columns
// in the order `order`.
double loss_of_the_paper(const Problem& problem, const Array& order) {
  const int64_t columns = problem.weight.type().shape[1];
  const auto n = static_cast<size_t>(columns);
  const int64_t group = problem.format->group() == 0 ? columns : problem.format->group();
  Matrix h(n, std::vector<double>(n));
  double mean = 0;
  const auto at = [&](size_t k) { return static_cast<int64_t>(order.as<int32_t>()[k]); };
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) h[i][j] = problem.gram.at(at(i) * columns + at(j));
    mean += h[i][i] / static_cast<double>(n);
  }
  for (size_t i = 0; i < n; ++i) h[i][i] += 0.01 * mean;
  const Matrix lower = cholesky(inverse(h));  // H^-1 = L L^T; the paper's factor is its upper one, of the same inverse
  // Upper: H^-1 = U^T U, by the Cholesky factor of the inverse; U is L's transpose.
  double loss = 0;
  for (int64_t row = 0; row < problem.weight.type().shape[0]; ++row) {
    std::vector<double> w(n);
    for (size_t k = 0; k < n; ++k) w[k] = problem.weight.at(row * columns + at(k));
    Array grid_source(f32({1, group}));
    Array grid(Type{problem.format->dtype(), {1, group}});
    GroupedFormat::Element lowest{};
    for (size_t k = 0; k < n; ++k) {
      if (static_cast<int64_t>(k) % group == 0) {
        for (int64_t i = 0; i < group; ++i)
          grid_source.as<float>()[i] = static_cast<float>(w[k + static_cast<size_t>(i)]);
        const std::span elements(grid_source.as<const float>(), static_cast<size_t>(group));
        problem.format->encode(grid.type().shape, 0, elements, grid.as<std::byte>(), {});
        lowest = problem.format->element(grid.type().shape, grid.as<std::byte>(), 0, 0);
      }
      // Where the zero of a group stands, by an element of it.
      const float scale = lowest.scale;
      int zero = 1 << (problem.format->bits() - 1);
      if (problem.format->has_zeros()) {
        float low = 0;
        for (int64_t i = 0; i < group; ++i) low = std::min(low, grid_source.as<float>()[i]);
        zero = scale > 0 ? static_cast<int>(std::nearbyint(-low / scale)) : 0;
      }
      const double most = (1 << problem.format->bits()) - 1;
      const double code =
          scale == 0 ? zero : std::clamp(std::nearbyint(w[k] / static_cast<double>(scale)) + zero, 0.0, most);
      const double q = (code - zero) * static_cast<double>(scale);
      const double error = (w[k] - q) / lower[k][k];
      loss += error * error;
      for (size_t j = k; j < n; ++j) w[j] -= error * lower[j][k];
    }
  }
  return loss;
}

TEST(FactorGram, IsTheFactorOfTheDampedMatrixInTheOrderOfItsDiagonal) {
  for (const int64_t columns : {1, 32, 96, 257, 600}) {
    const Array gram = gram_of(inputs_of(2 * columns, columns, 3), columns);
    const std::vector<Array> factored =
        expect_kernels_agree("factor_gram", {gram}, {{"damping", 0.01}, {"group", columns}});
    const Array &factor = factored[0], &order = factored[1], &diagonal = factored[2];
    double mean = 0;
    for (int64_t i = 0; i < columns; ++i) mean += gram.at(i * (columns + 1)) / static_cast<double>(columns);
    const auto at = [&](int64_t i) { return static_cast<int64_t>(order.as<int32_t>()[i]); };
    for (int64_t i = 0; i < columns; ++i) {
      ASSERT_GE(factor.at(i * (columns + 1)), 0.0099 * mean);
      ASSERT_GE(diagonal.at(std::max<int64_t>(i - 1, 0)), diagonal.at(i));
      for (int64_t j = i; j < columns; ++j) {
        double sum = 0;
        for (int64_t k = j; k < columns; ++k) {
          const double left = k == i ? 1 : factor.at(i * columns + k);
          const double right = k == j ? 1 : factor.at(j * columns + k);
          sum += left * right * factor.at(k * (columns + 1));
        }
        const double expected = gram.at(at(i) * columns + at(j)) + (i == j ? 0.01 * mean : 0);
        ASSERT_NEAR(sum, expected, 2e-5 * mean) << columns << ": " << i << ", " << j;
        if (i == j) continue;
        ASSERT_EQ(factor.at(j * columns + i), gram.at(at(i) * columns + at(j)));
      }
    }
  }
}

TEST(FactorGram, OrdersWholeGroups) {
  const int64_t columns = 128;
  const Array gram = gram_of(inputs_of(300, columns, 5), columns);
  const Array order = expect_kernels_agree("factor_gram", {gram}, {{"damping", 0.01}, {"group", int64_t{32}}})[1];
  std::vector<int32_t> all(order.as<const int32_t>(), order.as<const int32_t>() + columns);
  double last_group = 1e300;
  for (int64_t first = 0; first < columns; first += 32) {
    double largest = 0;
    for (int64_t i = 0; i < 32; ++i) {
      ASSERT_EQ(all[static_cast<size_t>(first + i)] / 32, all[static_cast<size_t>(first)] / 32);
      largest = std::max(largest, gram.at(all[static_cast<size_t>(first + i)] * (columns + 1)));
    }
    EXPECT_LE(largest, last_group);
    EXPECT_EQ(largest, gram.at(all[static_cast<size_t>(first)] * (columns + 1)));
    last_group = largest;
  }
  std::sort(all.begin(), all.end());
  for (int64_t i = 0; i < columns; ++i) ASSERT_EQ(all[static_cast<size_t>(i)], i);
}

TEST(Gptq, LosesWhatThePapersProcedureLoses) {
  for (const char* name : {"int4_g128", "uint4_g64", "int3_g32", "uint2_g32", "int4_channel", "uint8_g32"}) {
    const Problem problem = problem_of(24, 256, dynamic_cast<const GroupedFormat*>(find_block_format(name)));
    const Solved solved = solve(problem, 1);
    const double paper = loss_of_the_paper(problem, solved.factored[1]);
    EXPECT_NEAR(loss_of(problem, solved.quantized) / paper, 1, 0.02) << name;
    double losses = 0;
    for (int64_t i = 0; i < 24; ++i) losses += solved.losses.at(i);
    EXPECT_NEAR(losses / loss_of(problem, solved.quantized), 1, 1e-3) << name;
  }
}

TEST(Gptq, KernelsAgreeOnTilesBlocksAndFormatsOfWeights) {
  for (const auto& [rows, columns, name] :
       {std::tuple{530, 160, "uint4_g32"}, {7, 384, "int3_channel"}, {33, 320, "int4_g64"}}) {
    Problem problem = problem_of(rows, columns, dynamic_cast<const GroupedFormat*>(find_block_format(name)), 9);
    solve(problem, 12);
    problem.weight = Random(4).array({DType::bf16, {rows, columns}}, -1, 1);
    const Array pull = Random(5).array(f32({rows, columns}), -1, 1);
    solve(problem, 1, 2, &pull);
  }
}

TEST(Gptq, ASearchedGridLosesLess) {
  const Problem problem = problem_of(64, 256, dynamic_cast<const GroupedFormat*>(find_block_format("int3_g128")), 21);
  EXPECT_LT(loss_of(problem, solve(problem, 20).quantized), 0.95 * loss_of(problem, solve(problem, 1).quantized));
}

TEST(Gptq, SweepsLoseLessAndLessAndKnowHowMuch) {
  for (const char* name : {"int3_g128", "uint2_g32", "int4_channel"}) {
    const Problem problem = problem_of(40, 384, dynamic_cast<const GroupedFormat*>(find_block_format(name)), 25);
    double last = 1e300;
    for (const int64_t sweeps : {0, 1, 3}) {
      const Solved solved = solve(problem, 1, sweeps);
      const double loss = loss_of(problem, solved.quantized);
      EXPECT_LT(loss, sweeps == 0 ? last : 1.0001 * last) << name << ", " << sweeps;
      double losses = 0;
      for (int64_t i = 0; i < 40; ++i) losses += solved.losses.at(i);
      EXPECT_NEAR(losses / loss, 1, 2e-3) << name << ", " << sweeps;
      if (sweeps == 1 && problem.format->group() > 0) {
        EXPECT_LT(loss, 0.98 * last) << name;
      }
      last = loss;
    }
  }
}

// With a pull p = (w* - w)(G + lambda I), codes are those that w* has without one.
TEST(Gptq, APullIsAnotherWeight) {
  Problem problem = problem_of(37, 320, dynamic_cast<const GroupedFormat*>(find_block_format("int4_g64")), 27);
  const Array wanted = Random(3).array(problem.weight.type(), -1, 1);
  const int64_t columns = 320;
  double lambda = 0;
  for (int64_t i = 0; i < columns; ++i) lambda += 0.01 / 320 * problem.gram.at(i * (columns + 1));
  const Array pull(problem.weight.type());
  for (int64_t row = 0; row < 37; ++row) {
    for (int64_t k = 0; k < columns; ++k) {
      double sum = 0;
      for (int64_t j = 0; j < columns; ++j) {
        const double damped = problem.gram.at(j * columns + k) + (j == k ? lambda : 0);
        sum += (wanted.at(row * columns + j) - problem.weight.at(row * columns + j)) * damped;
      }
      pull.set(row * columns + k, sum);
    }
  }
  const Solved pulled = solve(problem, 1, 1, &pull);
  problem.weight = wanted;
  EXPECT_NEAR(loss_of(problem, pulled.quantized) / loss_of(problem, solve(problem, 1, 1).quantized), 1, 0.05);
}

TEST(GramLosses, AreTheQuadraticForm) {
  const Problem problem = problem_of(40, 192, dynamic_cast<const GroupedFormat*>(find_block_format("int4_g64")), 31);
  const Solved solved = solve(problem, 1);
  const Array losses = expect_kernels_agree(
      "gram_losses", {problem.weight, solved.factored[0], solved.factored[1], solved.quantized})[0];
  double sum = 0;
  for (int64_t i = 0; i < 40; ++i) sum += losses.at(i);
  EXPECT_NEAR(sum / loss_of(problem, solved.quantized), 1, 1e-3);
  expect_kernels_agree("gram_losses", {problem.weight, solved.factored[0], solved.factored[1]});
}

TEST(Encode, IsWhatTheFormatEncodes) {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const char* name : {"int4_g32", "uint3_g64", "uint8_channel"}) {
      const GroupedFormat& format = *dynamic_cast<const GroupedFormat*>(find_block_format(name));
      const Array weight = Random(7).array({dtype, {37, 192}}, -2, 2);
      const Array encoded =
          expect_kernels_agree("encode", {weight}, {{"format", static_cast<int64_t>(format.dtype())}})[0];
      Array expected(encoded.type());
      std::vector<float> elements;
      for (int64_t i = 0; i < weight.elements(); ++i) elements.push_back(static_cast<float>(weight.at(i)));
      ASSERT_EQ(format.encode(encoded.type().shape, 0, elements, expected.as<std::byte>(), {}), -1);
      format.finish(encoded.type().shape, expected.as<std::byte>(), {});
      EXPECT_EQ(
          std::memcmp(encoded.as<std::byte>(), expected.as<std::byte>(), static_cast<size_t>(encoded.type().bytes())),
          0)
          << name;
    }
  }
}

}  // namespace
}  // namespace headroom::testing
