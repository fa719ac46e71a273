// The CPU as a backend: kernels of one of its instruction sets, the arena, and files through io_uring or threads.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "headroom/backend/arena.h"
#include "headroom/backend/isa.h"
#include "headroom/base/errors.h"

using headroom::KernelEntry;

// The linker's bounds of the tables that HEADROOM_KERNEL fills; null where a build has no such kernels.
#define HEADROOM_KERNELS(isa)                                                     \
  extern "C" {                                                                    \
  [[gnu::weak]] extern const KernelEntry* const __start_headroom_kernels_##isa[]; \
  [[gnu::weak]] extern const KernelEntry* const __stop_headroom_kernels_##isa[];  \
  }                                                                               \
  static std::span<const KernelEntry* const> kernels_of_##isa() {                 \
    return {__start_headroom_kernels_##isa, __stop_headroom_kernels_##isa};       \
  }
HEADROOM_KERNELS(reference)
HEADROOM_KERNELS(avx2)
HEADROOM_KERNELS(avx2_vnni)
HEADROOM_KERNELS(avx512)
HEADROOM_KERNELS(avx512_bf16)
HEADROOM_KERNELS(avx512_vnni)
HEADROOM_KERNELS(avx512_amx)

namespace headroom {
namespace {

std::span<const KernelEntry* const> table(Isa isa) {
  switch (isa) {
    case Isa::avx2: return kernels_of_avx2();
    case Isa::avx2_vnni: return kernels_of_avx2_vnni();
    case Isa::avx512: return kernels_of_avx512();
    case Isa::avx512_bf16: return kernels_of_avx512_bf16();
    case Isa::avx512_vnni: return kernels_of_avx512_vnni();
    case Isa::avx512_amx: return kernels_of_avx512_amx();
    case Isa::reference: break;
  }
  return kernels_of_reference();
}

class CpuBackend final : public Backend {
 public:
  // Kernels of the first of `isas` that has one; the last is the set that the others extend.
  explicit CpuBackend(std::vector<Isa> isas) : isas_(std::move(isas)), variant_(name_of(isas_.back())) {
    for (size_t i = 0; i + 1 < isas_.size(); ++i) {
      variant_ += name_of(isas_[i]).substr(name_of(isas_.back()).size());
    }
    for (const KernelEntry* entry : table(Isa::reference)) {
      if (entry->scratch_bytes != nullptr) with_scratch_.push_back(entry);
    }
  }

  std::string_view name() const override { return "cpu"; }
  std::string_view variant() const override { return variant_; }
  const std::vector<Isa>& isas() const { return isas_; }

  Kernel find_kernel(std::string_view op) const override {
    for (const Isa isa : isas_) {
      for (const KernelEntry* entry : table(isa)) {
        if (entry->op == op) return entry->run;
      }
    }
    return nullptr;
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

  bool has(Lane lane) const override { return lane != Lane::link; }

  std::unique_ptr<TransferStream> open_disk_lane(const std::string& directory, size_t most_requests,
                                                 bool copies) const override {
    std::unique_ptr<TransferStream> stream = copies ? nullptr : make_uring_stream(directory, most_requests);
    return stream ? std::move(stream) : make_thread_stream(directory, most_requests);
  }

 private:
  std::vector<Isa> isas_;
  std::string variant_;  // "avx512_amx_vnni"
  std::vector<const KernelEntry*> with_scratch_;
};

const CpuBackend& cpu_of(const Backend& backend) {
  const auto* cpu = dynamic_cast<const CpuBackend*>(&backend);
  ensure(cpu != nullptr, "the backend {} has no instruction sets of a CPU", backend.name());
  return *cpu;
}

const Backend& choose_cpu() {
  const std::vector<Isa> isas = choose_isas();
  if (isas.size() == 1 || (isas.size() == 2 && std::getenv("HEADROOM_ISA") != nullptr)) {
    return cpu_backend(isas.front());
  }
  static const CpuBackend best(isas);
  return best;
}

}  // namespace

const Backend& cpu_backend(Isa isa) {
  static const std::array<CpuBackend, kIsas.size()> backends = [] {
    const auto of = [](Isa one) {
      return CpuBackend(base_of(one) == one ? std::vector{one} : std::vector{one, base_of(one)});
    };
    return std::array<CpuBackend, kIsas.size()>{of(kIsas[0]), of(kIsas[1]), of(kIsas[2]), of(kIsas[3]),
                                                of(kIsas[4]), of(kIsas[5]), of(kIsas[6])};
  }();
  return backends[static_cast<size_t>(isa)];
}

Isa isa_of(const Backend& backend) { return cpu_of(backend).isas().back(); }

bool uses(const Backend& backend, Isa extension) {
  const std::vector<Isa>& isas = cpu_of(backend).isas();
  return std::find(isas.begin(), isas.end(), extension) != isas.end();
}

Kernel find_kernel(Isa isa, std::string_view op) { return cpu_backend(isa).find_kernel(op); }

}  // namespace headroom

static constexpr headroom::BackendEntry cpu{"cpu", &headroom::choose_cpu};
HEADROOM_BACKEND(cpu);
