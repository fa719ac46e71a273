#include "headroom/api/bench.h"

#include <fmt/core.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "headroom/base/bytes.h"

namespace headroom {
namespace {

constexpr double kGiga = 1e9;

void print(const DiskRates& disk) {
  if (!disk.skipped.empty()) {
    fmt::print("  disk: not measured: {}\n", disk.skipped);
  } else {
    fmt::print("  {:<36} {:>8.2f} GB/s  direct, {} in {}\n", fmt::format("disk read, {} requests", disk.requests),
               disk.read_bytes_per_second / kGiga, format_bytes(disk.file_bytes), disk.directory);
    fmt::print("  {:<36} {:>8.2f} GB/s\n", "disk read, 1 request", disk.single_read_bytes_per_second / kGiga);
    fmt::print("  {:<36} {:>8.2f} GB/s  synced\n", "disk write, 1 request", disk.write_bytes_per_second / kGiga);
  }
  std::fflush(stdout);
}

void print_case_header() { fmt::print("\n{:<50} {:>10} {:>17} {:>9}  of\n", "kernel", "ms", "rate", "share"); }

void print(const KernelCase& one, const CaseResult& result) {
  fmt::print("{:<50} {:>10.3f} {:>9.1f} {}", one.name, 1000 * result.seconds, result.rate / kGiga,
             one.limit == Limit::fma ? "GFLOP/s" : "GB/s   ");
  if (one.limit != Limit::none) fmt::print(" {:>7.1f} %  {}", 100 * result.share, name_of(one.limit));
  fmt::print("\n");
  std::fflush(stdout);
}

}  // namespace

void add_bench_command(CLI::App& app) {
  auto options = std::make_shared<BenchOptions>();
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("bench", "Measure the machine's limits and each kernel's share of them");
  command->footer(
      "Examples:\n"
      "  headroom bench\n"
      "  headroom bench --filter matmul --threads 1\n"
      "HEADROOM_ISA=avx2 measures the kernels of that instruction set. A share compares a kernel with its limit "
      "measured\n"
      "beside it, in turn: fma, read, copy (memcpy) or update (in place).");
  command->add_option("--filter", options->filter, "Only the kernel cases whose name contains this, and no disk");
  command->add_option("--disk", options->disk,
                      "Measure the disk of this directory, by a file that is gone at the end; otherwise that of the "
                      "temporary directory");
  command->add_flag("--json", *json, "As JSON on standard output");
  command->add_option("--threads", options->threads, "Threads; 0: one for each available processor");
  add_memory_and_report_flags(*command, *options);
  command->callback([options, json] {
    if (!*json) {
      options->on_limits = [](const MachineLimits& limits, Isa isa, int threads) {
        fmt::print("{}, {}, {} thread{}\n{}", processor_name(), name_of(isa), threads, threads == 1 ? "" : "s",
                   describe(limits));
        std::fflush(stdout);
      };
      options->on_disk = [](const DiskRates& disk) { print(disk); };
      options->on_case = [first = true](const KernelCase& one, const CaseResult& result) mutable {
        if (std::exchange(first, false)) print_case_header();
        print(one, result);
      };
    }
    const nlohmann::ordered_json result = bench_kernels(*options);
    if (*json) fmt::print("{}\n", result.dump(2));
  });
}

}  // namespace headroom
