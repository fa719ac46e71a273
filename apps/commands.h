// The verbs of the command line, one file each. Every function adds a subcommand whose callback does the job and throws
// the errors of base/errors.h; main turns them into one sentence and an exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "headroom/headroom.h"
#include "headroom/runtime/interrupt.h"

namespace headroom {

void add_plan_command(CLI::App& app);
void add_init_command(CLI::App& app);
void add_train_command(CLI::App& app);
void add_generate_command(CLI::App& app);
void add_eval_command(CLI::App& app);
void add_convert_command(CLI::App& app);
void add_quantize_command(CLI::App& app);
void add_tokenize_command(CLI::App& app);
void add_inspect_command(CLI::App& app);
void add_bench_command(CLI::App& app);

// One sentence about a command line that cannot be parsed.
std::string usage_error(const CLI::App& app, const CLI::ParseError& error);

// Whole numbers of all verbs are decimal, within 64 bits, and where there is no sign to them not negative.
void check_whole_numbers(CLI::App& app);
// Of the terminal that standard output is; 0: it is none.
size_t help_columns();
// The text of --help in lines of at most so many columns (0: as long as they are), descriptions under each other.
std::string wrap_help(const std::string& text, size_t columns);

// --ignore-unknown-fields, of every verb that opens a model.
void add_unknown_fields_flag(CLI::App& command, bool& ignore_unknown_fields);
// Of those, the ones of a verb that runs no graph: --memory, --report, --quiet, --verbose, --ignore-unknown-fields.
void add_memory_and_report_flags(CLI::App& command, RunOptions& options);
// The flags of every verb that runs: --memory, --threads, --report, --html, --quiet, --verbose, --dump-passes,
// --disable-pass.
void add_run_flags(CLI::App& command, RunOptions& options);

// --compute, of a verb that runs a model without training it.
CLI::Option* add_compute_flag(CLI::App& command, std::string& compute);
// --kv-cache-dtype, of the same verbs.
CLI::Option* add_cache_flag(CLI::App& command, std::string& kv_cache_dtype);

// --disk and --disk-limit, of a verb whose job may leave the memory.
void add_disk_flags(CLI::App& command, RunOptions& options);

// The flags of a training job but --output and --seed, which `plan --task train` takes too.
void add_train_flags(CLI::App& command, TrainOptions& options);
// Names of the command's flags that were not given ("--lr").
std::vector<std::string> unset_flags(const CLI::App& command);
// The flags of a generation job; likewise. Where both are, --seed is one.
void add_generate_flags(CLI::App& command, GenerateOptions& options);

}  // namespace headroom
