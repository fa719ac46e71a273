// The CPU as a backend: kernels of one of its instruction sets, the arena, and files through io_uring or threads.
#include <algorithm>
#include <vector>

#include "headroom/backend/arena.h"
#include "headroom/backend/isa.h"
#include "headroom/base/errors.h"

using headroom::KernelEntry;

// The linker's bounds of the tables that HEADROOM_KERNEL fills; null where a build has no such kernels.
extern "C" {
[[gnu::weak]] extern const KernelEntry* const __start_headroom_kernels_reference[];
[[gnu::weak]] extern const KernelEntry* const __stop_headroom_kernels_reference[];
[[gnu::weak]] extern const KernelEntry* const __start_headroom_kernels_avx2[];
[[gnu::weak]] extern const KernelEntry* const __stop_headroom_kernels_avx2[];
[[gnu::weak]] extern const KernelEntry* const __start_headroom_kernels_avx512[];
[[gnu::weak]] extern const KernelEntry* const __stop_headroom_kernels_avx512[];
[[gnu::weak]] extern const KernelEntry* const __start_headroom_kernels_avx512_bf16[];
[[gnu::weak]] extern const KernelEntry* const __stop_headroom_kernels_avx512_bf16[];
}

namespace headroom {
namespace {

std::span<const KernelEntry* const> table(Isa isa) {
  switch (isa) {
    case Isa::avx2: return {__start_headroom_kernels_avx2, __stop_headroom_kernels_avx2};
    case Isa::avx512: return {__start_headroom_kernels_avx512, __stop_headroom_kernels_avx512};
    case Isa::avx512_bf16: return {__start_headroom_kernels_avx512_bf16, __stop_headroom_kernels_avx512_bf16};
    case Isa::reference: break;
  }
  return {__start_headroom_kernels_reference, __stop_headroom_kernels_reference};
}

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(Isa isa) : isa_(isa) {
    for (const KernelEntry* entry : table(Isa::reference)) {
      if (entry->scratch_bytes != nullptr) with_scratch_.push_back(entry);
    }
  }

  std::string_view name() const override { return "cpu"; }
  std::string_view variant() const override { return name_of(isa_); }
  Isa isa() const { return isa_; }

  Kernel find_kernel(std::string_view op) const override {
    for (const KernelEntry* entry : table(isa_)) {
      if (entry->op == op) return entry->run;
    }
    return isa_ == Isa::avx512_bf16 ? cpu_backend(Isa::avx512).find_kernel(op) : nullptr;
  }

  int64_t scratch_bytes(std::string_view op, const TypedNode& node, int threads) const override {
    for (const KernelEntry* entry : with_scratch_) {
      if (entry->op == op) return entry->scratch_bytes(node, threads);
    }
    return 0;
  }

  std::unique_ptr<DeviceMemory> commit_memory(int64_t size_bytes, Threads& threads) const override {
    return std::make_unique<Arena>(size_bytes, threads);
  }

  bool has(Lane lane) const override { return lane == Lane::compute || lane == Lane::disk; }

  std::unique_ptr<TransferStream> open_disk_lane(OffloadFile& file, size_t most_requests) const override {
    std::unique_ptr<TransferStream> stream = make_uring_stream(file, most_requests);
    return stream ? std::move(stream) : make_thread_stream(file, most_requests);
  }

 private:
  Isa isa_;
  std::vector<const KernelEntry*> with_scratch_;
};

const Backend& choose_cpu() { return cpu_backend(choose_isa()); }

}  // namespace

const Backend& cpu_backend(Isa isa) {
  static const CpuBackend backends[] = {CpuBackend(Isa::reference), CpuBackend(Isa::avx2), CpuBackend(Isa::avx512),
                                        CpuBackend(Isa::avx512_bf16)};
  return backends[static_cast<size_t>(isa)];
}

Isa isa_of(const Backend& backend) {
  const auto* cpu = dynamic_cast<const CpuBackend*>(&backend);
  ensure(cpu != nullptr, "the backend {} has no instruction sets of a CPU", backend.name());
  return cpu->isa();
}

Kernel find_kernel(Isa isa, std::string_view op) { return cpu_backend(isa).find_kernel(op); }

}  // namespace headroom

static constexpr headroom::BackendEntry cpu{"cpu", &headroom::choose_cpu};
HEADROOM_BACKEND(cpu);
