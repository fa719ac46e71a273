// Mixtures of experts: the gate, the grouping of rows, the products and what becomes of them, against formulas in f64.
#include <numeric>
#include <set>

#include "headroom/backend/expert_record.h"
#include "headroom/base/block_format.h"
#include "headroom/base/bytes.h"
#include "headroom/base/convert.h"
#include "headroom/base/page.h"
#include "tests/backend/block_weights.h"
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

struct GateCase {
  const char* name;
  int64_t experts, chosen, groups, top_groups, group_best;
  bool sigmoid, normalise;
  double scale;

  Attributes attributes() const {
    return {{"scoring", int64_t{sigmoid}},
            {"chosen", chosen},
            {"groups", groups},
            {"top_groups", top_groups},
            {"group_best", group_best},
            {"normalise", int64_t{normalise}},
            {"scale", scale}};
  }
};
constexpr GateCase kGates[] = {{"V2-Lite", 64, 6, 1, 1, 1, false, false, 1.0},
                               {"V2", 32, 6, 8, 3, 1, false, false, 16.0},
                               {"V3", 64, 8, 8, 4, 2, true, true, 2.5},
                               {"sigmoid alone", 7, 2, 1, 1, 1, true, false, 1.5},
                               {"softmax, normalised", 19, 5, 1, 1, 1, false, true, 1.0}};

std::vector<double> scores_of(const GateCase& gate, const std::vector<double>& logits) {
  std::vector<double> scores(logits.size());
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const double logit : logits) sum += std::exp(logit - largest);
  for (size_t e = 0; e < logits.size(); ++e) {
    scores[e] = gate.sigmoid ? 1 / (1 + std::exp(-logits[e])) : std::exp(logits[e] - largest) / sum;
  }
  return scores;
}

// Ascending; of equal ones the lower number.
std::vector<size_t> best_of(const std::vector<double>& scores, size_t count) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  order.resize(count);
  std::sort(order.begin(), order.end());
  return order;
}

std::vector<size_t> choice_of(const GateCase& gate, const std::vector<double>& scores) {
  const size_t size = scores.size() / static_cast<size_t>(gate.groups);
  std::vector<double> of_groups;
  for (size_t group = 0; group < static_cast<size_t>(gate.groups); ++group) {
    std::vector<double> members(scores.begin() + static_cast<std::ptrdiff_t>(group * size),
                                scores.begin() + static_cast<std::ptrdiff_t>((group + 1) * size));
    std::sort(members.rbegin(), members.rend());
    of_groups.push_back(std::accumulate(members.begin(), members.begin() + gate.group_best, 0.0));
  }
  const std::vector<size_t> groups = best_of(of_groups, static_cast<size_t>(gate.top_groups));
  std::vector<double> left = scores;
  for (size_t e = 0; e < left.size(); ++e) {
    if (std::find(groups.begin(), groups.end(), e / size) == groups.end()) left[e] = -1e300;
  }
  return best_of(left, static_cast<size_t>(gate.chosen));
}

std::vector<double> weights_of(const GateCase& gate, const std::vector<double>& logits,
                               const std::vector<size_t>& choice) {
  const std::vector<double> scores = scores_of(gate, logits);
  double sum = gate.normalise ? 1e-20 : 1;
  for (const size_t e : choice) sum += gate.normalise ? scores[e] : 0;
  std::vector<double> weights;
  for (const size_t e : choice) weights.push_back(scores[e] / sum * gate.scale);
  return weights;
}

TEST(Route, ChoosesAndWeighsAsTheFormulasInF64) {
  Random random(1);
  for (const GateCase& gate : kGates) {
    const int64_t tokens = 200;
    const Array logits = random.array(f32({tokens, gate.experts}), -3, 3);
    const Array bias = random.array(f32({gate.experts}), -0.2, 0.2);
    const std::vector<Array> got = expect_kernels_agree("route", {logits, bias}, gate.attributes());
    for (int64_t t = 0; t < tokens; ++t) {
      std::vector<double> row, choosing;
      for (int64_t e = 0; e < gate.experts; ++e) row.push_back(logits.at(t * gate.experts + e));
      choosing = scores_of(gate, row);
      for (int64_t e = 0; e < gate.experts; ++e) choosing[static_cast<size_t>(e)] += bias.at(e);
      const std::vector<size_t> choice = choice_of(gate, choosing);
      const std::vector<double> weights = weights_of(gate, row, choice);
      for (int64_t j = 0; j < gate.chosen; ++j) {
        ASSERT_EQ(got[0].as<int32_t>()[t * gate.chosen + j], static_cast<int32_t>(choice[static_cast<size_t>(j)]))
            << gate.name << ", token " << t;
        ASSERT_NEAR(got[1].at(t * gate.chosen + j), weights[static_cast<size_t>(j)], 1e-6 * gate.scale) << gate.name;
      }
    }
  }
}

TEST(Route, TakesTheLowerNumberOfEqualOnesAndShowsNaN) {
  const GateCase gate = kGates[2];
  const Array logits(f32({3, gate.experts}));
  for (int64_t i = 0; i < logits.elements(); ++i) logits.set(i, i / gate.experts == 1 && i % 5 == 0 ? 1.0 : 0.0);
  logits.set(2 * gate.experts + 40, std::nan(""));
  const std::vector<Array> got = expect_kernels_agree("route", {logits}, gate.attributes());
  for (int32_t j = 0; j < gate.chosen; ++j) {
    EXPECT_EQ(got[0].as<int32_t>()[j], j);  // all are equal: the first experts of the first groups
    EXPECT_TRUE(std::isnan(got[1].at(2 * gate.chosen + j)));
    const int32_t chosen = got[0].as<int32_t>()[2 * gate.chosen + j];
    EXPECT_TRUE(chosen >= 0 && chosen < gate.experts);
  }
}

TEST(Route, BackwardMatchesTheDerivatives) {
  Random random(2);
  for (const GateCase& gate : kGates) {
    const int64_t tokens = 4;
    const Array logits = random.array(f32({tokens, gate.experts}), -2, 2);
    const Array choice = expect_kernels_agree("route", {logits}, gate.attributes())[0];
    const Array dweights = random.array(f32({tokens, gate.chosen}));
    const Array got = expect_kernels_agree("route_backward", {logits, choice, dweights}, gate.attributes())[0];
    const std::vector<double> expected = numeric_gradient(values_of(logits), [&](const std::vector<double>& x) {
      double sum = 0;
      for (int64_t t = 0; t < tokens; ++t) {
        const auto begin = x.begin() + t * gate.experts;
        std::vector<size_t> chosen;
        for (int64_t j = 0; j < gate.chosen; ++j) {
          chosen.push_back(static_cast<size_t>(choice.as<int32_t>()[t * gate.chosen + j]));
        }
        const std::vector<double> weights = weights_of(gate, {begin, begin + gate.experts}, chosen);
        for (int64_t j = 0; j < gate.chosen; ++j) {
          sum += weights[static_cast<size_t>(j)] * dweights.at(t * gate.chosen + j);
        }
      }
      return sum;
    });
    expect_close(got, expected, 2e-6 * gate.scale, gate.name);
  }
}

// Tokens that go to some experts each; `empty`: numbers of experts that none goes to.
struct Grouping {
  Grouping(Random& random, int64_t tokens, int64_t chosen, int64_t experts, int64_t empty = 0)
      : choice(i32({tokens, chosen})) {
    for (int64_t t = 0; t < tokens; ++t) {
      std::set<int> some;
      while (static_cast<int64_t>(some.size()) < chosen) {
        some.insert(static_cast<int>(random.integer(static_cast<int>(empty), static_cast<int>(experts - 1))));
      }
      int64_t j = 0;
      for (const int e : some) choice.as<int32_t>()[t * chosen + j++] = e;
    }
    const std::vector<Array> grouped = expect_kernels_agree("group_rows", {choice}, {{"experts", experts}});
    order = grouped[0];
    places = grouped[1];
    begins = grouped[2];
  }
  int64_t rows() const { return choice.elements(); }
  int32_t expert_of(int64_t row) const { return choice.as<int32_t>()[order.as<int32_t>()[row]]; }

  Array choice;
  Array order = Array(i32({1})), places = order, begins = order;
};

TEST(GroupRows, SortsByExpertAndThenByToken) {
  Random random(3);
  const Grouping grouping(random, 50, 3, 9, 2);
  std::vector<int32_t> before;
  for (int64_t row = 0; row < grouping.rows(); ++row) {
    const int32_t pair = grouping.order.as<int32_t>()[row];
    EXPECT_EQ(grouping.places.as<int32_t>()[pair], row);
    const std::vector<int32_t> key = {grouping.expert_of(row), pair / 3};
    EXPECT_LT(before, key);
    before = key;
    EXPECT_GE(row, grouping.begins.as<int32_t>()[key[0]]);
    EXPECT_LT(row, grouping.begins.as<int32_t>()[key[0] + 1]);
  }
  EXPECT_EQ(grouping.begins.as<int32_t>()[2], 0);
  EXPECT_EQ(grouping.begins.as<int32_t>()[9], grouping.rows());
}

// Elements of a matrix of a stack, in f64.
double element(const Array& stack, int64_t expert, int64_t n, int64_t k) {
  const Shape& shape = stack.type().shape;
  return stack.at((expert * shape[1] + n) * shape[2] + k);
}

TEST(ExpertMatmul, IsEachRowTimesItsExpertsMatrix) {
  Random random(4);
  for (const int64_t tokens : {1, 3, 40}) {
    const int64_t experts = 7, chosen = 2, n = 35, depth = 50;
    const Grouping grouping(random, tokens, chosen, experts, tokens == 3 ? 5 : 0);
    for (const bool of_tokens : {true, false}) {
      for (const bool transpose : {true, false}) {
        const int64_t in = transpose ? depth : n, out = transpose ? n : depth;
        const Array x = random.array(f32({of_tokens ? tokens : grouping.rows(), in}));
        const Array stack = random.array(f32({experts, n, depth}));
        const Attributes attributes = {{"of_tokens", int64_t{of_tokens}}, {"transpose", int64_t{transpose}}};
        const Array got = expect_kernels_agree(
            "expert_matmul", {x, grouping.order, grouping.places, grouping.begins, stack}, attributes)[0];
        std::vector<double> expected;
        for (int64_t row = 0; row < grouping.rows(); ++row) {
          const int64_t from = of_tokens ? grouping.order.as<int32_t>()[row] / chosen : row;
          for (int64_t o = 0; o < out; ++o) {
            double sum = 0;
            for (int64_t i = 0; i < in; ++i) {
              sum +=
                  x.at(from * in + i) * element(stack, grouping.expert_of(row), transpose ? o : i, transpose ? i : o);
            }
            expected.push_back(sum);
          }
        }
        expect_close(got, expected, 2e-6, "y");
        for (const DType dtype : {DType::bf16, DType::f16}) {
          expect_kernels_agree(
              "expert_matmul",
              {random.array({dtype, x.type().shape}), grouping.order, grouping.places, grouping.begins, stack},
              attributes);
        }
      }
    }
  }
}

// Blocks have the bits of what they decode to: one token, all tokens to one expert, experts that none goes to.
TEST(ExpertMatmul, HasTheBitsOfTheDecodedStack) {
  Random random(8);
  const int64_t experts = 5, n = 128, depth = 256;
  for (const char* name : {"int4_g128", "uint4_g32", "int8_g32", "q4_0", "q8_0", "q4_k", "q6_k", "float8_b128"}) {
    const Weight stack = weight_of(name, {experts, n, depth}, random);
    for (const int64_t tokens : {1, 6}) {
      for (const int64_t chosen : {1, 2}) {
        const Grouping grouping(random, tokens, chosen, experts, chosen == 1 ? experts - 1 : 1);
        for (const bool transpose : {true, false}) {
          SCOPED_TRACE(fmt::format("{}, {} tokens to {}, transpose {}", name, tokens, chosen, transpose));
          const bool of_tokens = transpose;
          const Array x = random.array(f32({of_tokens ? tokens : grouping.rows(), transpose ? depth : n}));
          const Attributes attributes = {{"of_tokens", int64_t{of_tokens}}, {"transpose", int64_t{transpose}}};
          std::vector<Array> inputs = {x, grouping.order, grouping.places, grouping.begins, stack.decoded};
          const Array expected = run_kernel(Isa::reference, "expert_matmul", inputs, attributes)[0];
          inputs.back() = stack.blocks;
          expect_same_bits(expected, expect_kernels_agree("expert_matmul", inputs, attributes)[0], name);
        }
      }
    }
  }
}

// Experts of one row beside experts of four: no thread rounds what another is summing.
TEST(ExpertMatmul, KeepsExpertsOfDifferentFewRowsApart) {
  Random random(9);
  for (int turn = 0; turn < 6; ++turn) {
    const int64_t experts = 24, n = 320, depth = 96;
    const Grouping grouping(random, 28, 2, experts);
    for (const DType dtype : {DType::bf16, DType::f16}) {
      const Array stack = random.array({dtype, {experts, n, depth}});
      const Array x = random.array({dtype, {grouping.rows(), depth}});
      expect_kernels_agree("expert_matmul", {x, grouping.order, grouping.places, grouping.begins, stack},
                           {{"of_tokens", int64_t{0}}, {"transpose", int64_t{1}}});
    }
  }
}

// Writes the values into a tensor of `shape` from element `first` on.
void put(const Array& values, const Shape& shape, int64_t first, const BlockFormat* format, std::byte* tensor,
         DType dtype) {
  if (format == nullptr) {
    convert_elements(DType::f32, values.as<float>(), dtype, tensor + first * size_of(dtype), values.elements());
  } else {
    format->encode(shape, first, {values.as<float>(), static_cast<size_t>(values.elements())}, tensor, {});
  }
}

// Rows in a slot, in any order, have the bits of rows in a stack, in any format.
TEST(SlotMatmul, HasTheBitsOfExpertMatmul) {
  Random random(5);
  const int64_t experts = 5, tokens = 6, chosen = 2, n = 32, depth = 128;
  const Grouping grouping(random, tokens, chosen, experts);
  for (const char* name : {"f32", "bf16", "int4_g32", "uint4_g128", "int8_g128"}) {
    const BlockFormat* format = find_block_format(name);
    const DType dtype = format != nullptr ? format->dtype() : parse_dtype(name, "format");
    const Type matrix = {dtype, {n, depth}};
    const Array stack({dtype, {experts, n, depth}});
    const Array x = random.array(f32({tokens, depth}));
    const int64_t record = kPageBytes + round_up(matrix.bytes(), kPageBytes);
    const Array slots({DType::u8, {experts + 2, record}});
    const Array table(i32({experts}));
    for (int32_t e = 0; e < experts; ++e) {
      const auto slot = static_cast<int32_t>(experts + 1 - e);
      table.as<int32_t>()[e] = slot;
      const Array values = random.array(f32({n, depth}));
      put(values, matrix.shape, 0, format, slots.as<std::byte>() + slot * record + kPageBytes, dtype);
      put(values, stack.type().shape, e * n * depth, format, stack.as<std::byte>(), dtype);
    }
    const Array expected =
        expect_kernels_agree("expert_matmul", {x, grouping.order, grouping.places, grouping.begins, stack},
                             {{"of_tokens", int64_t{1}}, {"transpose", int64_t{1}}})[0];
    const Array got =
        expect_kernels_agree("slot_matmul", {x, grouping.order, grouping.places, grouping.begins, slots, table},
                             {{"of_tokens", int64_t{1}},
                              {"offset", kPageBytes},
                              {"format", static_cast<int64_t>(dtype)},
                              {"matrix_rows", n},
                              {"matrix_columns", depth}})[0];
    for (int64_t i = 0; i < got.elements(); ++i) ASSERT_EQ(got.at(i), expected.at(i)) << name;
  }
}

TEST(ExpertMatmulGradient, IsOneChainOverTheRowsOfEachExpertHoweverTheyAreCut) {
  Random random(6);
  const int64_t experts = 6, tokens = 30, chosen = 2, n = 20, depth = 33;
  for (const bool of_tokens : {true, false}) {
    const Attributes attributes = {{"of_tokens", int64_t{of_tokens}}};
    const Grouping grouping(random, tokens, chosen, experts, 1);
    const Array x = random.array(f32({of_tokens ? tokens : grouping.rows(), depth}));
    const Array dy = random.array(f32({grouping.rows(), n}));
    const std::vector<Array> inputs = {x, grouping.order, grouping.places, grouping.begins, dy};
    const Array got = expect_kernels_agree("expert_matmul_gradient", inputs, attributes)[0];
    std::vector<double> expected(static_cast<size_t>(experts * n * depth));
    for (int64_t row = 0; row < grouping.rows(); ++row) {
      const int64_t from = of_tokens ? grouping.order.as<int32_t>()[row] / chosen : row;
      for (int64_t i = 0; i < n * depth; ++i) {
        expected[static_cast<size_t>(grouping.expert_of(row) * n * depth + i)] +=
            dy.at(row * n + i / depth) * x.at(from * depth + i % depth);
      }
    }
    expect_close(got, expected, 3e-6, "gradient");
    std::vector<Array> in_sixteen_bits = inputs;
    in_sixteen_bits[0] = random.array({DType::bf16, x.type().shape});
    in_sixteen_bits[4] = random.array({DType::bf16, dy.type().shape});
    expect_kernels_agree("expert_matmul_gradient", in_sixteen_bits, attributes);

    // The same once more, on top of that.
    std::vector<Array> going_on = inputs;
    going_on.push_back(got);
    const Array twice = expect_kernels_agree("expert_matmul_gradient", going_on, attributes)[0];
    std::vector<double> doubled;
    for (const double value : expected) doubled.push_back(2 * value);
    expect_close(twice, doubled, 3e-6, "sum");
  }
}

TEST(CombineRows, AddsATokensRowsAndItsBackwardMatchesTheDerivatives) {
  Random random(7);
  for (const int64_t features : {1, 16, 700}) {
    const int64_t tokens = 9, chosen = 3;
    const Grouping grouping(random, tokens, chosen, 8);
    const Array y = random.array(f32({grouping.rows(), features}));
    const Array weights = random.array(f32({tokens, chosen}));
    const Array dout = random.array(f32({tokens, features}));
    const auto combine = [&](bool weighted) {
      std::vector<double> sums(static_cast<size_t>(tokens * features));
      for (int64_t pair = 0; pair < tokens * chosen; ++pair) {
        for (int64_t f = 0; f < features; ++f) {
          sums[static_cast<size_t>(pair / chosen * features + f)] +=
              (weighted ? weights.at(pair) : 1) * y.at(grouping.places.as<int32_t>()[pair] * features + f);
        }
      }
      return sums;
    };
    expect_close(expect_kernels_agree("combine_rows", {y, grouping.places, weights})[0], combine(true), 1e-6, "out");
    expect_close(expect_kernels_agree("combine_rows", {y, grouping.places})[0], combine(false), 1e-6, "sums");
    expect_kernels_agree("combine_rows", {random.array({DType::bf16, y.type().shape}), grouping.places, weights});
    const std::vector<Array> back = expect_kernels_agree("combine_rows_backward", {y, grouping.places, weights, dout});
    for (int64_t pair = 0; pair < tokens * chosen; ++pair) {
      double sum = 0;
      for (int64_t f = 0; f < features; ++f) {
        const int64_t at = grouping.places.as<int32_t>()[pair] * features + f;
        sum += dout.at(pair / chosen * features + f) * y.at(at);
        ASSERT_NEAR(back[0].at(at), weights.at(pair) * dout.at(pair / chosen * features + f), 1e-6);
      }
      ASSERT_NEAR(back[1].at(pair), sum, 2e-5);
    }
  }
}

}  // namespace
}  // namespace headroom::testing
