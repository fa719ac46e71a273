#include "headroom/api/run_report.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "headroom/backend/isa.h"
#include "headroom/base/atomic_file.h"
#include "headroom/base/bytes.h"
#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/base/quantity.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/plan/picture.h"
#include "headroom/plan/report.h"
#include "headroom/runtime/command_line.h"
#include "headroom/runtime/process_memory.h"

namespace headroom {
namespace {

ProcessBudget process_budget(const FittedJob& job) { return {job.reserve_bytes, job.budget.bytes}; }

void write_html(const FittedJob& job, const std::string& path, std::string_view title, const std::string& model) {
  const std::string temporary = path + std::string(kTemporarySuffix);
  std::ofstream out(temporary);
  write_picture(out, job, job.plan, process_budget(job),
                {.title = std::string(title),
                 .model = model,
                 .choice = fmt::format("{}, {} threads", job.choice, job.plan.threads),
                 .command = command_line(),
                 .forecast = job.forecast});
  out.close();
  if (!out || std::rename(temporary.c_str(), path.c_str()) != 0) {
    remove_tree(temporary);
    throw MachineFailure("--html {}: the picture cannot be written there; try another place", path);
  }
}

// A run must not find at its end that it has no place for what it says: the directory is made now.
void require_place(const char* flag, const std::string& path) {
  if (path.empty()) return;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    throw InvalidInput("{} {}: is a directory; expected the name of a file to write", flag, path);
  }
  if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error)) {
    throw InvalidInput("{} {}: is not a regular file; expected the name of a file to write", flag, path);
  }
  const std::string directory = parent_of(path);
  create_directories(directory);
  if (::access(directory.c_str(), W_OK) != 0) {
    throw InvalidInput("{} {}: cannot write into {}: {}; try another place", flag, path, directory,
                       describe_errno(errno));
  }
}

// "3.8 % more time".
std::string describe_time(double share) {
  const double percent = 100 * std::abs(share);
  if (percent < 0.05) return "no time";
  return fmt::format("{:.1f} % {} time", percent, share < 0 ? "less" : "more");
}

// What each technique saves and costs, and the time of a step with all of them; empty where nothing was predicted.
std::string describe_techniques(const FittedJob& job) {
  if (job.step_seconds <= 0) return "";
  const std::string parts = job.exchange_seconds == 0 ? ""
                                                      : fmt::format(" ({} of computing, {} of transfers)",
                                                                    format_seconds(job.compute_seconds),
                                                                    format_seconds(job.exchange_seconds));
  std::string text =
      fmt::format("Predicted time of a step: {}{}, by {}\n", format_seconds(job.step_seconds), parts, job.rates);
  for (const ChosenTechnique& one : job.techniques) {
    if (one.choice.empty() || (one.saved_bytes == 0 && one.seconds == 0 && !one.forced)) continue;
    text += fmt::format("  {:<24}", one.choice);
    if (one.saved_bytes != 0 || one.seconds != 0) {
      text +=
          fmt::format(" {} {}, {}", one.saved_bytes < 0 ? "takes" : "saves", format_bytes(std::abs(one.saved_bytes)),
                      describe_time(one.seconds / (job.step_seconds - one.seconds)));
    }
    text += one.forced ? " (forced)\n" : "\n";
  }
  return text;
}

nlohmann::ordered_json json_of(const ChosenTechnique& one) {
  return {{"name", one.name},
          {"choice", one.choice},
          {"forced", one.forced},
          {"saved_bytes", one.saved_bytes},
          {"seconds", one.seconds}};
}

}  // namespace

MemoryUse memory_use(const FittedJob& job) {
  MemoryUse use;
  use.budget_bytes = job.budget.bytes;
  use.predicted_peak_bytes = job.predicted_peak_bytes;
  use.measured_peak_bytes = peak_resident_bytes();
  use.arena_bytes = job.plan.arena_bytes;
  use.reserve_bytes = job.reserve_bytes;
  use.huge_page_bytes = huge_page_bytes();
  return use;
}

std::string describe_plan(const FittedJob& job, std::string_view title) {
  return fmt::format("{} ({}, {} threads)\n{}{}", title, job.choice, job.plan.threads,
                     plan_table(job.plan, process_budget(job)), describe_techniques(job) + job.forecast);
}

void announce_plan(const FittedJob& job, const RunOptions& options, std::string_view title, const std::string& model) {
  if (!options.html.empty()) write_html(job, options.html, title, model);
  if (options.quiet) return;
  if (!is_supported(Isa::avx2)) {
    print_note(
        "headroom: warning: this processor has no AVX2, FMA and F16C; the readable reference kernels run, with "
        "the same results, some hundred times slower\n");
  }
  write_note(describe_plan(job, title));
}

void announce_result(const MemoryUse& use, bool quiet) {
  if (quiet) return;
  print_note("memory: measured {} ({} in huge pages), predicted {}, budget {}\n", format_bytes(use.measured_peak_bytes),
             format_bytes(use.huge_page_bytes), format_bytes(use.predicted_peak_bytes), format_bytes(use.budget_bytes));
}

nlohmann::ordered_json report_of(const FittedJob& job) {
  nlohmann::ordered_json report = plan_json(job.plan, process_budget(job));
  report["predicted_peak_bytes"] = job.predicted_peak_bytes;
  report["measured_peak_bytes"] = peak_resident_bytes();
  report["huge_page_bytes"] = huge_page_bytes();
  report["choices"] = {job.choice};
  if (job.step_seconds > 0) {
    report["predicted_step_seconds"] = job.step_seconds;
    if (job.exchange_seconds > 0) {
      report["predicted_compute_seconds"] = job.compute_seconds;
      report["predicted_transfer_seconds"] = job.exchange_seconds;
    }
    report["rates"] = job.rates;
    report["techniques"] = nlohmann::ordered_json::array();
    for (const ChosenTechnique& one : job.techniques) report["techniques"].push_back(json_of(one));
  }
  report["isa"] = choose_backend().variant();
  return report;
}

LoadUse load_use(const LoadStatistics& statistics) { return {statistics.bytes, statistics.seconds}; }

void add_load(nlohmann::ordered_json& report, const LoadUse& use) {
  report["load_bytes"] = use.load_bytes;
  report["load_seconds"] = use.load_seconds;
}

void report_refusal(const RunOptions& options, const std::function<void()>& fit) {
  require_place("--report", options.report);
  require_place("--html", options.html);
  try {
    fit();
  } catch (const BudgetExceeded& error) {
    if (!options.report.empty()) {
      nlohmann::ordered_json report = {{"refused", error.what()}};
      if (error.smallest_budget_bytes > 0) report["smallest_budget_bytes"] = error.smallest_budget_bytes;
      report["budget_bytes"] = resolve_budget(options.memory).bytes;
      report["measured_peak_bytes"] = peak_resident_bytes();
      write_json(options.report, report);
    }
    throw;
  }
}

FittedJob fit_or_report(const RunOptions& options, const std::function<FittedJob()>& fit) {
  FittedJob job;
  report_refusal(options, [&] { job = fit(); });
  return job;
}

FittedJob fit_to_run(const RunOptions& options, const std::function<FittedJob()>& fit) {
  return fit_or_report(options, [&] { return fit_and_claim(fit); });
}

}  // namespace headroom
