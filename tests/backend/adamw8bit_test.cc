// AdamW over 8-bit moments against bitsandbytes: its maps, its codes of the same numbers, and its steps
// (tests/data/adamw8bit/make_vectors.py); then equality of the instruction sets, and how far it is from AdamW in f32.
#include <algorithm>
#include <bit>

#include "headroom/base/dynamic_map.h"
#include "headroom/formats/weights/safetensors.h"
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

class Vectors {
 public:
  Vectors() : file_(std::string(HEADROOM_SOURCE_DIR) + "/tests/data/adamw8bit/vectors.safetensors") {}
  Array read(const std::string& name) const {
    const StoredTensor stored = file_.tensor(file_.find(name));
    const Array array({stored.type == StoredType::u8 ? DType::u8 : DType::f32, stored.shape});
    file_.read(stored, 0, array.elements(), array.type().dtype, array.buffer()->data(), NanCheck::allow);
    return array;
  }

 private:
  SafetensorsFile file_;
};

Attributes attributes_of(double beta1, double beta2, double weight_decay = 0.1) {
  return {{"beta1", beta1}, {"beta2", beta2}, {"eps", 1e-8}, {"weight_decay", weight_decay}, {"site", int64_t{5}}};
}

Array scalars_of(int step, double rate = 1e-2) {
  return array_of(f32({3}),
                  std::vector<double>{rate, rate / (1 - std::pow(0.9, step)), std::sqrt(1 - std::pow(0.95, step))});
}

// Zeros of a state: weight, m, m_scale, v, v_scale.
std::vector<Array> first_state(const Array& weight) {
  const Type codes = u8(weight.type().shape);
  const Type scales = f32({dynamic_blocks(weight.elements())});
  return {weight, Array(codes, 0), Array(scales, 0), Array(codes, 0), Array(scales, 0)};
}

TEST(DynamicMap, IsThatOfBitsandbytes) {
  const Vectors vectors;
  for (const auto& [name, map] : {std::pair{"signed_map", &kSignedMap}, {"unsigned_map", &kUnsignedMap}}) {
    const Array expected = vectors.read(name);
    for (int64_t i = 0; i < 256; ++i) {
      EXPECT_TRUE(is_same(expected.as<float>()[i], map->values[static_cast<size_t>(i)])) << name << " " << i;
    }
  }
}

// A bin's code, corrected by the midpoint above it, against a search over all midpoints.
template <bool kSigned>
int64_t wrong_codes(const DynamicMap& map) {
  using Bins = DynamicBins<kSigned>;
  static const Bins bins(map);
  int64_t wrong = 0;
  const auto check = [&](float x) {
    const int32_t bits = std::bit_cast<int32_t>(x);
    const int32_t bin = std::max(((bits & INT32_MAX) >> Bins::kShift) - Bins::kFirst, 0) + (bits < 0 ? Bins::kBins : 0);
    const size_t code = bins.codes[static_cast<size_t>(bin)];
    const auto found = std::lower_bound(map.midpoints.begin(), map.midpoints.end(), x) - map.midpoints.begin();
    wrong += static_cast<int64_t>(code) + (x > map.midpoints[code] ? 1 : 0) != found;
  };
  for (uint32_t bits = 0; bits <= 0x3f800000; bits += bits < 0x33000000 ? 65521 : 211) {
    check(std::bit_cast<float>(bits));
    if (kSigned) check(-std::bit_cast<float>(bits));
  }
  for (const float midpoint : map.midpoints) {
    for (int32_t ulps = -2; ulps <= 2; ++ulps) {
      const float x = std::bit_cast<float>(std::bit_cast<int32_t>(midpoint) + ulps);
      if (x <= 1) check(x);
    }
  }
  return wrong;
}

TEST(DynamicMap, BinsFindTheNearestEntry) {
  EXPECT_EQ(wrong_codes<true>(kSignedMap), 0);
  EXPECT_EQ(wrong_codes<false>(kUnsignedMap), 0);
}

// With beta1 = 0 the new mean is the gradient.
TEST(Adamw8bit, EncodesAsBitsandbytes) {
  const Vectors vectors;
  const Array x = vectors.read("x");
  std::vector<Array> inputs = first_state(x);
  inputs.insert(inputs.end(), {x, scalars_of(1)});
  const std::vector<Array> got = expect_kernels_agree("adamw8bit", inputs, attributes_of(0, 0.95));
  expect_same_bits(vectors.read("x_codes"), got[1], "codes");
  expect_same_bits(vectors.read("x_scales"), got[2], "scales");
}

TEST(Adamw8bit, StepsAsBitsandbytes) {
  const Vectors vectors;
  std::vector<Array> state = first_state(vectors.read("p0"));
  for (int step = 1; step <= 3; ++step) {
    std::vector<Array> inputs = state;
    inputs.insert(inputs.end(), {vectors.read(fmt::format("g{}", step)), scalars_of(step)});
    state = expect_kernels_agree("adamw8bit", inputs, attributes_of(0.9, 0.95));
    const char* const names[] = {"p", "m", "m_scale", "v", "v_scale"};
    for (size_t i = 1; i < 5; ++i) {
      expect_same_bits(vectors.read(fmt::format("{}{}", names[i], step)), state[i],
                       fmt::format("{}{}", names[i], step));
    }
    expect_close(state[0], values_of(vectors.read(fmt::format("p{}", step))), 1e-6, "weights");
  }
}

TEST(Adamw8bit, InstructionSetsAgreeOnAnyShapeAndNumber) {
  Random random(4);
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const Shape& shape : {Shape{1}, Shape{255}, Shape{3, 257}, Shape{40, 129}}) {
      for (const bool scaled : {false, true}) {
        const Array weight = random.array({dtype, shape});
        std::vector<Array> inputs = first_state(weight);
        for (size_t i = 1; i < 5; ++i) {
          inputs[i] = i % 2 ? random.integers(inputs[i].type(), 0, 255) : random.array(inputs[i].type(), 0, 2);
        }
        const Array gradient = random.array(f32(shape), -2, 2);
        if (shape.elements() > 1000) {  // one block of NaN, one of infinity, one of nothing
          gradient.set(3, NAN);
          gradient.set(300, INFINITY);
          for (int64_t i = 512; i < 768; ++i) gradient.set(i, 0);
        }
        inputs.insert(inputs.end(), {gradient, scalars_of(3)});
        if (dtype == DType::bf16) inputs.push_back(random.integers(i32({4}), 0, 1000));
        if (scaled) inputs.push_back(array_of(f32({1}), std::vector<double>{0.25}));
        expect_kernels_agree("adamw8bit", inputs, attributes_of(0.9, 0.95));
      }
    }
  }
}

// A mean whose square was too small beside its block's largest for a code of its own: the square counts as half the
// smallest entry of the map, above which it would have had one.
TEST(Adamw8bit, ASquareThatBecameZeroBoundsTheUpdate) {
  const Shape shape = {256};
  std::vector<Array> inputs = first_state(Array(f32(shape), 0));
  constexpr int64_t kMean = 200;  // a code of the signed map
  for (int64_t i = 0; i < 256; ++i) inputs[1].set(i, kMean);
  inputs[2].set(0, 0.01);
  inputs[4].set(0, 0.5);  // all codes are 0
  inputs.insert(inputs.end(), {Array(f32(shape), 0), scalars_of(9)});
  const std::vector<Array> got = expect_kernels_agree("adamw8bit", inputs, attributes_of(0.9, 0.95, 0));
  const double mean = 0.9 * kSignedMap.values[kMean] * 0.01;
  const double root = std::sqrt(0.95 * kUnsignedMap.values[1] / 2 * 0.5);
  const double expected = -inputs[6].at(1) * mean / (root / inputs[6].at(2) + 1e-8);
  for (int64_t i = 0; i < 256; ++i) EXPECT_NEAR(got[0].at(i), expected, 1e-5 * std::abs(expected));
  for (int64_t i = 0; i < 256; ++i) EXPECT_EQ(got[3].at(i), 0);  // what is kept is bitsandbytes'
}

TEST(Adamw8bit, LeavesEverythingInASkippedStep) {
  Random random(7);
  std::vector<Array> inputs = first_state(random.array(f32({5, 300})));
  inputs.insert(inputs.end(), {random.array(f32({5, 300})), scalars_of(1), Array(f32({1}))});
  inputs.back().set(0, NAN);
  const std::vector<Array> got = expect_kernels_agree("adamw8bit", inputs, attributes_of(0.9, 0.95));
  for (size_t i = 0; i < 5; ++i) expect_same_bits(inputs[i], got[i], "state");
}

// A bf16 weight is the f32 result rounded to one of its two neighbours, and both occur.
TEST(Adamw8bit, RoundsBf16WeightsStochastically) {
  Random random(6);
  const Shape shape = {64, 64};
  const Array rounded = random.array({DType::bf16, shape});
  const Array exact(f32(shape));
  for (int64_t i = 0; i < exact.elements(); ++i) exact.set(i, rounded.at(i));
  const Array gradient = random.array(f32(shape));
  const Array key = random.integers(i32({4}), 0, 1000);
  std::vector<Array> in_f32 = first_state(exact);
  in_f32.insert(in_f32.end(), {gradient, scalars_of(1)});
  std::vector<Array> in_bf16 = first_state(rounded);
  in_bf16.insert(in_bf16.end(), {gradient, scalars_of(1), key});
  const Array expected = expect_kernels_agree("adamw8bit", in_f32, attributes_of(0.9, 0.95))[0];
  const Array got = expect_kernels_agree("adamw8bit", in_bf16, attributes_of(0.9, 0.95))[0];
  int64_t up = 0;
  for (int64_t i = 0; i < got.elements(); ++i) {
    const uint32_t bits = expected.as<uint32_t>()[i];
    const uint32_t cut = got.as<uint16_t>()[i] - (bits >> 16);
    ASSERT_LE(cut, 1u);
    up += cut;
  }
  EXPECT_GT(up, got.elements() / 3);
  EXPECT_LT(up, got.elements() * 2 / 3);
}

}  // namespace
}  // namespace headroom::testing
