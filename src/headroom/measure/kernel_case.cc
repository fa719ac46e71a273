#include "headroom/measure/kernel_case.h"

#include <algorithm>

#include "headroom/base/errors.h"

extern "C" {
[[gnu::weak]] extern const headroom::CaseGroup* const __start_headroom_kernel_cases[];
[[gnu::weak]] extern const headroom::CaseGroup* const __stop_headroom_kernel_cases[];
}

namespace headroom {

std::vector<KernelCase> all_kernel_cases() {
  std::vector<KernelCase> all;
  const std::span<const CaseGroup* const> table{__start_headroom_kernel_cases, __stop_headroom_kernel_cases};
  for (const CaseGroup* group : table) {
    for (KernelCase& one : group->cases()) all.push_back(std::move(one));
  }
  std::stable_sort(all.begin(), all.end(), [](const KernelCase& a, const KernelCase& b) { return a.op < b.op; });
  return all;
}

double work_of(const KernelCase& kernel_case) {
  if (kernel_case.work > 0) return kernel_case.work;
  const Op* op = find_op(kernel_case.op);
  ensure(op != nullptr, "the case {} has no op", kernel_case.name);
  const std::vector<Type> outputs = op->output_types(kernel_case.inputs, kernel_case.attributes);
  const Price price = op->price({kernel_case.inputs, outputs, kernel_case.attributes});
  return counts_flops(kernel_case.limit) ? price.flops : price.bytes;
}

std::string dimensions(std::initializer_list<int64_t> sizes) {
  std::string text;
  for (const int64_t size : sizes) text += fmt::format("{}{}", text.empty() ? "" : "x", size);
  return text;
}

void fill_ascending(const Tensor& integers, int32_t first) {
  for (int64_t i = 0; i < integers.elements(); ++i) integers.as<int32_t>()[i] = first + static_cast<int32_t>(i);
}

void fill_ids(const Tensor& integers, int32_t below) {
  for (int64_t i = 0; i < integers.elements(); ++i) {
    integers.as<int32_t>()[i] = static_cast<int32_t>(i * 7919 % below);
  }
}

void fill_constant(const Tensor& reals, float value) { std::fill_n(reals.as<float>(), reals.elements(), value); }

}  // namespace headroom
