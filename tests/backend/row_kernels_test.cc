// The kernels that run over rows or elements equal the reference to the bit: random shapes with ragged edges, numbers
// that are no ordinary ones, and outputs on both sides of the size from which kernels write past the caches.
#include <functional>

#include "headroom/backend/streamed_bytes.h"
#include "tests/backend/kernel_runner.h"

namespace headroom::testing {
namespace {

struct Maker {
  Random& random;
  bool any_numbers;  // with infinities, NaN, denormals and zeros of both signs among them

  // Repeats after a prime number of elements, so that large arrays are made quickly and their rows still differ.
  Array array(const Type& type) const {
    constexpr int64_t kPeriod = 65521;
    const Array result(type);
    const int64_t elements = result.elements();
    for (int64_t i = 0; i < std::min(elements, kPeriod); ++i) result.set(i, number());
    const int64_t size = size_of(type.dtype);
    std::byte* data = result.buffer()->data();
    for (int64_t done = kPeriod; done < elements; done += kPeriod) {
      std::memcpy(data + done * size, data, static_cast<size_t>(std::min(kPeriod, elements - done) * size));
    }
    return result;
  }
  Array matrix(int64_t rows, int64_t columns) const { return array(f32({rows, columns})); }
  Array vector(int64_t elements) const { return array(f32({elements})); }
  Array ids(int64_t count, int64_t below) const { return random.integers(i32({count}), 0, below - 1); }

 private:
  double number() const {
    constexpr double kUnusual[] = {0.0,       -0.0, 0x1p-149,       -0x1p-130,       0x1.fp-127, INFINITY,
                                   -INFINITY, NAN,  0x1.fffffep127, -0x1.fffffep127, 1e-38,      1e19};
    if (any_numbers && random.integer(0, 29) == 0) return kUnusual[random.integer(0, 11)];
    return random.uniform(-3, 3);
  }
};

// Operands for rows x columns elements of output 0.
struct RowKernel {
  std::string_view op;
  std::function<std::vector<Array>(const Maker&, int64_t rows, int64_t columns)> inputs;
  std::function<Attributes(int64_t rows, int64_t columns)> attributes = [](int64_t, int64_t) { return Attributes{}; };
  bool streams = true;  // its output can be large, and is not in an input's storage always
};

std::vector<RowKernel> row_kernels() {
  const auto two = [](const Maker& make, int64_t t, int64_t f) {
    return std::vector<Array>{make.matrix(t, f), make.matrix(t, f)};
  };
  const auto with_row = [](const Maker& make, int64_t t, int64_t f) {
    return std::vector<Array>{make.matrix(t, f), make.vector(f)};
  };
  const auto epsilon = [](int64_t, int64_t) { return Attributes{{"eps", 1e-6}}; };
  return {
      {"rms_norm", with_row, epsilon},
      {"rms_norm_backward",
       [](const Maker& make, int64_t t, int64_t f) {
         return std::vector<Array>{make.matrix(t, f), make.vector(f), make.vector(t), make.matrix(t, f)};
       }},
      {"rms_norm_weight_gradient",
       [](const Maker& make, int64_t t, int64_t f) {
         return std::vector<Array>{make.matrix(t, f), make.vector(t), make.matrix(t, f), make.vector(f)};
       },
       [](int64_t, int64_t) { return Attributes{}; }, false},
      {"add", two},
      {"add_bias", with_row},
      {"bias_gradient", [](const Maker& make, int64_t t, int64_t f) { return std::vector<Array>{make.matrix(t, f)}; },
       [](int64_t, int64_t) { return Attributes{}; }, false},
      {"swiglu", two},
      {"swiglu_backward",
       [](const Maker& make, int64_t t, int64_t f) {
         return std::vector<Array>{make.matrix(t, f), make.matrix(t, f), make.matrix(t, f)};
       }},
      {"rope",
       [](const Maker& make, int64_t t, int64_t f) {
         return std::vector<Array>{make.matrix(t, 2 * f), make.ids(t, 7), make.matrix(7, 2 * f)};
       },
       [](int64_t, int64_t) {
         return Attributes{{"heads", int64_t{1}}, {"pairs", int64_t{0}}, {"inverse", int64_t{1}}};
       }},
      {"embedding",
       [](const Maker& make, int64_t t, int64_t f) {
         return std::vector<Array>{make.matrix(31, f), make.ids(t, 31)};
       }},
      {"embedding_backward",
       [](const Maker& make, int64_t t, int64_t f) {
         return std::vector<Array>{make.ids(4, t), make.matrix(4, f)};
       },
       [](int64_t t, int64_t) {
         return Attributes{{"rows", t}, {"add", int64_t{0}}};
       }},
      {"adamw",
       [](const Maker& make, int64_t t, int64_t f) {
         return std::vector<Array>{make.matrix(t, f), make.matrix(t, f), make.matrix(t, f),
                                   make.matrix(t, f), make.vector(3),    make.vector(1)};
       },
       [](int64_t, int64_t) {
         return Attributes{{"beta1", 0.9}, {"beta2", 0.95}, {"eps", 1e-8}, {"weight_decay", 0.1}};
       },
       false},
      {"sgd",
       [](const Maker& make, int64_t t, int64_t f) {
         return std::vector<Array>{make.matrix(t, f), make.matrix(t, f), make.vector(3), make.vector(1)};
       },
       [](int64_t, int64_t) { return Attributes{}; }, false},
      {"sum", [](const Maker& make, int64_t t, int64_t f) { return std::vector<Array>{make.matrix(t, f)}; },
       [](int64_t, int64_t) { return Attributes{}; }, false},
      {"squared_norm", [](const Maker& make, int64_t t, int64_t f) { return std::vector<Array>{make.matrix(t, f)}; },
       [](int64_t, int64_t) { return Attributes{}; }, false},
  };
}

TEST(RowKernels, AgreeOnRandomShapesAndAnyNumbers) {
  Random random(1);
  for (const RowKernel& kernel : row_kernels()) {
    for (int round = 0; round < 6; ++round) {
      const int64_t rows = random.integer(1, 35);
      const int64_t columns = round % 2 == 0 ? random.integer(1, 90) : 16 * random.integer(1, 6);
      SCOPED_TRACE(fmt::format("{}, {} x {}", kernel.op, rows, columns));
      const Maker make{random, round >= 2};
      expect_kernels_agree(kernel.op, kernel.inputs(make, rows, columns), kernel.attributes(rows, columns));
    }
  }
}

// Which operands are activations, and may have 16 bits.
std::vector<size_t> activations_of(std::string_view op) {
  if (op == "rms_norm" || op == "add_bias" || op == "bias_gradient" || op == "rope") return {0};
  if (op == "embedding_backward") return {1};
  if (op == "rms_norm_backward") return {0, 3};
  if (op == "rms_norm_weight_gradient") return {0, 2};
  if (op == "add" || op == "swiglu") return {0, 1};
  if (op == "swiglu_backward") return {0, 1, 2};
  return {};
}

TEST(RowKernels, AgreeInSixteenBits) {
  Random random(3);
  for (const RowKernel& kernel : row_kernels()) {
    const std::vector<size_t> activations = activations_of(kernel.op);
    const bool rounds_result = kernel.op == "embedding";
    for (int round = 0; (rounds_result || !activations.empty()) && round < 4; ++round) {
      const DType dtype = round % 2 == 0 ? DType::bf16 : DType::f16;
      const int64_t rows = random.integer(1, 35);
      const int64_t columns = round < 2 ? random.integer(1, 90) : 16 * random.integer(1, 6);
      SCOPED_TRACE(fmt::format("{} in {}, {} x {}", kernel.op, name_of(dtype), rows, columns));
      std::vector<Array> inputs = kernel.inputs(Maker{random, round >= 2}, rows, columns);
      for (const size_t place : activations) inputs[place] = in_format(inputs[place], dtype);
      Attributes attributes = kernel.attributes(rows, columns);
      if (rounds_result) attributes.set("result", static_cast<int64_t>(dtype));
      expect_kernels_agree(kernel.op, inputs, attributes);
    }
  }
}

TEST(RowKernels, AgreeBeyondTheCaches) {
  Random random(2);
  const Maker make{random, false};
  for (const RowKernel& kernel : row_kernels()) {
    if (!kernel.streams) continue;
    const int64_t columns = 48;
    const int64_t rows = kStreamedBytes / 4 / columns + 1;
    SCOPED_TRACE(kernel.op);
    const Attributes attributes = kernel.attributes(rows, columns);
    const std::vector<Array> inputs = kernel.inputs(make, rows, columns);
    const std::vector<Array> expected = run_kernel(Isa::reference, kernel.op, inputs, attributes, 4);
    ASSERT_GT(expected[0].type().bytes(), kStreamedBytes);
    for (const Isa isa : {Isa::avx2, Isa::avx512}) {
      if (!is_supported(isa)) continue;
      const std::vector<Array> got = run_kernel(isa, kernel.op, inputs, attributes, 3);
      for (size_t i = 0; i < got.size(); ++i) {
        if (std::memcmp(expected[i].buffer()->data(), got[i].buffer()->data(),
                        static_cast<size_t>(got[i].type().bytes())) == 0)
          continue;
        expect_same_bits(expected[i], got[i], fmt::format("{} on {}, output {}", kernel.op, name_of(isa), i));
      }
    }
  }
}

}  // namespace
}  // namespace headroom::testing
