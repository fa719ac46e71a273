// headroom's f32 products against OpenBLAS's, in turn in one process, on the shapes of training: the ratio of the
// median times (above 1: headroom is faster), with one thread and with two, against each of OpenBLAS's kernels that
// fits one of headroom's instruction sets. The library (Debian: libopenblas0-pthread) is opened when this runs, so
// nothing needs it for building.
//
//   bench_openblas [avx2|avx512 [THREADS]]
#include <dlfcn.h>
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "headroom/backend/arena.h"
#include "headroom/backend/isa.h"
#include "headroom/backend/matmul_blocks.h"
#include "headroom/measure/limit_probes.h"

namespace headroom::bench {
namespace {

constexpr int kRounds = 5;

using Sgemm = void (*)(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float* a,
                       int a_stride, const float* b, int b_stride, float beta, float* c, int c_stride);
constexpr int kRowMajor = 101, kPlain = 111, kTransposed = 112;

struct Shape {
  int64_t rows, columns, depth;
  bool transpose_a, transpose_b;
};

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  const int64_t tokens = 2048;
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{768, 768}, {768, 2048}, {2048, 768}}) {
    all.push_back({tokens, out, in, false, true});
    all.push_back({tokens, in, out, false, false});
    all.push_back({out, in, tokens, true, false});
  }
  return all;
}

template <class Work>
double seconds_of(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Threads of the other side may spin for a while after their work: they are given the time to fall asleep.
void settle(const Threads& threads) {
  if (threads.count() > 1) std::this_thread::sleep_for(std::chrono::milliseconds(60));
}

// For seconds after they start, threads may share a processor; works until the system has spread them.
void warm_up(Isa isa, Threads& threads) {
  for (double spent = 0; spent < 3;) spent += seconds_of([&] { fma_rate(isa, threads); });
}

void compare(const Shape& shape, Isa isa, Sgemm sgemm, std::span<std::byte> memory, Threads& threads) {
  const auto& [rows, columns, depth, transposes_a, transposes_b] = shape;
  const int64_t m = rows, n = columns, k = depth;
  const bool transpose_a = transposes_a, transpose_b = transposes_b;
  const Attributes attributes = {{"transpose_a", int64_t{transpose_a}}, {"transpose_b", int64_t{transpose_b}}};
  const Type types[] = {transpose_a ? f32({k, m}) : f32({m, k}), transpose_b ? f32({n, k}) : f32({k, n}), f32({m, n})};
  const int64_t scratch_bytes = product_scratch_bytes(threads.count());
  std::byte* next = memory.data() + scratch_bytes;
  std::vector<Tensor> tensors;
  for (const Type& type : types) {
    tensors.push_back({next, type});
    float* numbers = reinterpret_cast<float*>(next);
    for (int64_t i = 0; i < type.shape.elements(); ++i) numbers[i] = static_cast<float>(i * 37 % 101 - 50) * 0.01f;
    next += (type.bytes() + 4095) / 4096 * 4096;
  }
  const std::span<const Tensor> all(tensors);
  const Invocation call{all.first(2), all.last(1), attributes, memory.first(static_cast<size_t>(scratch_bytes)),
                        threads};
  const Kernel kernel = find_kernel(isa, "matmul");
  const auto ours = [&] { kernel(call); };
  const auto theirs = [&] {
    sgemm(kRowMajor, transpose_a ? kTransposed : kPlain, transpose_b ? kTransposed : kPlain, static_cast<int>(m),
          static_cast<int>(n), static_cast<int>(k), 1.0f, tensors[0].as<float>(), static_cast<int>(types[0].shape[1]),
          tensors[1].as<float>(), static_cast<int>(types[1].shape[1]), 0.0f, tensors[2].as<float>(),
          static_cast<int>(n));
  };
  std::vector<double> our_seconds;
  std::vector<double> their_seconds;
  for (int round = 0; round <= kRounds; ++round) {
    settle(threads);
    const double our_first = seconds_of(ours);
    const double our_second = seconds_of(ours);
    settle(threads);
    const double their_first = seconds_of(theirs);
    const double their_second = seconds_of(theirs);
    if (round == 0) continue;
    our_seconds.push_back(std::min(our_first, our_second));
    their_seconds.push_back(std::min(their_first, their_second));
  }
  const double flops = 2.0 * static_cast<double>(m * n * k);
  fmt::print("| {} {}x{}x{} | {:.1f} | {:.1f} | {:.2f} |\n",
             transpose_a   ? "dy^T x"
             : transpose_b ? "x W^T"
                           : "dy W",
             m, n, k, flops / median(our_seconds) * 1e-9, flops / median(their_seconds) * 1e-9,
             median(their_seconds) / median(our_seconds));
}

// One kind of OpenBLAS's kernels with one number of threads; both are read from the environment when it is opened.
int compare_all(Isa isa, const char* core_type, int thread_count) {
  setenv("OPENBLAS_CORETYPE", core_type, 1);
  setenv("OPENBLAS_NUM_THREADS", std::to_string(thread_count).c_str(), 1);
  void* handle = dlopen("libopenblas.so.0", RTLD_NOW);
  void* function = handle == nullptr ? nullptr : dlsym(handle, "cblas_sgemm");
  if (function == nullptr) {
    fmt::print(stderr, "{}\n", dlerror());
    return 1;
  }
  fmt::print("\n| {} against {}, threads: {} | headroom GFLOP/s | OpenBLAS GFLOP/s | ratio |\n", name_of(isa),
             core_type, thread_count);
  fmt::print("| --- | ---: | ---: | ---: |\n");
  Threads threads(thread_count);
  const Arena arena(128 * 1024 * 1024, threads);
  if (thread_count > 1) warm_up(isa, threads);
  for (const Shape& shape : shapes()) {
    compare(shape, isa, reinterpret_cast<Sgemm>(function), arena.bytes(), threads);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace headroom::bench

int main(int argc, char** argv) {
  using namespace headroom;
  const std::string only_isa = argc > 1 ? argv[1] : "";
  const std::string only_threads = argc > 2 ? argv[2] : "";
  const std::pair<Isa, const char*> sides[] = {{Isa::avx2, "HASWELL"}, {Isa::avx512, "SKYLAKEX"}};
  for (const auto& [isa, core_type] : sides) {
    if (!is_supported(isa) || (!only_isa.empty() && only_isa != name_of(isa))) continue;
    for (const int threads : {1, 2}) {
      if (!only_threads.empty() && only_threads != std::to_string(threads)) continue;
      const pid_t child = fork();  // the library chooses its kernels once in a process
      if (child == 0) {
        const int status = bench::compare_all(isa, core_type, threads);
        std::fflush(stdout);
        _exit(status);
      }
      int status = 0;
      if (child < 0 || waitpid(child, &status, 0) != child || status != 0) return 1;
    }
  }
  return 0;
}
