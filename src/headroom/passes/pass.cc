#include "headroom/passes/pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "headroom/base/errors.h"
#include "headroom/graph/verify.h"

namespace headroom {
namespace {

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_disabled(const Pass& pass, PassTrace* trace) {
  if (trace == nullptr || !pass.optional) return false;
  if (!contains(trace->optional, pass.name)) trace->optional.emplace_back(pass.name);
  return contains(trace->disabled, pass.name);
}

}  // namespace

Graph run_passes(Graph graph, const std::vector<Pass>& passes, PassTrace* trace) {
  for (const Pass& pass : passes) {
    if (is_disabled(pass, trace)) continue;
    const bool watched = trace != nullptr && trace->watch;
    const Graph before = watched ? graph : Graph{};
    const auto start = std::chrono::steady_clock::now();
    graph = pass.rewrite(std::move(graph));
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    try {
      if (trace == nullptr || trace->verifies) verify(graph);
    } catch (const InternalError& error) {
      throw InternalError("after the pass {}: {}", pass.name, error.what());
    }
    if (trace != nullptr) trace->seconds.emplace_back(pass.name, elapsed.count());
    if (watched) trace->watch(pass.name, before, graph);
  }
  return graph;
}

void check_disabled(const PassTrace& trace) {
  for (const std::string& name : trace.disabled) {
    if (contains(trace.optional, name)) continue;
    throw InvalidInput("--disable-pass {}: this job has no such pass that could be left out; expected one of {}", name,
                       fmt::join(trace.optional, ", "));
  }
}

}  // namespace headroom
