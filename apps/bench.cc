#include "headroom/verbs/bench.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "commands.h"
#include "headroom/base/bytes.h"
#include "headroom/base/console.h"
#include "headroom/verbs/bench_model.h"

namespace headroom {
namespace {

constexpr double kGiga = 1e9;

void print(const DiskRates& disk) {
  if (!disk.skipped.empty()) {
    print_result("  disk: not measured: {}\n", disk.skipped);
  } else {
    print_result("  {:<36} {:>8.2f} GB/s  direct, {} in {}\n", fmt::format("disk read, {} requests", disk.requests),
                 disk.read_bytes_per_second / kGiga, format_bytes(disk.file_bytes), disk.directory);
    print_result("  {:<36} {:>8.2f} GB/s\n", "disk read, 1 request", disk.single_read_bytes_per_second / kGiga);
    print_result("  {:<36} {:>8.2f} GB/s  synced\n", "disk write, 1 request", disk.write_bytes_per_second / kGiga);
  }
}

void print_case_header() { print_result("\n{:<50} {:>10} {:>17} {:>9}  of\n", "kernel", "ms", "rate", "share"); }

void print(const KernelCase& one, const CaseResult& result) {
  print_result("{:<50} {:>10.3f} {:>9.1f} {}", one.name, 1000 * result.seconds, result.rate / kGiga,
               counts_flops(one.limit) ? "GFLOP/s" : "GB/s   ");
  if (one.limit != Limit::none) print_result(" {:>7.1f} %  {}", 100 * result.share, name_of(one.limit));
  print_result("\n");
}

void print(const ModelRate& rate) {
  const std::string rows = rate.batch == 1 ? "" : fmt::format("{} x ", rate.batch);
  const double per_second = rate.flops_per_second > 0 ? rate.flops_per_second : rate.bytes_per_second;
  const bool computes = rate.flops_per_second > 0;
  const std::string spread = rate.runs == 1 ? "        one run" : fmt::format("{:>6.1f} % spread", 100 * rate.spread);
  print_result("{:<24} {:>10.{}f} tokens/s {} {:>9.1f} {}", fmt::format("{} {}{}", rate.test, rows, rate.tokens),
               rate.tokens_per_second, rate.tokens_per_second < 10 ? 3 : 1, spread, per_second / kGiga,
               computes ? "GFLOP/s" : "GB/s");
  if (rate.share > 0)
    print_result("{} {:>5.1f} % of {}", computes ? "" : "   ", 100 * rate.share, computes ? "fma" : "read");
  if (rate.file_bytes_per_second > 0) {
    print_result("; files {:.2f} GB/s", rate.file_bytes_per_second / kGiga);
    if (rate.file_share > 0) print_result(", {:.1f} % of the disk", 100 * rate.file_share);
    if (rate.experts_in_memory > 0) print_result(", {:.1f} % of the experts in memory", 100 * rate.experts_in_memory);
  }
  print_result("\n");
}

void bench(BenchOptions& options, bool json) {
  if (!json) {
    options.on_limits = [](const MachineLimits& limits, Isa isa, int threads) {
      print_result("{}, {}, {} thread{}\n{}", processor_name(), name_of(isa), threads, threads == 1 ? "" : "s",
                   describe(limits));
    };
    options.on_disk = [](const DiskRates& disk) { print(disk); };
    options.on_case = [first = true](const KernelCase& one, const CaseResult& result) mutable {
      if (std::exchange(first, false)) print_case_header();
      print(one, result);
    };
  }
  const nlohmann::ordered_json result = bench_kernels(options);
  if (json) print_result("{}\n", result.dump(2));
}

void bench(const ModelBenchOptions& options, bool json) {
  const auto show = [](const ModelRate& rate) { print(rate); };
  const nlohmann::ordered_json result = bench_model(
      options, json ? std::function<void(const ModelRate&)>() : std::function<void(const ModelRate&)>(show));
  if (json) print_result("{}\n", result.dump(2));
}

void add_model_flags(CLI::App& command, CLI::Option& model, ModelBenchOptions& options) {
  const auto add = [&](CLI::Option* option) { option->needs(&model)->group("With MODEL"); };
  add(command.add_option("--prompt", options.prompt, "Tokens that prefill reads, of each sequence; 0: no prefill"));
  add(command.add_option("--generate", options.generate,
                         "Tokens that decoding adds to an empty cache, for each sequence; 0: no decoding"));
  add(command.add_option("--batch", options.batch, "Sequences side by side; rows of a training step"));
  add(command.add_flag("--train", options.train, "Measure training steps, too: forward, backward, AdamW"));
  add(command.add_option("--seq-len", options.seq_len, "With --train: tokens of a row"));
  add(add_compute_flag(command, options.compute));
  add(add_cache_flag(command, options.kv_cache_dtype));
  add(command.add_option("--repeat", options.repeat, "Measure so often, after one run that warms up"));
}

}  // namespace

void add_bench_command(CLI::App& app) {
  struct Flags {
    BenchOptions kernels;
    ModelBenchOptions model;
    RunOptions run;
    bool json = false;
  };
  auto flags = std::make_shared<Flags>();
  CLI::App* command = app.add_subcommand(
      "bench", "Measure the machine's limits and each kernel's share of them, or the rates of a model");
  command->footer(
      "Examples:\n"
      "  headroom bench\n"
      "  headroom bench --filter matmul --threads 1\n"
      "  headroom bench tiny-124m --train --batch 4 --memory 6GiB\n"
      "HEADROOM_ISA=avx2 measures the kernels of that instruction set. A share compares with the limit measured in\n"
      "turn: fma, read, copy (memcpy) or update (in place).");
  CLI::Option* model = command->add_option(
      "model", flags->model.model,
      "A model directory or a .gguf file; or a preset's name or a config.json, with random weights");
  command->add_option("--filter", flags->kernels.filter, "Only the kernel cases whose name contains this, and no disk")
      ->excludes(model)
      ->group("Without MODEL");
  command
      ->add_option("--disk", flags->kernels.disk,
                   "Measure the disk of this directory, by a file that is gone at the end; otherwise that of the "
                   "temporary directory")
      ->excludes(model)
      ->group("Without MODEL");
  add_model_flags(*command, *model, flags->model);
  command->add_flag("--json", flags->json, "As JSON on standard output")->group("Output");
  add_run_flags(*command, flags->run);
  command->callback([flags] {
    static_cast<RunOptions&>(flags->kernels) = flags->run;
    static_cast<RunOptions&>(flags->model) = flags->run;
    if (flags->model.model.empty()) {
      bench(flags->kernels, flags->json);
    } else {
      bench(flags->model, flags->json);
    }
  });
}

}  // namespace headroom
