// What a run says about its memory: before it starts, when it is done, and in the JSON of --report.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "headroom/formats/weights/tensor_loader.h"
#include "headroom/headroom.h"
#include "headroom/runtime/fit.h"

namespace headroom {

// The budget's fields of `job`, and VmHWM as it stands now.
MemoryUse memory_use(const FittedJob& job);

// The choice and the plan's table (plan/report.h), for people.
std::string describe_plan(const FittedJob& job, std::string_view title);

// Before anything large is allocated: that description on standard error (unless options.quiet), and the picture at
// options.html, which says the model, too.
void announce_plan(const FittedJob& job, const RunOptions& options, std::string_view title, const std::string& model);

// predicted / measured / budget side by side, on standard error unless `quiet`.
void announce_result(const MemoryUse& use, bool quiet);

// The plan as JSON (plan/report.h) with measured_peak_bytes, choices and isa.
nlohmann::ordered_json report_of(const FittedJob& job);

LoadUse load_use(const LoadStatistics& statistics);
// Adds load_bytes and load_seconds.
void add_load(nlohmann::ordered_json& report, const LoadUse& use);

// Runs `fit` as fit_or_report does, for what is no job of graphs.
void report_refusal(const RunOptions& options, const std::function<void()>& fit);

// Runs `fit`; when the job does not fit, writes the refusal to options.report (with smallest_budget_bytes) and throws
// on. Before that, throws InvalidInput where options.report or options.html cannot be written.
FittedJob fit_or_report(const RunOptions& options, const std::function<FittedJob()>& fit);

// The same for a job that is run and not only planned: its memory is claimed (fit_and_claim).
FittedJob fit_to_run(const RunOptions& options, const std::function<FittedJob()>& fit);

}  // namespace headroom
