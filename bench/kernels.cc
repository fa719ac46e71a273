// What the machine can do and what the kernels reach: the peak of fused multiply-adds and of reading memory, then the
// share of it that large products and the loss head get. One table on stdout: bench_kernels [ISA [THREADS]].
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "bench/peak.h"
#include "headroom/backend/kernel.h"
#include "headroom/base/errors.h"
#include "headroom/graph/op.h"

namespace headroom::bench {
namespace {

// Seconds of the fastest of several runs, after one that warms up: other programs only ever make a run slower.
template <class Work>
double fastest_seconds(Work&& work) {
  using Clock = std::chrono::steady_clock;
  work();
  double fastest = 1e300;
  double spent = 0;
  for (int run = 0; run < 20 && (run < 3 || spent < 0.7); ++run) {
    const Clock::time_point start = Clock::now();
    work();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    fastest = std::min(fastest, seconds);
    spent += seconds;
  }
  return fastest;
}

// Operands of one op, on the heap, aligned, filled with small numbers.
class Bench {
 public:
  Bench(Isa isa, std::string_view op, std::vector<Type> inputs, Attributes attributes)
      : isa_(isa), op_(*find_op(op)), types_(std::move(inputs)), attributes_(std::move(attributes)) {
    const std::vector<Type> outputs = op_.output_types(types_, attributes_);
    for (const Type& type : types_) inputs_.push_back(tensor(type));
    for (const Type& type : outputs) outputs_.push_back(tensor(type));
    price_ = op_.price({types_, outputs, attributes_});
  }

  // Flops a second.
  double rate(Threads& threads) {
    std::vector<Type> outputs;
    for (const Tensor& output : outputs_) outputs.push_back(output.type);
    const Tensor scratch =
        tensor({DType::f32, {op_.scratch_bytes({types_, outputs, attributes_}, threads.count()) / 4}});
    const Kernel kernel = find_kernel(isa_, op_.name());
    ensure(kernel != nullptr, "no kernel {}", op_.name());
    const Invocation call{
        inputs_, outputs_, attributes_, {scratch.data, static_cast<size_t>(scratch.type.bytes())}, threads};
    return price_.flops / fastest_seconds([&] { kernel(call); });
  }
  double bytes_per_flop() const { return price_.bytes / price_.flops; }

 private:
  Tensor tensor(const Type& type) {
    const size_t bytes = static_cast<size_t>(type.bytes());
    storage_.emplace_back(bytes + 64);
    std::byte* data = storage_.back().data();
    data += (64 - reinterpret_cast<uintptr_t>(data) % 64) % 64;
    for (int64_t i = 0; i < type.shape.elements(); ++i) {
      if (type.dtype == DType::f32) reinterpret_cast<float*>(data)[i] = static_cast<float>(i * 37 % 101 - 50) * 0.01f;
      if (type.dtype == DType::i32) reinterpret_cast<int32_t*>(data)[i] = static_cast<int32_t>(i * 37 % 1009);
    }
    return {data, type};
  }

  Isa isa_;
  const Op& op_;
  std::vector<Type> types_;
  Attributes attributes_;
  std::vector<std::vector<std::byte>> storage_;
  std::vector<Tensor> inputs_;
  std::vector<Tensor> outputs_;
  Price price_;
};

struct Row {
  std::string_view name;
  std::string_view op;
  std::vector<Type> inputs;
  Attributes attributes;
};

std::vector<Row> rows() {
  const int64_t n = 2048;
  const Attributes plain = {{"transpose_a", int64_t{0}}, {"transpose_b", int64_t{0}}};
  const Attributes forward = {{"transpose_a", int64_t{0}}, {"transpose_b", int64_t{1}}};
  const Attributes weight = {{"transpose_a", int64_t{1}}, {"transpose_b", int64_t{0}}};
  const Type bf16{DType::bf16, {n, n}};
  const int64_t t = 1024, f = 768, v = 16384;
  return {
      {"product 2048^3, x W^T (forward)", "matmul", {f32({n, n}), f32({n, n})}, forward},
      {"product 2048^3, dy W (input gradient)", "matmul", {f32({n, n}), f32({n, n})}, plain},
      {"product 2048^3, dy^T x (weight gradient)", "matmul", {f32({n, n}), f32({n, n})}, weight},
      {"product 2048^3, x W^T, W in bf16", "matmul", {f32({n, n}), bf16}, forward},
      {"product 512 x 3072 x 768, x W^T", "matmul", {f32({512, 768}), f32({3072, 768})}, forward},
      {"product 512 x 768 x 3072, x W^T", "matmul", {f32({512, 3072}), f32({768, 3072})}, forward},
      {"product 4 x 4096 x 4096, x W^T", "matmul", {f32({4, 4096}), f32({4096, 4096})}, forward},
      {"product 64 x 4096 x 4096, x W^T", "matmul", {f32({64, 4096}), f32({4096, 4096})}, forward},
      {"product 1 x 4096 x 4096, x W^T", "matmul", {f32({1, 4096}), f32({4096, 4096})}, forward},
      {"loss head 1024 x 768 x 16384", "linear_cross_entropy", {f32({t, f}), f32({v, f}), i32({t})}, {}},
      {"loss head 1024 x 768 x 16384, backward",
       "linear_cross_entropy_backward",
       {f32({t, f}), f32({v, f}), i32({t}), f32({t}), f32({1})},
       {}},
  };
}

void print(Isa isa, int thread_count) {
  Threads threads(thread_count);
  const double peak = fma_peak(isa, threads);
  const double memory = read_peak(threads);
  fmt::print("\n{}, {} thread{}: peak {:.1f} GFLOP/s, reads {:.1f} GB/s\n", name_of(isa), thread_count,
             thread_count == 1 ? "" : "s", peak * 1e-9, memory * 1e-9);
  fmt::print("{:<44} {:>9} {:>8} {:>8}\n", "", "GFLOP/s", "of peak", "GB/s");
  for (const Row& row : rows()) {
    Bench bench(isa, row.op, row.inputs, row.attributes);
    const double rate = bench.rate(threads);
    fmt::print("{:<44} {:>9.1f} {:>7.0f}% {:>8.1f}\n", row.name, rate * 1e-9, 100 * rate / peak,
               rate * bench.bytes_per_flop() * 1e-9);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace headroom::bench

int main(int argc, char** argv) {
  using namespace headroom;
  const std::string only_isa = argc > 1 ? argv[1] : "";
  const std::string only_threads = argc > 2 ? argv[2] : "";
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    if (!is_supported(isa) || (!only_isa.empty() && only_isa != name_of(isa))) continue;
    for (const int threads : {1, 2}) {
      if (threads > available_processors() || (!only_threads.empty() && only_threads != std::to_string(threads)))
        continue;
      bench::print(isa, threads);
    }
  }
  return 0;
}
