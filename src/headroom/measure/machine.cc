#include "headroom/measure/machine.h"

#include <cpuid.h>
#include <fmt/core.h>

#include <array>
#include <cstring>
#include <functional>
#include <tuple>

#include "headroom/measure/kernel_bench.h"

namespace headroom {
namespace {

// Medians of a few values that are measured in turn.
class Rounds {
 public:
  // `measure` is called once a round, and `result` gets the median.
  void add(double& result, std::function<double()> measure) { entries_.push_back({&result, std::move(measure), {}}); }

  void run(int rounds) {
    for (int round = 0; round <= rounds; ++round) {
      for (Entry& entry : entries_) {
        const double value = entry.measure();
        if (round > 0) entry.values.push_back(value);
      }
    }
    for (Entry& entry : entries_) *entry.result = median(entry.values);
  }

 private:
  struct Entry {
    double* result;
    std::function<double()> measure;
    std::vector<double> values;
  };
  std::vector<Entry> entries_;
};

}  // namespace

std::string processor_name() {
  std::array<unsigned, 12> words = {};
  for (unsigned part = 0; part < 3; ++part) {
    unsigned* four = words.data() + 4 * part;
    if (__get_cpuid(0x80000002 + part, four, four + 1, four + 2, four + 3) == 0) return "unknown processor";
  }
  std::array<char, sizeof(words) + 1> text = {};
  std::memcpy(text.data(), words.data(), sizeof(words));
  std::string name = text.data();
  name.erase(0, name.find_first_not_of(' '));
  while (name.ends_with(' ')) name.pop_back();
  for (char& c : name) {
    if (c < ' ' || c > '~') c = '?';
  }
  return name;
}

double MachineLimits::fma_flops_per_second(Isa isa, int threads) const {
  for (const FmaPeak& peak : fma) {
    if (peak.isa == base_of(isa) && peak.threads == threads) return peak.flops_per_second;
  }
  return 0;
}

double MachineLimits::fma_flops_per_second(const Backend& backend, int threads) const {
  return fma_flops_per_second(isa_of(backend), threads);
}

std::string describe(const MachineLimits& limits) {
  constexpr double kGiga = 1e9;
  const auto on = [](int threads) { return fmt::format("{} thread{}", threads, threads == 1 ? "" : "s"); };
  std::string text;
  for (const FmaPeak& peak : limits.fma) {
    text +=
        fmt::format("  {:<36} {:>8.1f} GFLOP/s\n", fmt::format("f32 FMA, {}, {}", name_of(peak.isa), on(peak.threads)),
                    peak.flops_per_second / kGiga);
  }
  for (const MemoryRates& rates : limits.memory) {
    for (const auto& [name, rate, note] :
         {std::tuple("read", rates.read_bytes_per_second, ""),
          std::tuple("copy", rates.copy_bytes_per_second, "  read + written, memcpy"),
          std::tuple("stream", rates.stream_bytes_per_second, "  read + written, stores past the cache"),
          std::tuple("update", rates.update_bytes_per_second, "  read + written where it lies")}) {
      text +=
          fmt::format("  {:<36} {:>8.1f} GB/s{}\n", fmt::format("{}, {}", name, on(rates.threads)), rate / kGiga, note);
    }
  }
  return text;
}

MachineLimits measure_limits(std::span<std::byte> memory, Threads& threads, int rounds) {
  Threads one(1);
  std::vector<Threads*> pools = {&one};
  if (threads.count() > 1) pools.push_back(&threads);
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    if (is_supported(isa)) isas.push_back(isa);
  }
  if (isas.empty()) isas.push_back(Isa::reference);

  MachineLimits limits;
  for (Threads* pool : pools) {
    for (const Isa isa : isas) limits.fma.push_back({isa, pool->count(), 0});
    limits.memory.push_back({.threads = pool->count()});
  }
  Rounds all;
  for (size_t i = 0; i < pools.size(); ++i) {
    Threads& pool = *pools[i];
    for (size_t j = 0; j < isas.size(); ++j) {
      all.add(limits.fma[i * isas.size() + j].flops_per_second, [&pool, isa = isas[j]] { return fma_rate(isa, pool); });
    }
    MemoryRates& rates = limits.memory[i];
    const auto add = [&](double& result, Limit limit) {
      all.add(result,
              [&pool, memory, limit] { return LimitProbes(cpu_backend(Isa::reference), memory, pool).measure(limit); });
    };
    add(rates.read_bytes_per_second, Limit::read);
    add(rates.copy_bytes_per_second, Limit::copy);
    add(rates.stream_bytes_per_second, Limit::stream);
    add(rates.update_bytes_per_second, Limit::update);
  }
  all.run(rounds);
  return limits;
}

}  // namespace headroom
