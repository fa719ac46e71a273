#include "headroom/measure/kernel_bench.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "headroom/base/bytes.h"
#include "headroom/base/convert.h"
#include "headroom/base/errors.h"
#include "headroom/base/page.h"
#include "headroom/measure/clock.h"

namespace headroom {
namespace {

constexpr int kLeastRounds = 5;
constexpr int kMostRounds = 15;
constexpr double kSecondsOfCase = 0.3;    // rounds beyond the least stop after so much
constexpr double kSecondsOfRound = 0.01;  // a shorter kernel runs several times a round, where the cache allows it

// The operands of a case: their types, and for each output the input whose storage it takes, or -1.
struct Operands {
  Operands(const KernelCase& kernel_case, int threads) {
    const Op* op = find_op(kernel_case.op);
    ensure(op != nullptr, "the case {} has no op", kernel_case.name);
    outputs = op->output_types(kernel_case.inputs, kernel_case.attributes);
    const TypedNode node{kernel_case.inputs, outputs, kernel_case.attributes};
    storage.assign(outputs.size(), -1);
    for (const StoragePair& pair : op->in_place(node)) storage[static_cast<size_t>(pair.output)] = pair.input;
    if (kernel_case.in_place) {
      std::vector<bool> taken(kernel_case.inputs.size());
      for (const StoragePair& pair : op->may_reuse(node)) {
        const size_t output = static_cast<size_t>(pair.output);
        if (storage[output] >= 0 || taken[static_cast<size_t>(pair.input)]) continue;
        storage[output] = pair.input;
        taken[static_cast<size_t>(pair.input)] = true;
      }
    }
    scratch_bytes = choose_backend().scratch_bytes(op->name(), node, threads);
  }

  std::vector<Type> outputs;
  std::vector<int> storage;
  int64_t scratch_bytes = 0;
};

// Small numbers around zero, no two neighbours alike: a pattern of 101 over and over. Integers and blocks become zero.
void fill(const Tensor& tensor) {
  constexpr int64_t kPeriod = 101;
  const int64_t bytes = tensor.type.bytes();
  std::array<float, kPeriod> pattern = {};
  for (int64_t i = 0; i < kPeriod; ++i)
    pattern[static_cast<size_t>(i)] = static_cast<float>(i * 37 % kPeriod - 50) * 0.01f;
  const DType dtype = tensor.type.dtype;
  if (dtype == DType::i32 || dtype == DType::u8 || !is_scalar(dtype)) {
    std::memset(tensor.data, 0, static_cast<size_t>(bytes));
    return;
  }
  const int64_t element_bytes = size_of(dtype);
  const int64_t period_bytes = std::min(bytes, kPeriod * element_bytes);
  convert_elements(DType::f32, pattern.data(), dtype, tensor.data, period_bytes / element_bytes);
  for (int64_t done = period_bytes; done < bytes;) {
    const int64_t piece = std::min(done, bytes - done);
    std::memcpy(tensor.data + done, tensor.data, static_cast<size_t>(piece));
    done += piece;
  }
}

}  // namespace

int64_t KernelBench::memory_bytes(const KernelCase& kernel_case, int threads) {
  const Operands operands(kernel_case, threads);
  int64_t bytes = round_up(operands.scratch_bytes, kPageBytes);
  for (const Type& type : kernel_case.inputs) bytes += round_up(type.bytes(), kPageBytes);
  for (size_t i = 0; i < operands.outputs.size(); ++i) {
    if (operands.storage[i] < 0) bytes += round_up(operands.outputs[i].bytes(), kPageBytes);
  }
  return bytes;
}

KernelBench::KernelBench(const KernelCase& kernel_case, const Backend& backend, std::span<std::byte> memory,
                         Threads& threads)
    : case_(kernel_case), kernel_(backend.find_kernel(kernel_case.op)), threads_(threads) {
  ensure(kernel_ != nullptr, "the op {} has no {} kernel", kernel_case.op, backend.variant());
  const Operands operands(kernel_case, threads.count());
  int64_t used = 0;
  const auto take = [&](int64_t bytes) {
    std::byte* data = memory.data() + used;
    used += round_up(bytes, kPageBytes);
    ensure(used <= static_cast<int64_t>(memory.size()), "the memory is too small for {}", kernel_case.name);
    return data;
  };
  for (const Type& type : kernel_case.inputs) {
    inputs_.push_back({take(type.bytes()), type});
    fill(inputs_.back());
  }
  for (size_t i = 0; i < operands.outputs.size(); ++i) {
    const Type& type = operands.outputs[i];
    const int input = operands.storage[i];
    outputs_.push_back({input < 0 ? take(type.bytes()) : inputs_[static_cast<size_t>(input)].data, type});
  }
  scratch_ = {take(operands.scratch_bytes), static_cast<size_t>(operands.scratch_bytes)};
  if (kernel_case.fill) kernel_case.fill(inputs_);
}

void KernelBench::run() const { kernel_({inputs_, outputs_, case_.attributes, scratch_, threads_}); }

CaseResult KernelBench::measure(const LimitProbes& probes) const {
  Clock::time_point start = Clock::now();
  run();
  const double first = seconds_since(start);
  // Against memory a kernel runs once a round: the limit's walk has just emptied the cache of its operands.
  const bool in_registers = counts_flops(case_.limit) || case_.limit == Limit::none;
  const int repeats =
      in_registers ? std::clamp(static_cast<int>(kSecondsOfRound / std::max(first, 1e-7)), 1, 10000) : 1;
  const double work = work_of(case_);
  std::array<double, kMostRounds> seconds;
  std::array<double, kMostRounds> shares;
  CaseResult result;
  double spent = 0;
  while (result.rounds < kLeastRounds || (result.rounds < kMostRounds && spent < kSecondsOfCase)) {
    const double limit = case_.limit == Limit::none ? 0 : probes.measure(case_.limit);
    start = Clock::now();
    for (int repeat = 0; repeat < repeats; ++repeat) run();
    const double all = seconds_since(start);
    spent += all;
    const size_t round = static_cast<size_t>(result.rounds++);
    seconds[round] = all / repeats;
    shares[round] = limit > 0 ? work / seconds[round] / limit : 0;
  }
  const std::span<double> measured(seconds.data(), static_cast<size_t>(result.rounds));
  result.seconds = median(measured);
  result.spread = measured.back() / measured.front() - 1;
  result.rate = work / result.seconds;
  result.share = median(std::span(shares.data(), static_cast<size_t>(result.rounds)));
  return result;
}

double median(std::span<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace headroom
