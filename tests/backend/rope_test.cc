// Rotary embedding, against complex multiplication in f64.
#include <complex>

#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

// Row p: cosines, then sines, of p * 10000^(-2i/D).
Array make_table(int64_t positions, int64_t head_size) {
  const Array table(f32({positions, head_size}));
  for (int64_t p = 0; p < positions; ++p) {
    for (int64_t i = 0; i < head_size / 2; ++i) {
      const double angle =
          static_cast<double>(p) * std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(head_size));
      table.set(p * head_size + i, std::cos(angle));
      table.set(p * head_size + head_size / 2 + i, std::sin(angle));
    }
  }
  return table;
}

TEST(Rope, RotatesPairsOfEachHead) {
  Random random(1);
  for (const int64_t head_size : {2, 8, 24, 64, 80}) {
    const int64_t heads = 3, half = head_size / 2;
    const Array x = random.array(f32({7, heads * head_size}));
    const Array positions = random.integers(i32({7}), 0, 99);
    const Array table = make_table(100, head_size);
    for (const int64_t inverse : {0, 1}) {
      const Array y = expect_kernels_agree("rope", {x, positions, table},
                                           {{"heads", heads}, {"pairs", int64_t{0}}, {"inverse", inverse}})[0];
      std::vector<double> expected(static_cast<size_t>(x.elements()));
      for (int64_t row = 0; row < 7 * heads; ++row) {
        for (int64_t i = 0; i < half; ++i) {
          const int64_t at = row * head_size + i;
          const int64_t angle = positions.as<int32_t>()[row / heads] * head_size + i;
          const std::complex<double> turn(table.at(angle),
                                          inverse == 1 ? -table.at(angle + half) : table.at(angle + half));
          const std::complex<double> turned = std::complex<double>(x.at(at), x.at(at + half)) * turn;
          expected[static_cast<size_t>(at)] = turned.real();
          expected[static_cast<size_t>(at + half)] = turned.imag();
        }
      }
      expect_close(y, expected, 2e-7, "y");
    }
  }
}

// DeepSeek's models: pairs of neighbours, behind features of each head that stay.
TEST(Rope, RotatesNeighboursAtTheEndOfAHead) {
  Random random(3);
  for (const int64_t rotated : {2, 8, 24, 64}) {
    for (const int64_t kept : {0, 5, 16, 128}) {
      const int64_t heads = 3, half = rotated / 2, head_size = kept + rotated;
      const Array positions = random.integers(i32({7}), 0, 99);
      const Array table = make_table(100, rotated);
      const Array x = random.array(f32({7, heads * head_size}));
      const Attributes attributes = {{"heads", heads}, {"pairs", int64_t{1}}, {"inverse", int64_t{0}}};
      const Array y = expect_kernels_agree("rope", {x, positions, table}, attributes)[0];
      expect_kernels_agree("rope", {random.array({DType::bf16, x.type().shape}), positions, table}, attributes);
      expect_kernels_agree("rope", {x, positions, table},
                           {{"heads", heads}, {"pairs", int64_t{0}}, {"inverse", int64_t{1}}});
      std::vector<double> expected = values_of(x);
      for (int64_t row = 0; row < 7 * heads; ++row) {
        for (int64_t i = 0; i < half; ++i) {
          const int64_t at = row * head_size + kept + 2 * i;
          const int64_t angle = positions.as<int32_t>()[row / heads] * rotated + i;
          const std::complex<double> turned = std::complex<double>(x.at(at), x.at(at + 1)) *
                                              std::complex<double>(table.at(angle), table.at(angle + half));
          expected[static_cast<size_t>(at)] = turned.real();
          expected[static_cast<size_t>(at + 1)] = turned.imag();
        }
      }
      expect_close(y, expected, 2e-7, "y");
    }
  }
}

TEST(Rope, InverseTurnsBack) {
  Random random(2);
  const Array x = random.array(f32({5, 64}));
  const Array positions = array_of(i32({5}), std::vector<int>{0, 3, 3, 19, 7});
  const Array table = make_table(20, 32);
  const Array y = run_kernel(Isa::reference, "rope", {x, positions, table},
                             {{"heads", int64_t{2}}, {"pairs", int64_t{0}}, {"inverse", int64_t{0}}})[0];
  expect_close(run_kernel(Isa::reference, "rope", {y, positions, table},
                          {{"heads", int64_t{2}}, {"pairs", int64_t{0}}, {"inverse", int64_t{1}}})[0],
               values_of(x), 3e-7, "there and back");
}

}  // namespace
}  // namespace headroom::testing
