#include "headroom/plan/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr size_t kLargestInTable = 5;

std::string line(std::string_view what, int64_t bytes) {
  return fmt::format("  {:<18} {:>11}  {:>22}\n", what, format_bytes(bytes), format_count(bytes) + " B");
}

std::string rule() { return "  " + std::string(54, '-') + "\n"; }

const GraphPlan* peak_graph(const Plan& plan) {
  return plan.peak.graph < 0 ? nullptr : &plan.graphs[static_cast<size_t>(plan.peak.graph)];
}

}  // namespace

std::string words_of(Role role) {
  std::string words(name_of(role));
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

std::string breakdown(const Plan& plan) {
  std::string text;
  for (int role = 0; role < kRoles; ++role) {
    const int64_t bytes = plan.peak.bytes_by_role[static_cast<size_t>(role)];
    if (bytes > 0) text += fmt::format("{} {}, ", words_of(static_cast<Role>(role)), format_bytes(bytes));
  }
  return text + fmt::format("gaps {}", format_bytes(plan.arena_bytes - plan.lower_bound_bytes));
}

std::string plan_table(const Plan& plan, const ProcessBudget& budget) {
  std::string text = "Memory at the peak";
  if (const GraphPlan* graph = peak_graph(plan); graph != nullptr && plan.peak.node >= 0) {
    text += fmt::format(": {}, node {} of {} of '{}'", plan.peak.where, format_count(plan.peak.node + 1),
                        format_count(static_cast<int64_t>(graph->live_bytes.size())), graph->name);
  } else if (!plan.peak.where.empty()) {
    text += fmt::format(": {}", plan.peak.where);
  }
  text += "\n";
  for (int role = 0; role < kRoles; ++role) {
    const int64_t bytes = plan.peak.bytes_by_role[static_cast<size_t>(role)];
    if (bytes > 0) text += line(words_of(static_cast<Role>(role)), bytes);
  }
  text += line("gaps", plan.arena_bytes - plan.lower_bound_bytes) + rule();
  text += line("arena", plan.arena_bytes);
  text += line("process reserve", budget.reserve_bytes) + rule();
  text += line("predicted peak", predicted_peak_bytes(plan, budget));
  if (budget.budget_bytes > 0) text += line("budget", budget.budget_bytes);

  if (plan.host_bytes > 0) text += line("in the host's memory", plan.host_bytes);
  if (plan.model_bytes > 0) text += line("in the files", plan.model_bytes);
  if (plan.disk_bytes > 0) text += line("on disk", plan.disk_bytes);
  if (plan.disk_bytes > 0 || plan.model_bytes > 0) {
    for (const GraphPlan& graph : plan.graphs) {
      if (graph.disk_read_bytes + graph.disk_written_bytes == 0) continue;
      text += fmt::format("  '{}' reads {} from there and writes {}\n", graph.name, format_bytes(graph.disk_read_bytes),
                          format_bytes(graph.disk_written_bytes));
    }
  }

  text += "Largest at the peak\n";
  for (size_t i = 0; i < std::min(kLargestInTable, plan.peak.largest.size()); ++i) {
    const LiveValue& value = plan.peak.largest[i];
    text += fmt::format("  {:>30}  {} ({})\n", format_bytes(value.size_bytes), value.name, words_of(value.role));
  }
  return text;
}

nlohmann::ordered_json plan_json(const Plan& plan, const ProcessBudget& budget) {
  nlohmann::ordered_json json;
  if (budget.budget_bytes > 0) json["budget_bytes"] = budget.budget_bytes;
  json["predicted_peak_bytes"] = predicted_peak_bytes(plan, budget);
  json["arena_bytes"] = plan.arena_bytes;
  json["reserve_bytes"] = budget.reserve_bytes;
  json["persistent_bytes"] = plan.persistent_bytes;
  json["transient_bytes"] = plan.transient_bytes;
  json["lower_bound_bytes"] = plan.lower_bound_bytes;
  json["disk_bytes"] = plan.disk_bytes;
  json["model_bytes"] = plan.model_bytes;
  json["threads"] = plan.threads;

  nlohmann::ordered_json& peak = json["peak"];
  const GraphPlan* graph = peak_graph(plan);
  peak["graph"] = graph == nullptr ? "" : graph->name;
  peak["node"] = plan.peak.node;
  peak["where"] = plan.peak.where;
  for (int role = 0; role < kRoles; ++role) {
    peak["bytes_by_role"][std::string(name_of(static_cast<Role>(role)))] =
        plan.peak.bytes_by_role[static_cast<size_t>(role)];
  }
  peak["largest"] = nlohmann::ordered_json::array();
  for (const LiveValue& value : plan.peak.largest) {
    peak["largest"].push_back({{"name", value.name}, {"role", name_of(value.role)}, {"bytes", value.size_bytes}});
  }
  json["graphs"] = nlohmann::ordered_json::array();
  for (const GraphPlan& placed : plan.graphs) {
    json["graphs"].push_back({{"name", placed.name},
                              {"nodes", placed.live_bytes.size()},
                              {"transient_bytes", placed.transient_bytes},
                              {"lower_bound_bytes", placed.lower_bound_bytes},
                              {"disk_read_bytes", placed.disk_read_bytes},
                              {"disk_written_bytes", placed.disk_written_bytes}});
  }
  return json;
}

std::string largest_at_peak(const Plan& plan, size_t count) {
  std::string text = fmt::format("Largest at the peak, {}:", plan.peak.where);
  for (size_t i = 0; i < std::min(count, plan.peak.largest.size()); ++i) {
    const LiveValue& value = plan.peak.largest[i];
    text += fmt::format("{} {} ({}) {}", i == 0 ? "" : ",", value.name, words_of(value.role),
                        format_bytes(value.size_bytes));
  }
  return text;
}

}  // namespace headroom
