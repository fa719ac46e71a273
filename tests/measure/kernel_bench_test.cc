#include "headroom/measure/kernel_bench.h"

#include <gtest/gtest.h>

#include <array>

#include "headroom/backend/arena.h"

namespace headroom {
namespace {

TEST(KernelBench, MedianOfOddAndEven) {
  std::array<double, 3> odd = {3, 1, 2};
  EXPECT_EQ(median(odd), 2);
  std::array<double, 4> even = {4, 1, 3, 2};
  EXPECT_EQ(median(even), 2.5);
}

// Runs an add of known operands: the kernel gets the operands that the case describes, in the storage that it asks for.
TEST(KernelBench, RunsTheKernelOnTheOperandsOfTheCase) {
  KernelCase one;
  one.name = "add";
  one.op = "add";
  one.inputs = {f32({3, 5}), f32({3, 5})};
  one.limit = Limit::update;
  one.in_place = true;
  std::array<Tensor, 2> kept;
  one.fill = [&](std::span<const Tensor> inputs) {
    kept = {inputs[0], inputs[1]};
    fill_constant(inputs[0], 1);
    fill_constant(inputs[1], 2);
  };
  Threads threads(2);
  const Arena arena(KernelBench::memory_bytes(one, 2), threads);
  EXPECT_EQ(arena.bytes().size(), 2u * 4096);  // the output has no storage of its own
  const KernelBench bench(one, cpu_backend(Isa::reference), arena.bytes(), threads);
  bench.run();
  bench.run();
  for (int i = 0; i < 15; ++i) EXPECT_EQ(kept[0].as<float>()[i], 5);
}

TEST(KernelBench, MeasuresSharesThatFitTheirRates) {
  KernelCase one;
  one.name = "matmul";
  one.op = "matmul";
  one.inputs = {f32({64, 64}), f32({64, 64})};
  one.attributes = {{"transpose_a", int64_t{0}}, {"transpose_b", int64_t{1}}};
  one.limit = Limit::fma;
  Threads threads(1);
  const Arena arena(LimitProbes::kMemoryBytes + KernelBench::memory_bytes(one, 1), threads);
  const size_t walked = static_cast<size_t>(LimitProbes::kMemoryBytes);
  const LimitProbes probes(cpu_backend(Isa::reference), arena.bytes().first(walked), threads);
  const CaseResult result =
      KernelBench(one, cpu_backend(Isa::reference), arena.bytes().subspan(walked), threads).measure(probes);
  EXPECT_GE(result.rounds, 5);
  EXPECT_NEAR(result.rate * result.seconds, 2.0 * 64 * 64 * 64, 1);
  EXPECT_GT(result.share, 0);
  EXPECT_GE(result.spread, 0);
}

}  // namespace
}  // namespace headroom
