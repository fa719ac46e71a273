// The kernels' benchmark: which op on which operands, and what bounds it. One file a group of kernels in bench/, found
// through a table that the linker collects: adding a case edits no list.
#pragma once

#include <fmt/core.h>

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/backend/kernel.h"
#include "headroom/graph/graph.h"
#include "headroom/graph/op.h"
#include "headroom/measure/limit_probes.h"

namespace headroom {

struct KernelCase {
  std::string name;  // "matmul 2048x768x768, x W^T, bf16": unique
  std::string_view op;
  std::vector<Type> inputs;
  Attributes attributes = {};
  Limit limit = Limit::none;
  // Writes what small numbers around zero, the content of every input of reals, are not good for. Integers (ids,
  // ranges, positions) are zero before.
  std::function<void(std::span<const Tensor> inputs)> fill = nullptr;
  // Flops (limits fma, int8) or bytes (the others) of one run, where Op::price counts something else: the flops of the
  // products alone, the causal half. 0: as Op::price.
  double work = 0;
  // Outputs take the storage of inputs where the op allows it, as they do in a plan.
  bool in_place = false;
};

struct CaseGroup {
  std::vector<KernelCase> (*cases)();
};

// The cases of all groups, ordered by name of the op, and within an op as its file lists them.
std::vector<KernelCase> all_kernel_cases();

// The flops or bytes of one run.
double work_of(const KernelCase& kernel_case);

// "2048x768x768".
std::string dimensions(std::initializer_list<int64_t> sizes);

// For `fill`: row i gets first + i; and ids spread over [0, below).
void fill_ascending(const Tensor& integers, int32_t first = 0);
void fill_ids(const Tensor& integers, int32_t below);
void fill_constant(const Tensor& reals, float value);

}  // namespace headroom

// In a source file of bench/, at global scope: enters the cases that headroom::function() returns.
#define HEADROOM_KERNEL_CASES(function)                                                                             \
  static constexpr headroom::CaseGroup function##_group{&headroom::function};                                       \
  [[gnu::used, gnu::section("headroom_kernel_cases")]] static const headroom::CaseGroup* const function##_pointer = \
      &function##_group
