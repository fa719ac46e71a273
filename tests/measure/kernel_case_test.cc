#include "headroom/measure/kernel_case.h"

#include <gtest/gtest.h>

#include <set>

namespace headroom {
namespace {

TEST(KernelCases, EveryKernelHasOne) {
  std::set<std::string_view> measured;
  for (const KernelCase& one : all_kernel_cases()) measured.insert(one.op);
  for (const Op* op : all_ops()) {
    if (find_kernel(Isa::avx2, op->name()) == nullptr && find_kernel(Isa::avx512, op->name()) == nullptr) continue;
    EXPECT_TRUE(measured.contains(op->name())) << "headroom bench has no case of " << op->name();
  }
}

TEST(KernelCases, AreWhatTheirOpsTake) {
  std::set<std::string> names;
  for (const KernelCase& one : all_kernel_cases()) {
    SCOPED_TRACE(one.name);
    EXPECT_TRUE(names.insert(one.name).second) << "two cases of one name";
    EXPECT_LE(one.name.size(), 50u) << "wider than the table";
    const Op* op = find_op(one.op);
    ASSERT_NE(op, nullptr);
    EXPECT_NO_THROW(op->output_types(one.inputs, one.attributes));
    EXPECT_GT(work_of(one), 0);
  }
}

double work_of_case(std::string_view name) {
  for (const KernelCase& one : all_kernel_cases()) {
    if (one.name == name) return work_of(one);
  }
  return 0;
}

TEST(KernelCases, CountTheFlopsOfProducts) {
  EXPECT_EQ(work_of_case("matmul 2048x768x768, x W^T"), 2.0 * 2048 * 768 * 768);
  EXPECT_EQ(work_of_case("linear_cross_entropy_backward 1024x768x32000"), 6.0 * 1024 * 768 * 32000);
  // A query sees itself and what is before it: L (L + 1) / 2 pairs a head, and two products of 2 D flops a pair.
  EXPECT_EQ(work_of_case("attention length 1024, 12 heads of 64"), 12 * (1024.0 * 1025 / 2) * 4 * 64);
}

}  // namespace
}  // namespace headroom
