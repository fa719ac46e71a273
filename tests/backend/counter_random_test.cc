// Philox against the known answers of Random123, words as a function of (seed, step, site, element), and stochastic
// rounding: exact where it must be, unbiased elsewhere, the same bits on every instruction set.
#include "headroom/backend/counter_random.h"

#include <bit>
#include <cmath>
#include <set>

#include "headroom/backend/reference/scalar.h"
#include "tests/backend/kernel_runner.h"

namespace headroom::testing {
namespace {

std::vector<uint32_t> philox_of(std::vector<uint32_t> counter, uint32_t key0, uint32_t key1) {
  using reference::I32;
  const auto lane = [&](size_t i) { return I32(static_cast<int32_t>(counter[i])); };
  I32 words[4] = {lane(0), lane(1), lane(2), lane(3)};
  philox(words, key0, key1);
  for (size_t i = 0; i < 4; ++i) counter[i] = reference::bits_unsigned(words[i]);
  return counter;
}

// kat_vectors of the authors' Random123: philox4x32, 10 rounds.
TEST(CounterRandom, IsPhilox) {
  const uint32_t all = 0xffffffff;
  EXPECT_EQ(philox_of({0, 0, 0, 0}, 0, 0), (std::vector<uint32_t>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox_of({all, all, all, all}, all, all),
            (std::vector<uint32_t>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox_of({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0),
            (std::vector<uint32_t>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

struct Place {
  uint64_t seed = 7;
  uint64_t step = 1;
  int64_t site = 3;
  int64_t first = 0;
};

Array probe(Isa isa, std::string_view name, const Array& x, const Place& place) {
  const Array y(i32(x.type().shape));
  const Array key(i32({4}));
  key.as<uint64_t>()[0] = place.seed;
  key.as<uint64_t>()[1] = place.step;
  Threads threads(1);
  const std::vector<Tensor> inputs = {x.tensor(), key.tensor()};
  const std::vector<Tensor> outputs = {y.tensor()};
  find_kernel(isa, name)({inputs, outputs, {{"site", place.site}, {"first", place.first}}, {}, threads});
  return y;
}

// The reference's result, which every instruction set must have.
Array agreed(std::string_view name, const Array& x, const Place& place) {
  const Array expected = probe(Isa::reference, name, x, place);
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    if (is_supported(isa)) expect_same_bits(expected, probe(isa, name, x, place), std::string(name));
  }
  return expected;
}

TEST(CounterRandom, WordsFollowTheirDefinitionOnEveryInstructionSet) {
  const int64_t count = 1000;
  const Array zeros(f32({count}), 0);
  for (const Place& place :
       {Place{},
        Place{.seed = ~uint64_t{0}, .step = uint64_t{5} << 40, .site = 0xffffffff, .first = int64_t{3} << 37}}) {
    const Array got = agreed("probe_random_words", zeros, place);
    for (int64_t i = 0; i < count; ++i) {
      const uint64_t e = static_cast<uint64_t>(place.first + i);
      const uint64_t block = e / 64 * 16 + e % 16;
      const std::vector<uint32_t> words =
          philox_of({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32 | place.step >> 32 << 16),
                     static_cast<uint32_t>(place.site), static_cast<uint32_t>(place.step)},
                    static_cast<uint32_t>(place.seed), static_cast<uint32_t>(place.seed >> 32));
      ASSERT_EQ(got.as<uint32_t>()[i], words[e / 16 % 4]) << i;
    }
  }
}

TEST(CounterRandom, EveryPartOfTheKeyMatters) {
  const Array zeros(f32({64}), 0);
  std::set<uint32_t> seen;
  const std::vector<Place> places = {{},
                                     {.seed = 8},
                                     {.seed = uint64_t{7} | uint64_t{1} << 32},
                                     {.step = 2},
                                     {.step = uint64_t{1} | uint64_t{1} << 32},
                                     {.site = 4},
                                     {.first = 64},
                                     {.first = int64_t{1} << 40}};
  for (const Place& place : places) {
    const Array words = probe(Isa::reference, "probe_random_words", zeros, place);
    for (int64_t i = 0; i < 64; ++i) seen.insert(words.as<uint32_t>()[i]);
  }
  EXPECT_GE(seen.size(), 64 * places.size() - 1);  // two of 512 words are equal once in 30,000 tests
}

TEST(StochasticRounding, KeepsWhatIsAnInfinityANanOrABf16Number) {
  const int64_t count = 65536;
  const Array x(f32({count}));
  for (int64_t i = 0; i < count; ++i) x.as<float>()[i] = std::bit_cast<float>(static_cast<uint32_t>(i) << 16);
  const Array rounded = agreed("probe_round_to_bf16", x, {});
  for (int64_t i = 0; i < count; ++i) {
    const float back = bf16_to_f32(static_cast<uint16_t>(rounded.as<uint32_t>()[i]));
    ASSERT_TRUE(is_same(back, x.as<float>()[i])) << i;
    ASSERT_EQ(rounded.as<uint32_t>()[i] >> 16, 0u);
  }
  // NaNs whose payload would carry over, or whose upper half alone would be an infinity.
  const Array nans(f32({64}));
  for (int64_t i = 0; i < 64; ++i) nans.as<uint32_t>()[i] = i % 2 ? 0x7fffffffu : 0xff800001u;
  const Array kept = agreed("probe_round_to_bf16", nans, {});
  for (int64_t i = 0; i < 64; ++i) {
    EXPECT_TRUE(std::isnan(bf16_to_f32(static_cast<uint16_t>(kept.as<uint32_t>()[i]))));
  }
}

// Every rounding is one of the two neighbours, and the mean is the number.
TEST(StochasticRounding, IsUnbiased) {
  const int64_t count = 1 << 18;
  for (const float number : {1.0f + 0x1p-10f, -3.3f, 0x1.abcdefp-130f}) {
    const Array x(f32({count}));
    for (int64_t i = 0; i < count; ++i) x.as<float>()[i] = number;
    const Array rounded = agreed("probe_round_to_bf16", x, {});
    const float low = std::bit_cast<float>(std::bit_cast<uint32_t>(number) & 0xffff0000u);
    const float high = std::bit_cast<float>((std::bit_cast<uint32_t>(number) & 0xffff0000u) + 0x10000u);
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) {
      const float got = bf16_to_f32(static_cast<uint16_t>(rounded.as<uint32_t>()[i]));
      ASSERT_TRUE(got == low || got == high);
      sum += static_cast<double>(got);
    }
    const double step = static_cast<double>(high) - static_cast<double>(low);
    EXPECT_NEAR(sum / count / step, static_cast<double>(number) / step, 5 * 0.5 / std::sqrt(count));
  }
}

TEST(StochasticRounding, ToIntegersIsUnbiasedAndKeepsThem) {
  const int64_t count = 1 << 18;
  const Array x(f32({count}));
  for (const float number : {0.0f, 7.0f, 255.0f, 0.25f, 14.9f, 200.501f}) {
    for (int64_t i = 0; i < count; ++i) x.as<float>()[i] = number;
    const Array rounded = agreed("probe_round_to_integer", x, {});
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) {
      const int32_t got = rounded.as<int32_t>()[i];
      ASSERT_TRUE(got == static_cast<int32_t>(number) ||
                  (got == static_cast<int32_t>(number) + 1 && number != std::floor(number)));
      sum += got;
    }
    EXPECT_NEAR(sum / count, static_cast<double>(number),
                number == std::floor(number) ? 0 : 5 * 0.5 / std::sqrt(count));
  }
  const Array odd = array_of(f32({3}), std::vector<double>{NAN, INFINITY, -INFINITY});
  const Array beyond = agreed("probe_round_to_integer", odd, {});
  EXPECT_EQ(beyond.as<int32_t>()[0], INT32_MIN);
}

}  // namespace
}  // namespace headroom::testing
