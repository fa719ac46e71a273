#include "headroom/verbs/bench.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "headroom/api/run_report.h"
#include "headroom/backend/arena.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/measure/machine_profile.h"
#include "headroom/runtime/budget.h"
#include "headroom/runtime/process_memory.h"
#include "headroom/runtime/progress.h"
#include "headroom/verbs/machine_rates.h"

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;

std::vector<KernelCase> chosen_cases(const BenchOptions& options, Isa isa) {
  if (isa == Isa::reference && options.filter.empty()) return {};
  std::vector<KernelCase> cases;
  for (KernelCase& one : all_kernel_cases()) {
    if (one.name.find(options.filter) != std::string::npos) cases.push_back(std::move(one));
  }
  if (cases.empty()) {
    throw InvalidInput("--filter {}: no case has that in its name; headroom bench without it prints all of them",
                       options.filter);
  }
  return cases;
}

void check_disk(const std::string& directory) {
  std::error_code error;
  if (directory.empty() || std::filesystem::is_directory(directory, error)) return;
  throw InvalidInput("--disk {}: there is no such directory; expected one on the disk to measure", directory);
}

// The budget's numbers: the limits' memory and the operands of the largest case lie side by side in one arena.
struct Memory {
  Budget budget;
  int64_t arena_bytes = 0;
  int64_t reserve_bytes = 0;
  std::shared_ptr<MemoryClaims> claims = nullptr;
  int64_t predicted_bytes() const { return arena_bytes + reserve_bytes; }
};

Memory fit(const BenchOptions& options, const std::vector<KernelCase>& cases, int threads) {
  Memory memory{.budget = resolve_budget(options.memory)};
  std::string_view largest = "the limits of the machine";
  int64_t operands = 0;
  for (const KernelCase& one : cases) {
    const int64_t bytes = KernelBench::memory_bytes(one, threads);
    if (bytes <= operands) continue;
    operands = bytes;
    largest = one.name;
  }
  memory.arena_bytes = LimitProbes::kMemoryBytes + operands;
  memory.reserve_bytes = reserve_bytes({.threads = threads,
                                        .graph_nodes = static_cast<int64_t>(cases.size()),
                                        .reading_threads = disk_probe_threads(),
                                        .arena_bytes = memory.arena_bytes});
  if (memory.predicted_bytes() > memory.budget.bytes) {
    throw BudgetExceeded(memory.predicted_bytes(),
                         "this does not fit --memory {}; the smallest budget that works is {}; largest: {}; try "
                         "--filter with smaller cases",
                         format_bytes_exactly(memory.budget.bytes), format_bytes_exactly(memory.predicted_bytes()),
                         largest);
  }
  memory.claims = std::make_shared<MemoryClaims>();
  const MemoryClaims::Turn turn(*memory.claims);
  check_machine(memory.predicted_bytes(), memory.budget, *memory.claims);
  memory.claims->claim(memory.predicted_bytes());
  return memory;
}

Json json_of(const DiskRates& disk) {
  if (!disk.skipped.empty()) return {{"skipped", disk.skipped}};
  return {{"directory", disk.directory},
          {"file_bytes", disk.file_bytes},
          {"requests", disk.requests},
          {"read_bytes_per_second", disk.read_bytes_per_second},
          {"single_read_bytes_per_second", disk.single_read_bytes_per_second},
          {"write_bytes_per_second", disk.write_bytes_per_second}};
}

Json json_of(const KernelCase& one, const CaseResult& result) {
  Json json = {{"name", one.name}, {"op", one.op}, {"limit", name_of(one.limit)}, {"seconds", result.seconds}};
  json["spread"] = result.spread;
  json["rounds"] = result.rounds;
  json[counts_flops(one.limit) ? "flops_per_second" : "bytes_per_second"] = result.rate;
  if (one.limit != Limit::none) json["share"] = result.share;
  return json;
}

}  // namespace

MachineLimits measure_machine(int thread_count, const std::string& disk) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(disk, error)) check_disk(disk);
  check_machine(LimitProbes::kMemoryBytes + resident_bytes(), Budget(), MemoryClaims());
  MachineLimits limits;
  {
    Threads threads(thread_count);
    const Arena arena(LimitProbes::kMemoryBytes, threads);
    limits = measure_and_remember(arena.bytes(), threads);
  }
  measure_rates(limits, choose_backend(), thread_count, disk);
  return limits;
}

Json bench_kernels(const BenchOptions& options) {
  restart_peak();
  const Backend& backend = choose_backend();
  const Isa isa = isa_of(backend);
  const int thread_count = threads_to_use(options.threads);
  const std::vector<KernelCase> cases = chosen_cases(options, isa);
  check_disk(options.disk);
  Memory memory;
  report_refusal(options, [&] { memory = fit(options, cases, thread_count); });

  Threads threads(thread_count);
  const Arena arena(memory.arena_bytes, threads);
  const std::span<std::byte> walked = arena.bytes().first(static_cast<size_t>(LimitProbes::kMemoryBytes));
  const std::span<std::byte> operands = arena.bytes().subspan(walked.size());
  Progress progress("measuring", options.quiet);
  const int64_t steps = static_cast<int64_t>(cases.size()) + 2;

  Json result;
  result["machine"] = {{"cpu", processor_name()},
                       {"processors", available_processors()},
                       {"isa", name_of(isa)},
                       {"threads", thread_count}};
  const MachineLimits limits = measure_and_remember(walked, threads);
  result["limits"] = json_of(limits);
  if (options.on_limits) options.on_limits(limits, isa, thread_count);
  if (options.filter.empty()) {
    progress.show(1, steps, {"disk"});
    const DiskRates disk = measure_disk(options.disk, walked);
    result["limits"]["disk"] = json_of(disk);
    progress.wipe();
    if (options.on_disk) options.on_disk(disk);
  }

  const LimitProbes probes(backend, walked, threads);
  result["cases"] = Json::array();
  for (size_t i = 0; i < cases.size(); ++i) {
    progress.show(static_cast<int64_t>(i) + 2, steps, {cases[i].name});
    const CaseResult measured = KernelBench(cases[i], backend, operands, threads).measure(probes);
    result["cases"].push_back(json_of(cases[i], measured));
    progress.wipe();
    if (options.on_case) options.on_case(cases[i], measured);
  }
  result["memory"] = {{"budget_bytes", memory.budget.bytes},
                      {"predicted_peak_bytes", memory.predicted_bytes()},
                      {"measured_peak_bytes", peak_resident_bytes()},
                      {"arena_bytes", memory.arena_bytes},
                      {"reserve_bytes", memory.reserve_bytes}};
  if (!options.report.empty()) write_json(options.report, result);
  return result;
}

}  // namespace headroom
