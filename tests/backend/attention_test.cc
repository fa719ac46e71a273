// Attention, against softmax written out in f64, and against itself: whatever rows are computed together, a row has the
// same bits.
#include "tests/backend/attention_cases.h"

namespace headroom::testing {
namespace {

TEST(Attention, MatchesSoftmaxInF64) {
  for (const AttentionCase& c : kAttentionCases) {
    const AttentionOperands x(c);  // rounded, where the cache is: the formula gets the rounded numbers
    const std::vector<Array> got = expect_kernels_agree("attention", x.inputs(), x.attributes());
    const F64Attention expected = attention_in_f64(x, values_of(x.q), values_of(x.k), values_of(x.v));
    const double tolerance = 3e-6 * c.magnitude;  // scores are wrong by their own rounding
    expect_close(got[0], expected.out, tolerance, c.name);
    expect_close(got[1], expected.lse, tolerance, c.name);
  }
}

TEST(Attention, ClearsRowsInNoSequence) {
  AttentionOperands x(
      {.name = "gap", .sequences = {{1, 3, 0, 0}, {6, 0, 0, 5}, {6, 2, 5, 1}}, .queries = 9, .keys = 9});
  const std::vector<Array> got = expect_kernels_agree("attention", x.inputs(), x.attributes());
  for (const int64_t row : {0, 4, 5, 8}) {
    for (int64_t i = 0; i < x.q_width(); ++i) EXPECT_EQ(got[0].at(row * x.q_width() + i), 0);
    for (int64_t head = 0; head < x.c.heads; ++head) EXPECT_EQ(got[1].at(row * x.c.heads + head), 0);
  }
}

TEST(Attention, NeverReadsMaskedKeys) {
  AttentionOperands x({.name = "masked", .sequences = {{0, 70, 0, 10}}, .queries = 70, .keys = 100});
  const std::vector<Array> clean = run_kernel(Isa::reference, "attention", x.inputs(), x.attributes());
  for (int64_t i = 80 * x.k_width(); i < 100 * x.k_width(); ++i) x.k.set(i, NAN), x.v.set(i, NAN);
  for (int64_t i = 79 * x.k_width(); i < 80 * x.k_width(); ++i) x.v.set(i, INFINITY);  // seen by the last row only
  const std::vector<Array> got = expect_kernels_agree("attention", x.inputs(), x.attributes());
  for (int64_t i = 0; i < 69 * x.q_width(); ++i) ASSERT_TRUE(is_same_at(clean[0], got[0], i)) << i;
  EXPECT_EQ(got[0].at(69 * x.q_width()), INFINITY);
}

TEST(Attention, PassesNaNOn) {
  AttentionOperands x({.name = "NaN", .sequences = {{0, 90, 0, 0}}, .queries = 90, .keys = 90});
  x.k.set(70 * x.k_width() + 3, NAN);
  const std::vector<Array> got = expect_kernels_agree("attention", x.inputs(), x.attributes());
  EXPECT_FALSE(std::isnan(got[0].at(69 * x.q_width())));
  EXPECT_TRUE(std::isnan(got[0].at(70 * x.q_width())));
}

// Prefill in chunks, and decode, against a key buffer that is longer than the whole and starts elsewhere.
TEST(Attention, ChunksHaveTheBitsOfTheWhole) {
  const int64_t length = 1200;
  AttentionOperands whole({.name = "whole",
                           .sequences = {{0, static_cast<int>(length), 0, 0}},
                           .queries = length,
                           .keys = length,
                           .heads = 2,
                           .kv_heads = 1,
                           .head_size = 32});
  const std::vector<Array> expected = run_kernel(Isa::reference, "attention", whole.inputs(), whole.attributes());
  const int64_t shift = 5, capacity = 1300;
  Array k(f32({capacity, whole.k_width()})), v(f32({capacity, whole.k_width()}));  // garbage where nothing is copied
  std::copy_n(whole.k.as<float>(), whole.k.elements(), k.as<float>() + shift * whole.k_width());
  std::copy_n(whole.v.as<float>(), whole.v.elements(), v.as<float>() + shift * whole.k_width());
  for (const int64_t chunk : {1, 7, 64, 500}) {
    for (int64_t first = chunk < 64 ? length - 190 : 0; first < length; first += chunk) {
      const int64_t count = std::min(chunk, length - first);
      Array q(f32({count, whole.q_width()}));
      std::copy_n(whole.q.as<float>() + first * whole.q_width(), q.elements(), q.as<float>());
      const Array sequences = array_of(i32({1, 4}), std::vector<int64_t>{0, count, shift, first});
      const Isa isa = first % 2 == 0 && is_supported(Isa::avx512) ? Isa::avx512 : Isa::avx2;
      if (!is_supported(isa)) continue;
      const int threads = 1 + static_cast<int>(first % 3);
      const std::vector<Array> got = run_kernel(isa, "attention", {q, k, v, sequences}, whole.attributes(), threads);
      for (int64_t i = 0; i < q.elements(); ++i) {
        ASSERT_EQ(got[0].as<float>()[i], expected[0].as<float>()[first * whole.q_width() + i]) << chunk << " " << first;
      }
      for (int64_t i = 0; i < got[1].elements(); ++i) {
        ASSERT_EQ(got[1].as<float>()[i], expected[1].as<float>()[first * whole.c.heads + i]) << chunk << " " << first;
      }
    }
  }
}

TEST(Attention, AgreesOnRandomShapes) {
  Random random(7);
  for (int i = 0; i < 20; ++i) {
    AttentionCase c = random_attention_case(random, 170, 1200);
    c.kv_dtype = std::array{DType::f32, DType::bf16, DType::f16}[static_cast<size_t>(i % 3)];
    AttentionOperands x(c);
    spoil(random, {x.q, x.k, x.v});
    expect_reference_bits(random, "attention", x.inputs(), x.attributes(), fmt::format("case {}", i));
  }
}

// A cache in 8 or 4 bits gives the bits of its decoded numbers in f32, wherever its sequences begin.
TEST(Attention, ReadsACacheAsItsNumbersInF32) {
  const AttentionCase cases[] = {
      {"decode", {{0, 1, 0, 2100}}, 1, 2101, 2, 2, 128},
      {"decode of a group", {{0, 1, 16, 700}}, 1, 720, 8, 2, 64},
      {"many heads to one", {{0, 1, 0, 300}}, 1, 301, 21, 1, 32},
      {"decode of three groups", {{0, 2, 0, 200}}, 2, 210, 6, 2, 96},
      {"decode off a panel", {{0, 1, 5, 700}}, 1, 710, 4, 2, 64},
      {"decode of small groups", {{0, 1, 0, 150}}, 1, 160, 4, 2, 40},
      {"prefill", {{0, 80, 0, 100}}, 80, 180, 2, 1, 64},
      {"prefill off a panel", {{0, 70, 3, 0}}, 70, 80, 2, 1, 32},
      {"prefill of small groups", {{0, 90, 0, 7}}, 90, 100, 2, 1, 8},
      {"several sequences", {{0, 1, 0, 70}, {1, 1, 96, 1100}, {2, 1, 1248, 3}}, 3, 1260, 4, 2, 128},
      {"head of 256", {{0, 1, 0, 127}}, 1, 128, 2, 1, 256},
  };
  Random random(11);
  for (const AttentionCase& c : cases) {
    for (const CacheKind kind : {CacheKind::f32, CacheKind::bf16, CacheKind::f16, CacheKind::q8, CacheKind::q4}) {
      const CacheTypes types = cache_types(kind, c.head_size);
      if (as_cache_format(types.keys) == nullptr) continue;  // in rows, of heads that are no whole groups
      AttentionOperands x(c);
      spoil(random, {x.q, x.k, x.v});
      const CachedRows k(x.k, types.keys), v(x.v, types.values);
      const std::vector<Array> expected =
          run_kernel(Isa::reference, "attention", {x.q, k.decoded, v.decoded, x.sequences}, x.attributes());
      const std::vector<Array> got =
          expect_kernels_agree("attention", {x.q, k.cache, v.cache, x.sequences}, x.attributes());
      for (size_t i = 0; i < got.size(); ++i) {
        expect_same_bits(expected[i], got[i], fmt::format("{}, {}", c.name, name_of(kind)));
      }
    }
  }
}

TEST(Attention, AgreesOnRandomCaches) {
  Random random(12);
  for (int i = 0; i < 20; ++i) {
    AttentionCase c = random_attention_case(random, 100, 1200);
    c.head_size = std::array{32, 64, 8, 24}[static_cast<size_t>(i % 4)];
    AttentionOperands x(c);
    spoil(random, {x.q, x.k, x.v});
    const CacheKind kind = std::array{CacheKind::q8, CacheKind::q4, CacheKind::bf16, CacheKind::f32,
                                      CacheKind::f16}[static_cast<size_t>(i % 5)];
    const CacheTypes types = cache_types(kind, c.head_size);
    if (as_cache_format(types.keys) == nullptr) continue;
    const CachedRows k(x.k, types.keys), v(x.v, types.values);
    expect_reference_bits(random, "attention", {x.q, k.cache, v.cache, x.sequences}, x.attributes(),
                          fmt::format("case {}", i));
  }
}

// What keeps long contexts cheap: scratch depends on the threads and the size of a head, not on the length.
TEST(Attention, ScratchDoesNotGrowWithTheLength) {
  const auto scratch = [](int64_t length, int64_t head_size, int threads) {
    const Type rows = f32({length, head_size});
    const std::vector<Type> inputs = {rows, rows, rows, i32({1, 4})};
    const Attributes attributes = {{"heads", int64_t{1}}, {"kv_heads", int64_t{1}}, {"scale", 0.25}};
    return cpu_backend(Isa::reference).scratch_bytes("attention", {inputs, {}, attributes}, threads);
  };
  EXPECT_EQ(scratch(16, 64, 1), scratch(1 << 20, 64, 1));
  EXPECT_EQ(scratch(16, 64, 3), 3 * scratch(16, 64, 1));
  EXPECT_LT(scratch(16, 256, 1), 1 << 20);
}

}  // namespace
}  // namespace headroom::testing
