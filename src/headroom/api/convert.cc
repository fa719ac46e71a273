// convert(): a model's weights from one format, dtype or cut into files to another, as a stream.
#include <fmt/core.h>

#include <array>
#include <nlohmann/json.hpp>

#include "headroom/api/convert_format.h"
#include "headroom/api/output_paths.h"
#include "headroom/api/run_report.h"
#include "headroom/backend/arena.h"
#include "headroom/base/block_reader.h"
#include "headroom/base/bytes.h"
#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/runtime/interrupt.h"
#include "headroom/runtime/process_memory.h"
#include "headroom/runtime/progress.h"

namespace headroom {
namespace {

// Every format that convert writes.
constexpr std::array<const ConvertFormat*, 2> kFormats = {&kHuggingFaceFormat, &kGgufFormat};

// Staging memory from what a disk wants at its fastest to the least that does.
constexpr std::array<int64_t, 4> kStagingBytes = {48 * kMiB, 12 * kMiB, 3 * kMiB, 256 * kKiB};

const ConvertFormat& format_of(const ConvertOptions& options) {
  std::string names;
  for (const ConvertFormat* format : kFormats) {
    if (format->name == options.format) return *format;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", format->name);
  }
  throw InvalidInput("--format {}: expected one of {}", options.format, names);
}

FittedJob fit(const ConvertOptions& options, const Conversion& conversion) {
  ReserveInputs reserve;
  reserve.buffer_bytes = conversion.heap_bytes();
  reserve.text_bytes = config_bytes(options.model);
  std::vector<Candidate> candidates;
  for (const int64_t staging_bytes : kStagingBytes) {
    const bool is_least = staging_bytes == kStagingBytes.back();
    if (!is_least && staging_bytes > 2 * conversion.read_bytes()) continue;  // more than there is to read
    candidates.push_back(
        {fmt::format("blocks of {}", format_bytes(staging_bytes)), [] { return Job(); }, staging_bytes});
  }
  return fit_job(candidates, resolve_budget(options.memory), reserve);
}

void write_report(const ConvertOptions& options, const FittedJob& job, const ConvertResult& result) {
  nlohmann::ordered_json report = report_of(job);
  report["tensors"] = result.tensors;
  report["files"] = result.files;
  report["read_bytes"] = result.read_bytes;
  report["written_bytes"] = result.written_bytes;
  report["seconds"] = result.seconds;
  write_json(options.report, report);
}

}  // namespace

ConvertResult convert(const ConvertOptions& options) {
  restart_peak();
  const ConvertFormat& format = format_of(options);
  if (options.output.empty()) throw InvalidInput("--output: expected a place for the converted model");
  check_output_paths(outputs_of(options, {{"--output", options.output}}),
                     {{"MODEL", options.model}, {"--adapter", options.adapter}});
  const std::unique_ptr<Conversion> conversion = format.open(options);
  const FittedJob job = fit_to_run(options, [&] { return fit(options, *conversion); });
  if (options.verbose) announce_plan(job, options, "plan of the conversion", options.model);
  require_disk_space(options.output, conversion->written_bytes(), "the converted model");
  check_commit(job);

  ConvertResult result;
  result.tensors = conversion->tensors();
  result.files = conversion->files();
  result.read_bytes = conversion->read_bytes();
  {
    Threads threads(job.plan.threads);
    const Arena arena(job.plan.arena_bytes, threads);
    const InterruptGuard interrupt;
    Progress progress("converting", options.quiet);
    try {
      conversion->run(arena.bytes(), [&](int64_t done) {
        interrupt.check();
        progress.show(done, result.read_bytes);
      });
    } catch (const Interrupted& interrupted) {
      result.stopped_by_signal = interrupted.signal;
    }
    result.seconds = progress.elapsed_seconds();
    static_cast<MemoryUse&>(result) = memory_use(job);
  }
  result.written_bytes = conversion->written_bytes();
  if (result.stopped_by_signal != 0) return result;
  if (!options.report.empty()) write_report(options, job, result);
  if (!options.quiet) {
    print_note("{}: {} tensors, {} in {}, {:.1f} s\n", options.output, format_count(result.tensors),
               format_bytes(result.written_bytes),
               result.files == 1 ? "one file" : fmt::format("{} files", result.files), result.seconds);
  }
  announce_result(result, options.quiet);
  return result;
}

}  // namespace headroom
