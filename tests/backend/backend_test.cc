#include "headroom/backend/backend.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "headroom/backend/dot_product_rate.h"
#include "headroom/backend/isa.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

TEST(Backend, IsChosenByItsName) {
  EXPECT_EQ(choose_backend("cpu").name(), "cpu");
  EXPECT_EQ(&choose_backend(), &choose_backend("cpu"));
  EXPECT_EQ(isa_of(choose_backend()), choose_isas().back());
  EXPECT_EQ(cpu_backend(Isa::avx512_vnni).variant(), "avx512_vnni");
  try {
    choose_backend("abacus");
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_STREQ(error.what(), "backend abacus: unknown; expected one of: cpu");
  }
}

// Both have the same bits, and on some processors dot products of bf16 take as long as four multiply-adds.
TEST(Backend, DotProductsAreChosenOnlyWhereTheyAreFaster) {
  if (!is_supported(Isa::avx512_bf16)) GTEST_SKIP() << "no AVX512_BF16 here";
  const double rate = dot_product_rate();
  EXPECT_GT(rate, 0.25);
  EXPECT_LT(rate, 4);
  if (std::getenv("HEADROOM_ISA") != nullptr || (rate > 0.8 && rate < 1.25)) GTEST_SKIP() << "rate " << rate;
  EXPECT_EQ(uses(choose_backend(), Isa::avx512_bf16), rate > 1);
}

// Plans are made before it is known where they run.
TEST(Backend, ScratchIsTheSameOnEveryInstructionSet) {
  const std::vector<Type> inputs = {f32({32, 64}), f32({64, 16})};
  const std::vector<Type> outputs = {f32({32, 16})};
  const Attributes attributes = {{"transpose_a", int64_t{0}}, {"transpose_b", int64_t{0}}};
  const auto scratch = [&](const Backend& backend, std::string_view op) {
    return backend.scratch_bytes(op, {inputs, outputs, attributes}, 2);
  };
  EXPECT_GT(scratch(cpu_backend(Isa::reference), "matmul"), 0);
  for (const Isa isa : kIsas) {
    EXPECT_EQ(scratch(cpu_backend(isa), "matmul"), scratch(cpu_backend(Isa::reference), "matmul"));
  }
  EXPECT_EQ(scratch(choose_backend(), "add"), 0);
  EXPECT_EQ(scratch(choose_backend(), "load"), 0);  // it has no kernel
}

TEST(Backend, MemoryIsCommittedAndZero) {
  Threads threads(1);
  const std::unique_ptr<DeviceMemory> memory = choose_backend().commit_memory(100000, threads);
  ASSERT_EQ(memory->bytes().size(), 100000u);
  for (const std::byte byte : memory->bytes()) ASSERT_EQ(byte, std::byte{0});
}

}  // namespace
}  // namespace headroom
