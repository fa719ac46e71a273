#include "commands.h"

namespace headroom {

void add_unknown_fields_flag(CLI::App& command, bool& ignore_unknown_fields) {
  command.add_flag("--ignore-unknown-fields", ignore_unknown_fields,
                   "Pass over fields of config.json that are unknown here and might change the numbers");
}

void add_memory_and_report_flags(CLI::App& command, RunOptions& options) {
  command
      .add_option("--memory", options.memory,
                  "Budget of the whole process: 512MiB, 7GiB, 24GB, or auto (what is safe now)")
      ->group("Memory");
  command.add_option("--report", options.report, "Write a JSON report of the run to this file")->group("Output");
  add_unknown_fields_flag(command, options.ignore_unknown_fields);
  command.add_flag("--quiet", options.quiet, "Nothing on standard error but errors")->group("Output");
  command.add_flag("--verbose", options.verbose, "Say more: the plan, what each pass took")->group("Output");
}

void add_run_flags(CLI::App& command, RunOptions& options) {
  add_memory_and_report_flags(command, options);
  command.add_option("--threads", options.threads, "Threads; 0: one for each available processor")->group("Memory");
  command.add_option("--html", options.html, "Write a picture of the plan, memory over time, to this file")
      ->group("Output");
  command
      .add_option("--dump-passes", options.dump_passes,
                  "Write each graph after each pass, and what the pass changed, to this directory")
      ->group("Debugging");
  command.add_option("--disable-pass", options.disable_passes, "Leave this pass out")->group("Debugging");
}

CLI::Option* add_compute_flag(CLI::App& command, std::string& compute) {
  return command
      .add_option(
          "--compute", compute,
          "What products with quantised weights compute in: f32, on the weights decoded; int8, whole numbers, "
          "with the other factor rounded to 8 bits, several times as fast; auto: int8 where weights are quantised")
      ->group("Numbers");
}

CLI::Option* add_cache_flag(CLI::App& command, std::string& kv_cache_dtype) {
  return command
      .add_option("--kv-cache-dtype", kv_cache_dtype,
                  "What keys and values are kept in: f32, whose bits are those of training; bf16 or f16; q8 or q4, "
                  "8 or 4 bits with a scale for each 32 elements of a head")
      ->group("Memory");
}

void add_disk_flags(CLI::App& command, RunOptions& options) {
  command
      .add_option("--host-memory", options.host_memory,
                  "Bytes of the host's memory for what does not fit in a device's own. A CPU computes in the host's "
                  "memory: there --memory is all there is")
      ->group("Memory");
  command
      .add_option(
          "--disk", options.disk,
          "Directory for what does not fit in memory; without it nothing leaves memory. The disk must have room "
          "at the start; nothing is left there at the end")
      ->group("Memory");
  command.add_option("--disk-limit", options.disk_limit, "The most that may be kept there: 40GB")->group("Memory");
}

}  // namespace headroom
