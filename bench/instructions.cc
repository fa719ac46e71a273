// One call of a kernel on a small fixed shape, for bench/instructions.py to count: bench_instructions ISA OP.
#include <fmt/core.h>

#include <string_view>

#include "headroom/backend/arena.h"
#include "headroom/base/errors.h"
#include "headroom/measure/kernel_bench.h"

int main(int argc, char** argv) {
  using namespace headroom;
  const KernelCase cases[] = {
      {.name = "matmul",
       .op = "matmul",
       .inputs = {f32({96, 160}), f32({192, 160})},
       .attributes = {{"transpose_a", int64_t{0}}, {"transpose_b", int64_t{1}}}},
      {.name = "rms_norm", .op = "rms_norm", .inputs = {f32({64, 768}), f32({768})}, .attributes = {{"eps", 1e-6}}},
  };
  const std::string_view isa_name = argc == 3 ? argv[1] : "";
  const std::string_view op = argc == 3 ? argv[2] : "";
  for (const Isa isa : {Isa::reference, Isa::avx2, Isa::avx512}) {
    for (const KernelCase& one : cases) {
      if (isa_name != name_of(isa) || op != one.op) continue;
      if (!is_supported(isa)) return 0;
      Threads threads(1);
      const Arena arena(KernelBench::memory_bytes(one, 1), threads);
      KernelBench(one, cpu_backend(isa), arena.bytes(), threads).run();
      return 0;
    }
  }
  fmt::print(stderr, "bench_instructions ISA OP: reference, avx2 or avx512; matmul or rms_norm\n");
  return 2;
}
