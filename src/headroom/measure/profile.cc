#include "headroom/measure/profile.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/measure/memory_page.h"
#include "headroom/measure/text_file.h"
#include "headroom/plan/cost_model.h"

namespace headroom {
namespace {

constexpr double kNano = 1e-9;
constexpr double kGiga = 1e9;
constexpr size_t kNodesListed = 8;  // of those with most memory

double seconds_of(int64_t ns) { return kNano * static_cast<double>(ns); }

double rate(double amount, double seconds) { return seconds > 0 ? amount / seconds : 0; }

// The highest rate at which memory moved bytes: a bound for any mixture of reading and writing.
double memory_rate(const MachineLimits& limits, int threads) {
  for (const MemoryRates& rates : limits.memory) {
    if (rates.threads == threads) {
      return std::max({rates.read_bytes_per_second, rates.copy_bytes_per_second, rates.stream_bytes_per_second,
                       rates.update_bytes_per_second});
    }
  }
  return 0;
}

std::string share_text(double share) { return share > 0 ? fmt::format("{:.0f} %", 100 * share) : "-"; }

}  // namespace

Profile::Profile(Workspace& workspace, std::string_view schedule, const std::string& directory,
                 const MachineLimits& limits, const ProcessBudget& budget)
    : workspace_(workspace),
      last_graph_(static_cast<size_t>(last_row(workspace.plan().schedule(schedule)).graph)),
      runs_of_last_(runs_of(workspace.plan().schedule(schedule), workspace.executors().size())[last_graph_]),
      directory_(directory),
      budget_(budget),
      flops_limit_(limits.fma_flops_per_second(workspace.backend(), workspace.threads().count())),
      bytes_limit_(memory_rate(limits, workspace.threads().count())) {
  create_directories(directory);
  std::vector<const Graph*> graphs;
  for (const auto& executor : workspace.executors()) {
    graphs.push_back(&executor->graph());
    graphs_.push_back({.graph = &executor->graph(),
                       .live_bytes = workspace.plan().graphs[graphs_.size()].live_bytes,
                       .node_ns = std::vector<int64_t>(executor->graph().nodes.size())});
  }
  workspace.observe(this);
  trace_ = std::make_unique<TraceFile>(directory + "/trace.json", graphs);
}

Profile::~Profile() { workspace_.observe(nullptr); }

void Profile::forget() {
  for (GraphTimes& times : graphs_) {
    times.runs = times.total_ns = 0;
    std::fill(times.node_ns.begin(), times.node_ns.end(), 0);
  }
  first_ns_ = 0;
}

size_t Profile::place_of_graph(const Graph& graph) const {
  const auto found =
      std::find_if(graphs_.begin(), graphs_.end(), [&](const GraphTimes& times) { return times.graph == &graph; });
  ensure(found != graphs_.end(), "a run of a graph that is none of the profile's");
  return static_cast<size_t>(found - graphs_.begin());
}

void Profile::on_node(const Graph& graph, size_t node, int64_t moment_ns) {
  if (steps_ > 1) return;
  if (timeline_step_ != steps_) {
    timeline_.restart();
    timeline_step_ = steps_;
    timeline_begin_ns_ = 0;
  }
  const size_t place = place_of_graph(graph);
  timeline_.add(moment_ns, graphs_[place].live_bytes[node], static_cast<int32_t>(place), static_cast<int32_t>(node));
}

void Profile::on_exchange(const Graph& graph, size_t begins, int64_t begin_ns, int64_t done_ns) {
  if (steps_ >= 1 && steps_ <= kTracedSteps) trace_->add_exchange(graph, begins, begin_ns, done_ns);
}

void Profile::on_run(const Graph& graph, std::span<const int64_t> moments_ns) {
  if (steps_ == 1 && !warm_) {
    forget();
    warm_ = true;
  }
  const size_t place = place_of_graph(graph);
  GraphTimes& times = graphs_[place];
  if (timeline_begin_ns_ == 0) timeline_begin_ns_ = moments_ns.front();
  if (first_ns_ == 0) first_ns_ = moments_ns.front();
  last_ns_ = moments_ns.back();
  ++times.runs;
  times.total_ns += moments_ns.back() - moments_ns.front();
  for (size_t i = 0; i < times.node_ns.size(); ++i) times.node_ns[i] += moments_ns[i + 1] - moments_ns[i];
  if (warm_ && steps_ <= kTracedSteps) trace_->add(graph, moments_ns, times.live_bytes);
  if (place == last_graph_ && ++last_runs_ == runs_of_last_) {
    ++steps_;
    last_runs_ = 0;
  }
}

std::vector<OpProfile> Profile::ops() const {
  std::vector<OpProfile> ops;
  for (const GraphTimes& times : graphs_) {
    if (times.runs == 0) continue;
    const double runs = static_cast<double>(times.runs);
    for (size_t i = 0; i < times.node_ns.size(); ++i) {
      const Node& node = times.graph->nodes[i];
      auto op = std::find_if(ops.begin(), ops.end(), [&](const OpProfile& one) {
        return one.op == node.op->name() && one.phase == node.phase;
      });
      if (op == ops.end()) op = ops.insert(op, {.op = node.op->name(), .phase = node.phase});
      const Price price = price_of(*times.graph, node);
      op->calls += times.runs;
      op->seconds += seconds_of(times.node_ns[i]);
      op->flops += runs * price.flops;
      op->bytes += runs * price.bytes;
      op->live_bytes = std::max(op->live_bytes, times.live_bytes[i]);
      op->least_seconds += runs * std::max(rate(price.flops, flops_limit_), rate(price.bytes, bytes_limit_));
    }
  }
  std::stable_sort(ops.begin(), ops.end(),
                   [](const OpProfile& a, const OpProfile& b) { return a.seconds > b.seconds; });
  return ops;
}

// All nodes of the graphs that ran, for who sorts them by memory or time.
void Profile::write_nodes() const {
  TextFile file(directory_ + "/nodes.csv");
  file.write("graph,node,phase,scope,op,runs,seconds,live_bytes\n");
  for (const GraphTimes& times : graphs_) {
    for (size_t i = 0; times.runs > 0 && i < times.node_ns.size(); ++i) {
      const Node& node = times.graph->nodes[i];
      file.write(fmt::format("{},{},{},{},{},{},{:.9f},{}\n", times.graph->name, i, name_of(node.phase),
                             node.segment.name, node.op->name(), times.runs, seconds_of(times.node_ns[i]),
                             times.live_bytes[i]));
    }
  }
  file.commit();
}

// The nodes at which most is alive; of several with the same bytes in a row the first.
std::string Profile::memory_table() const {
  struct Place {
    const GraphTimes* times;
    size_t node;
    int64_t live_bytes;
  };
  std::vector<Place> places;
  for (const GraphTimes& times : graphs_) {
    for (size_t i = 0; times.runs > 0 && i < times.node_ns.size(); ++i) {
      if (i == 0 || times.live_bytes[i] != times.live_bytes[i - 1]) places.push_back({&times, i, times.live_bytes[i]});
    }
  }
  const size_t listed = std::min(places.size(), kNodesListed);
  std::partial_sort(places.begin(), places.begin() + static_cast<std::ptrdiff_t>(listed), places.end(),
                    [](const Place& a, const Place& b) { return a.live_bytes > b.live_bytes; });
  std::string table = fmt::format("most memory: of {} in the arena\n  {:>10}  {:>5} {:<18} where\n",
                                  format_bytes(workspace_.plan().arena_bytes), "alive", "node", "graph");
  for (size_t i = 0; i < listed; ++i) {
    table += fmt::format("  {:>10}  {:>5} {:<18} {}\n", format_bytes(places[i].live_bytes), places[i].node,
                         places[i].times->graph->name, place_of(places[i].times->graph->nodes[places[i].node]));
  }
  return table;
}

std::string Profile::finish() {
  trace_->finish();
  write_nodes();
  std::vector<const Graph*> graphs;
  for (const GraphTimes& times : graphs_) graphs.push_back(times.graph);
  write_memory_page(directory_ + "/memory.html",
                    {workspace_.plan(), budget_, graphs, timeline_.points(), timeline_begin_ns_});
  const bool has_limits = flops_limit_ > 0 && bytes_limit_ > 0;
  const double wall = seconds_of(last_ns_ - first_ns_);
  const int64_t counted = warm_ ? steps_ - 1 : steps_;

  nlohmann::ordered_json json;
  json["isa"] = workspace_.backend().variant();
  json["threads"] = workspace_.threads().count();
  if (has_limits) json["limits"] = {{"flops_per_second", flops_limit_}, {"bytes_per_second", bytes_limit_}};
  json["steps"] = counted;
  json["seconds"] = wall;
  double inside = 0;
  json["graphs"] = nlohmann::ordered_json::array();
  for (const GraphTimes& times : graphs_) {
    inside += seconds_of(times.total_ns);
    json["graphs"].push_back({{"name", times.graph->name},
                              {"nodes", times.graph->nodes.size()},
                              {"runs", times.runs},
                              {"seconds", seconds_of(times.total_ns)}});
  }
  json["outside_seconds"] = wall - inside;

  std::string table = fmt::format("profile: {} step{}, {:.3f} s, of which {:.3f} s in ops\n", counted,
                                  counted == 1 ? "" : "s", wall, inside);
  table += fmt::format("  {:<36} {:<9} {:>8} {:>10} {:>7} {:>9} {:>8} {:>9} {:>11}\n", "op", "phase", "calls",
                       "seconds", "share", "GFLOP/s", "GB/s", "of limit", "alive");
  json["ops"] = nlohmann::ordered_json::array();
  for (const OpProfile& op : ops()) {
    const double share = rate(op.seconds, inside);
    const double of_limit = has_limits ? rate(op.least_seconds, op.seconds) : 0;
    table += fmt::format("  {:<36} {:<9} {:>8} {:>10.3f} {:>5.1f} % {:>9.1f} {:>8.1f} {:>9} {:>11}\n", op.op,
                         name_of(op.phase), op.calls, op.seconds, 100 * share, rate(op.flops, op.seconds) / kGiga,
                         rate(op.bytes, op.seconds) / kGiga, share_text(of_limit), format_bytes(op.live_bytes));
    nlohmann::ordered_json row = {{"op", op.op},
                                  {"phase", name_of(op.phase)},
                                  {"calls", op.calls},
                                  {"seconds", op.seconds},
                                  {"share", share},
                                  {"flops", op.flops},
                                  {"bytes", op.bytes},
                                  {"live_bytes", op.live_bytes},
                                  {"flops_per_second", rate(op.flops, op.seconds)},
                                  {"bytes_per_second", rate(op.bytes, op.seconds)}};
    if (has_limits) row["share_of_limit"] = of_limit;
    json["ops"].push_back(std::move(row));
  }
  if (!has_limits) {
    table +=
        "  shares of the limit need this machine's rates, which are not known yet; headroom plan MODEL --measure or "
        "headroom bench measures and remembers them\n";
  }
  write_json(directory_ + "/ops.json", json);
  return table + memory_table();
}

}  // namespace headroom
