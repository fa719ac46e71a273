#include "headroom/api/conversion.h"

#include <fmt/core.h>

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "headroom/api/run_report.h"
#include "headroom/backend/arena.h"
#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/runtime/interrupt.h"
#include "headroom/runtime/process_memory.h"
#include "headroom/runtime/progress.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;

// Staging memory from what a disk wants at its fastest down; the conversion says what the least is that does.
constexpr std::array<int64_t, 3> kStagingBytes = {48 * kMiB, 12 * kMiB, 3 * kMiB};

FittedJob fit_conversion(const Conversion& conversion, const RunOptions& options, const std::string& model) {
  ReserveInputs reserve;
  reserve.threads = conversion.threads();
  reserve.buffer_bytes = conversion.heap_bytes();
  reserve.text_bytes = config_bytes(model);
  std::vector<Candidate> candidates;
  const auto add = [&](int64_t staging_bytes) {
    candidates.push_back(
        {fmt::format("blocks of {}", format_bytes(staging_bytes)), [] { return Job(); }, staging_bytes});
  };
  for (const int64_t staging_bytes : kStagingBytes) {
    const bool is_needed = staging_bytes <= 2 * conversion.read_bytes();
    if (is_needed && staging_bytes > conversion.least_staging_bytes()) add(staging_bytes);
  }
  add(conversion.least_staging_bytes());
  return fit_job(candidates, resolve_budget(options.memory), reserve);
}

nlohmann::ordered_json describe_conversion(const FittedJob& job, const ConvertResult& result) {
  nlohmann::ordered_json report = report_of(job);
  report["tensors"] = result.tensors;
  report["files"] = result.files;
  report["read_bytes"] = result.read_bytes;
  report["written_bytes"] = result.written_bytes;
  report["seconds"] = result.seconds;
  return report;
}

}  // namespace

void expect_new_directory(const std::string& output) {
  std::error_code error;
  if (fs::exists(output, error) && !(fs::is_directory(output) && fs::is_empty(output))) {
    throw InvalidInput("--output {}: it exists and is not an empty directory; choose another", output);
  }
}

ConvertResult run_conversion(Conversion& conversion, const RunOptions& options, const ConversionPaths& paths,
                             const ConversionWords& words,
                             const std::function<void(nlohmann::ordered_json& report)>& add) {
  const FittedJob job = fit_to_run(options, [&] { return fit_conversion(conversion, options, paths.model); });
  if (options.verbose) announce_plan(job, options, fmt::format("plan of the {}", words.noun), paths.model);
  require_disk_space(paths.output, conversion.written_bytes(), std::string(words.made));
  check_commit(job);

  ConvertResult result;
  result.tensors = conversion.tensors();
  result.files = conversion.files();
  result.read_bytes = conversion.read_bytes();
  {
    Threads threads(job.plan.threads);
    const Arena arena(job.plan.arena_bytes, threads);
    const InterruptGuard interrupt;
    Progress progress(words.doing, options.quiet);
    try {
      conversion.run(arena.bytes(), threads, [&](int64_t done) {
        interrupt.check();
        progress.show(done, result.read_bytes);
      });
    } catch (const Interrupted& interrupted) {
      result.stopped_by_signal = interrupted.signal;
    }
    result.seconds = progress.elapsed_seconds();
    static_cast<MemoryUse&>(result) = memory_use(job);
  }
  result.written_bytes = conversion.written_bytes();
  if (result.stopped_by_signal != 0) return result;
  if (!options.report.empty()) {
    nlohmann::ordered_json report = describe_conversion(job, result);
    if (add) add(report);
    write_json(options.report, report);
  }
  if (!options.quiet) {
    print_note("{}: {} tensors, {} in {}, {:.1f} s\n", paths.output, format_count(result.tensors),
               format_bytes(result.written_bytes),
               result.files == 1 ? "one file" : fmt::format("{} files", result.files), result.seconds);
  }
  announce_result(result, options.quiet);
  return result;
}

}  // namespace headroom
