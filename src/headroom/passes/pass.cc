#include "headroom/passes/pass.h"

#include <algorithm>
#include <chrono>

#include "headroom/base/errors.h"
#include "headroom/graph/verify.h"

namespace headroom {
namespace {

void check_disabled(const std::vector<Pass>& passes, const PassTrace& trace) {
  for (const std::string& name : trace.disabled) {
    const bool known = std::any_of(passes.begin(), passes.end(), [&](const Pass& pass) { return pass.name == name; });
    if (known) continue;
    std::string names;
    for (const Pass& pass : passes) names += fmt::format("{}{}", names.empty() ? "" : ", ", pass.name);
    throw InvalidInput("--disable-pass {}: this job has no such pass; expected one of {}", name, names);
  }
}

bool is_disabled(const PassTrace* trace, std::string_view name) {
  return trace != nullptr && std::find(trace->disabled.begin(), trace->disabled.end(), name) != trace->disabled.end();
}

}  // namespace

Graph run_passes(Graph graph, const std::vector<Pass>& passes, PassTrace* trace) {
  if (trace != nullptr) check_disabled(passes, *trace);
  for (const Pass& pass : passes) {
    if (is_disabled(trace, pass.name)) continue;
    const bool watched = trace != nullptr && trace->watch;
    const Graph before = watched ? graph : Graph{};
    const auto start = std::chrono::steady_clock::now();
    graph = pass.rewrite(std::move(graph));
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    try {
      verify(graph);
    } catch (const InternalError& error) {
      throw InternalError("after the pass {}: {}", pass.name, error.what());
    }
    if (trace != nullptr) trace->seconds.emplace_back(pass.name, elapsed.count());
    if (watched) trace->watch(pass.name, before, graph);
  }
  return graph;
}

}  // namespace headroom
