// The balance loss of a gate against its formula in f64, sequence by sequence, and its derivatives.
#include "headroom/backend/route_rows.h"
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

constexpr double kAlpha = 0.5;
constexpr int64_t kChosen = 3;

Attributes balance_of(bool sigmoid) { return {{"scoring", int64_t{sigmoid}}, {"alpha", kAlpha}}; }

// Tokens 1 to 6 and 8 to 16; the others are in no sequence, and one sequence has no token.
Array some_sequences() { return array_of(i32({3, 4}), std::vector<double>{8, 9, 8, 0, 0, 0, 0, 0, 1, 6, 1, 0}); }

// alpha * sum_e f[e] P[e], of a sequence, times its tokens; summed over the sequences.
double balance_of_all(const std::vector<double>& logits, const Array& choice, const Array& sequences, bool sigmoid) {
  const size_t chosen = static_cast<size_t>(choice.type().shape[1]);
  const size_t experts = logits.size() / static_cast<size_t>(choice.type().shape[0]);
  double total = 0;
  for (int64_t s = 0; s < sequences.type().shape[0]; ++s) {
    const auto first = static_cast<size_t>(sequences.at(s * 4)), count = static_cast<size_t>(sequences.at(s * 4 + 1));
    std::vector<double> counts(experts), means(experts);
    for (size_t t = first; t < first + count; ++t) {
      std::vector<double> scores;
      double sum = 0;
      for (size_t e = 0; e < experts; ++e) {
        const double logit = logits[t * experts + e];
        scores.push_back(sigmoid ? 1 / (1 + std::exp(-logit)) : std::exp(logit));
        sum += scores.back();
      }
      for (size_t e = 0; e < experts; ++e) means[e] += scores[e] / sum / static_cast<double>(count);
      for (size_t j = 0; j < chosen; ++j)
        counts[static_cast<size_t>(choice.at(static_cast<int64_t>(t * chosen + j)))] += 1;
    }
    for (size_t e = 0; e < experts && count > 0; ++e) {
      const double f = static_cast<double>(experts) / static_cast<double>(chosen * count) * counts[e];
      total += static_cast<double>(count) * kAlpha * f * means[e];
    }
  }
  return total;
}

Array random_choice(Random& random, int64_t tokens, int64_t experts) {
  const Array choice(i32({tokens, kChosen}));
  for (int64_t t = 0; t < tokens; ++t) {
    const int64_t first = random.integer(0, experts - kChosen);
    for (int64_t j = 0; j < kChosen; ++j) choice.set(t * kChosen + j, static_cast<double>(first + j));
  }
  return choice;
}

TEST(BalanceLosses, AddUpToTheFormulaOfEachSequence) {
  Random random(1);
  for (const bool sigmoid : {false, true}) {
    for (const int64_t experts : {5, 37}) {
      const Array logits = random.array(f32({18, experts}), -3, 3);
      const Array choice = random_choice(random, 18, experts);
      const Array sequences = some_sequences();
      const Array got = expect_kernels_agree("balance_losses", {logits, choice, sequences}, balance_of(sigmoid))[0];
      double sum = 0;
      for (const int64_t outside : {0, 7, 17}) EXPECT_EQ(got.at(outside), 0.0);
      for (int64_t t = 0; t < 18; ++t) sum += got.at(t);
      EXPECT_NEAR(sum, balance_of_all(values_of(logits), choice, sequences, sigmoid), 1e-5);
    }
  }
}

// Where all experts are chosen as often, the loss is alpha whatever the scores are: no gradient is left.
TEST(BalanceLosses, AreAlphaWhereExpertsAreChosenEquallyOften) {
  Random random(2);
  const Array logits = random.array(f32({4, 6}), -3, 3);
  const Array choice = array_of(i32({4, 3}), std::vector<double>{0, 1, 2, 3, 4, 5, 0, 2, 4, 1, 3, 5});
  const Array sequences = array_of(i32({1, 4}), std::vector<double>{0, 4, 0, 0});
  const Array losses = expect_kernels_agree("balance_losses", {logits, choice, sequences}, balance_of(true))[0];
  for (int64_t t = 0; t < 4; ++t) EXPECT_NEAR(losses.at(t), kAlpha, 1e-6);
  const Array scale = array_of(f32({1}), std::vector<double>{1.0});
  const Array gradient =
      expect_kernels_agree("balance_losses_backward", {logits, choice, sequences, scale}, balance_of(true))[0];
  expect_close(gradient, std::vector<double>(24, 0.0), 1e-7, "dlogits");
}

TEST(BalanceLosses, BackwardMatchesTheDerivatives) {
  Random random(3);
  for (const bool sigmoid : {false, true}) {
    const Array logits = random.array(f32({18, 19}), -2, 2);
    const Array choice = random_choice(random, 18, 19);
    const Array sequences = some_sequences();
    const Array scale = array_of(f32({1}), std::vector<double>{0.75});
    const Array got =
        expect_kernels_agree("balance_losses_backward", {logits, choice, sequences, scale}, balance_of(sigmoid))[0];
    const std::vector<double> expected = numeric_gradient(values_of(logits), [&](const std::vector<double>& x) {
      return 0.75 * balance_of_all(x, choice, sequences, sigmoid);
    });
    expect_close(got, expected, 1e-6, sigmoid ? "sigmoid" : "softmax");
  }
}

TEST(BalanceLosses, ShowNaN) {
  const Array logits = Random(4).array(f32({2, 5}));
  logits.set(7, std::nan(""));
  const Array choice = array_of(i32({2, 1}), std::vector<double>{0, 4});
  const Array sequences = array_of(i32({1, 4}), std::vector<double>{0, 2, 0, 0});
  const Array got = expect_kernels_agree("balance_losses", {logits, choice, sequences}, balance_of(false))[0];
  EXPECT_FALSE(std::isnan(got.at(0)));
  EXPECT_TRUE(std::isnan(got.at(1)));
}

}  // namespace
}  // namespace headroom::testing
