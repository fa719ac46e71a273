// The loss head: kernels equal the reference bit for bit, the reference equals a brute-force f64 computation to f32's
// accuracy, and the scratch is bounded.
#include <array>
#include <cmath>

#include "headroom/backend/isa.h"
#include "headroom/backend/vocabulary_tiles.h"
#include "tests/backend/kernel_runner.h"

namespace headroom::testing {
namespace {

struct Head {
  Array x, w, targets;
  int64_t tokens() const { return x.type().shape[0]; }
  int64_t features() const { return x.type().shape[1]; }
  int64_t vocabulary() const { return w.type().shape[0]; }
};

Head random_head(Random& random, int64_t tokens, int64_t features, int64_t vocabulary, DType dtype = DType::f32) {
  Head head{random.array(f32({tokens, features}), -2, 2), random.array({dtype, {vocabulary, features}}, -2, 2),
            random.integers(i32({tokens}), 0, vocabulary - 1)};
  head.targets.set(0, -1);                                            // ignored
  head.targets.set(tokens - 1, static_cast<double>(vocabulary - 1));  // the last column
  return head;
}

struct Exact {
  std::vector<double> loss, lse, dw, dx;
};

Exact exact(const Head& head, double scale) {
  const int64_t tokens = head.tokens(), features = head.features(), vocabulary = head.vocabulary();
  Exact result;
  result.dw.assign(static_cast<size_t>(vocabulary * features), 0.0);
  result.dx.assign(static_cast<size_t>(tokens * features), 0.0);
  for (int64_t t = 0; t < tokens; ++t) {
    std::vector<double> logits(static_cast<size_t>(vocabulary));
    double sum = 0;
    for (int64_t v = 0; v < vocabulary; ++v) {
      double& logit = logits[static_cast<size_t>(v)];
      for (int64_t f = 0; f < features; ++f) logit += head.x.at(t * features + f) * head.w.at(v * features + f);
      sum += std::exp(logit);
    }
    const double lse = std::log(sum);
    const int64_t target = static_cast<int64_t>(head.targets.at(t));
    result.lse.push_back(lse);
    result.loss.push_back(target < 0 ? 0.0 : lse - logits[static_cast<size_t>(target)]);
    for (int64_t v = 0; v < vocabulary && target >= 0; ++v) {
      const double d = (std::exp(logits[static_cast<size_t>(v)] - lse) - (v == target ? 1 : 0)) * scale;
      for (int64_t f = 0; f < features; ++f) {
        result.dw[static_cast<size_t>(v * features + f)] += d * head.x.at(t * features + f);
        result.dx[static_cast<size_t>(t * features + f)] += d * head.w.at(v * features + f);
      }
    }
  }
  return result;
}

void expect_near(const std::vector<double>& expected, const Array& got, double tolerance) {
  ASSERT_EQ(static_cast<int64_t>(expected.size()), got.elements());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(got.at(static_cast<int64_t>(i)), expected[i], tolerance) << "element " << i;
  }
}

TEST(LinearCrossEntropy, ReferenceIsTheCrossEntropyAndItsGradient) {
  Random random(1);
  const Head head = random_head(random, 6, 12, kVocabularyTile + 100);
  const Array scale = array_of(f32({1}), std::vector<double>{0.25});
  const std::vector<Array> forward = run_kernel(Isa::reference, "linear_cross_entropy", {head.x, head.w, head.targets});
  const std::vector<Array> backward =
      run_kernel(Isa::reference, "linear_cross_entropy_backward", {head.x, head.w, head.targets, forward[1], scale});
  const Exact oracle = exact(head, 0.25);
  expect_near(oracle.loss, forward[0], 2e-5);
  expect_near(oracle.lse, forward[1], 2e-5);
  expect_near(oracle.dw, backward[0], 1e-5);
  expect_near(oracle.dx, backward[1], 1e-5);
}

TEST(LinearCrossEntropy, KernelsAgree) {
  Random random(2);
  struct Case {
    int64_t tokens, features, vocabulary;
    DType dtype;
  };
  for (const Case& shape : {Case{1, 1, 1, DType::f32}, Case{7, 13, 37, DType::f32}, Case{3, 8, 4096, DType::bf16},
                            Case{5, 9, 4113, DType::f16}, Case{2, 5, 8200, DType::f32}}) {
    SCOPED_TRACE(fmt::format("{} x {} x {}", shape.tokens, shape.features, shape.vocabulary));
    const Head head = random_head(random, shape.tokens, shape.features, shape.vocabulary, shape.dtype);
    const Array lse = expect_kernels_agree("linear_cross_entropy", {head.x, head.w, head.targets})[1];
    std::vector<Array> inputs = {head.x, head.w, head.targets, lse, array_of(f32({1}), std::vector<double>{0.3})};
    expect_kernels_agree("linear_cross_entropy_backward", inputs);
    inputs.push_back(random.array(f32({shape.vocabulary, shape.features})));
    expect_kernels_agree("linear_cross_entropy_backward", inputs);
  }
}

TEST(LinearCrossEntropy, KernelsAgreeBeyondOneBlockOfTokens) {
  Random random(3);
  const Head head = random_head(random, kTokenBlock + 9, 3, 40);
  const Array lse = expect_kernels_agree("linear_cross_entropy", {head.x, head.w, head.targets})[1];
  expect_kernels_agree("linear_cross_entropy_backward",
                       {head.x, head.w, head.targets, lse, array_of(f32({1}), std::vector<double>{0.3})});
}

// x, its gradient and the gradients of logits in 16 bits; the weight in f32 or as x.
TEST(LinearCrossEntropy, KernelsAgreeInSixteenBits) {
  Random random(7);
  for (const DType dtype : {DType::bf16, DType::f16}) {
    for (const auto& [tokens, features, vocabulary] :
         {std::array<int64_t, 3>{1, 1, 1}, {7, 13, 37}, {6, 9, 4113}, {kTokenBlock + 10, 4, 41}}) {
      SCOPED_TRACE(fmt::format("{}: {} x {} x {}", name_of(dtype), tokens, features, vocabulary));
      Head head = random_head(random, tokens, features, vocabulary, tokens % 2 == 0 ? dtype : DType::f32);
      head.x = in_format(head.x, dtype);
      const Array scale = array_of(f32({1}), std::vector<double>{0.3});
      const std::vector<Array> forward = expect_kernels_agree("linear_cross_entropy", {head.x, head.w, head.targets});
      std::vector<Array> inputs = {head.x, head.w, head.targets, forward[1], scale};
      if (tokens == 7) inputs.push_back(random.array(f32({vocabulary, features})));
      const std::vector<Array> apart = expect_kernels_agree("linear_cross_entropy_backward", inputs);
      inputs.erase(inputs.begin() + 3);
      const std::vector<Array> at_once = expect_kernels_agree("linear_cross_entropy_with_gradients", inputs);
      expect_same_bits(apart[0], at_once[0], "dw");
      expect_same_bits(apart[1], at_once[1], "dx");
      expect_same_bits(forward[0], at_once[2], "loss");
      EXPECT_EQ(apart[1].type().dtype, dtype);
    }
  }
}

// Rows [first, first + rows) of a matrix.
Array rows_of(const Array& matrix, int64_t first, int64_t rows) {
  const Type type{matrix.type().dtype, {rows, matrix.type().shape[1]}};
  const Array part(type);
  const int64_t row_bytes = type.bytes() / rows;
  std::memcpy(part.as<std::byte>(), matrix.as<std::byte>() + first * row_bytes, static_cast<size_t>(type.bytes()));
  return part;
}

TEST(LinearCrossEntropy, PanelByPanelItIsTheSame) {
  Random random(8);
  const int64_t vocabulary = 2 * kVocabularyTile + 77;
  for (const int64_t tokens : {int64_t{5}, kTokenBlock + 3}) {
    for (const int64_t rows : {kVocabularyTile, 2 * kVocabularyTile}) {
      if (tokens > 5 && rows > kVocabularyTile) continue;  // sanitizers take minutes for each
      const Head head = random_head(random, tokens, 6, vocabulary, rows == kVocabularyTile ? DType::f32 : DType::bf16);
      head.targets.set(1, static_cast<double>(vocabulary));  // ignored, and in no panel
      const std::vector<Array> whole =
          run_kernel(Isa::reference, "linear_cross_entropy", {head.x, head.w, head.targets});
      std::vector<Array> left;
      for (int64_t first = 0; first < vocabulary; first += rows) {
        const Array panel = rows_of(head.w, first, std::min(rows, vocabulary - first));
        std::vector<Array> inputs = {head.x, panel, head.targets};
        inputs.insert(inputs.end(), left.begin(), left.end());
        left = expect_kernels_agree("linear_cross_entropy_panel", inputs, {{"first_row", first}});
      }
      const std::vector<Array> joined =
          expect_kernels_agree("linear_cross_entropy_of_panels", {left[0], head.targets}, {{"vocabulary", vocabulary}});
      expect_same_bits(whole[0], joined[0], "loss");
      expect_same_bits(whole[1], joined[1], "lse");
    }
  }
}

TEST(LinearCrossEntropy, TargetsOutsideTheVocabularyAreIgnored) {
  Random random(4);
  Head head = random_head(random, 4, 5, 9);
  for (const int32_t target : {-1, 9, INT32_MAX, INT32_MIN}) {
    head.targets.set(1, target);
    const std::vector<Array> forward = expect_kernels_agree("linear_cross_entropy", {head.x, head.w, head.targets});
    EXPECT_EQ(forward[0].at(1), 0.0);
    const Array dx =
        expect_kernels_agree("linear_cross_entropy_backward",
                             {head.x, head.w, head.targets, forward[1], array_of(f32({1}), std::vector<double>{1})})[1];
    for (int64_t f = 0; f < 5; ++f) EXPECT_EQ(dx.at(5 + f), 0.0);
  }
}

// In one sweep, over one and several blocks of tokens, and from a sum: the bits of the two ops one after the other.
TEST(LinearCrossEntropy, WithGradientsIsForwardAndBackward) {
  Random random(5);
  const int64_t several_blocks = 2 * kTokenBlock + 9;
  for (const auto& [tokens, features, vocabulary] :
       {std::array<int64_t, 3>{1, 1, 1}, {7, 13, 37}, {5, 9, 4113}, {3, 5, 8200}, {several_blocks, 3, 40}}) {
    SCOPED_TRACE(fmt::format("{} x {} x {}", tokens, features, vocabulary));
    const Head head = random_head(random, tokens, features, vocabulary);
    const Array scale = array_of(f32({1}), std::vector<double>{0.3});
    const Array sum = random.array(f32({vocabulary, features}));
    const std::vector<Array> forward =
        run_kernel(Isa::reference, "linear_cross_entropy", {head.x, head.w, head.targets});
    std::vector<Array> apart = {head.x, head.w, head.targets, forward[1], scale};
    std::vector<Array> at_once = {head.x, head.w, head.targets, scale};
    for (const bool continues : {false, true}) {
      if (continues) apart.push_back(sum);
      if (continues) at_once.push_back(sum);
      const std::vector<Array> backward = run_kernel(Isa::reference, "linear_cross_entropy_backward", apart);
      const std::vector<Array> got = expect_kernels_agree("linear_cross_entropy_with_gradients", at_once);
      expect_same_bits(backward[0], got[0], "dw");
      expect_same_bits(backward[1], got[1], "dx");
      expect_same_bits(forward[0], got[2], "loss");
    }
  }
}

// A frozen weight: the same dx and loss, and nothing else.
TEST(LinearCrossEntropy, FrozenWeightHasNoGradient) {
  Random random(6);
  const Attributes frozen = {{"frozen", int64_t{1}}};
  for (const DType dtype : {DType::f32, DType::bf16}) {
    const Head head = dtype == DType::f32 ? random_head(random, kTokenBlock + 9, 3, 40, dtype)
                                          : random_head(random, 7, 13, 4113, dtype);
    const Array scale = array_of(f32({1}), std::vector<double>{0.3});
    const std::vector<Array> forward = run_kernel(Isa::avx2, "linear_cross_entropy", {head.x, head.w, head.targets});
    const std::vector<Array> apart = {head.x, head.w, head.targets, forward[1], scale};
    const std::vector<Array> at_once = {head.x, head.w, head.targets, scale};
    const std::vector<Array> trained = run_kernel(Isa::avx2, "linear_cross_entropy_backward", apart);
    const std::vector<Array> backward = expect_kernels_agree("linear_cross_entropy_backward", apart, frozen);
    ASSERT_EQ(backward.size(), 1u);
    expect_same_bits(trained[1], backward[0], "dx");
    const std::vector<Array> both = expect_kernels_agree("linear_cross_entropy_with_gradients", at_once, frozen);
    ASSERT_EQ(both.size(), 2u);
    expect_same_bits(trained[1], both[0], "dx");
    expect_same_bits(forward[0], both[1], "loss");
  }
}

// The promise of the loss head: 4096 tokens by 129280 words in 64 MiB, packing included.
TEST(LinearCrossEntropy, ScratchIsBounded) {
  const std::vector<Type> forward = {f32({4096, 4096}), f32({129280, 4096}), i32({4096})};
  const std::vector<Type> backward = {forward[0], forward[1], forward[2], f32({4096}), f32({1})};
  const std::vector<Type> at_once = {forward[0], forward[1], forward[2], f32({1})};
  const Attributes none;
  const auto scratch = [&](std::string_view name, const std::vector<Type>& inputs, int threads) {
    const std::vector<Type> outputs = find_op(name)->output_types(inputs, none);
    return cpu_backend(Isa::reference).scratch_bytes(name, {inputs, outputs, none}, threads);
  };
  for (const int threads : {1, 2, 64}) {
    EXPECT_LE(scratch("linear_cross_entropy", forward, threads), 64 * kMiB) << threads;
    EXPECT_LE(scratch("linear_cross_entropy_backward", backward, threads), 64 * kMiB) << threads;
    EXPECT_LE(scratch("linear_cross_entropy_with_gradients", at_once, threads) - product_scratch_bytes(threads),
              kLogitsBlockBytes);
  }
}

TEST(LinearCrossEntropy, WrongOperandsAreRefused) {
  const Op* op = find_op("linear_cross_entropy");
  const std::vector<Type> features = {f32({4, 8}), f32({10, 7}), i32({4})};
  EXPECT_THROW(op->output_types(features, {}), InvalidInput);
  const std::vector<Type> targets = {f32({4, 8}), f32({10, 8}), i32({5})};
  EXPECT_THROW(op->output_types(targets, {}), InvalidInput);
  const std::vector<Type> empty = {f32({4, 8}), f32({0, 8}), i32({4})};
  EXPECT_THROW(op->output_types(empty, {}), InvalidInput);
  const Op* panel = find_op("linear_cross_entropy_panel");
  const std::vector<Type> first = {f32({4, 8}), f32({10, 8}), i32({4})};
  EXPECT_EQ(panel->output_types(first, {{"first_row", int64_t{0}}})[0], f32({3, 4}));
  EXPECT_THROW(panel->output_types(first, {{"first_row", kVocabularyTile}}), InvalidInput);
  const std::vector<Type> next = {first[0], first[1], first[2], f32({3, 4})};
  EXPECT_THROW(panel->output_types(next, {{"first_row", int64_t{4095}}}), InvalidInput);
}

}  // namespace
}  // namespace headroom::testing
