#include "headroom/plan/job.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>

#include "headroom/base/errors.h"
#include "headroom/graph/op.h"
#include "headroom/plan/check.h"
#include "headroom/plan/layout.h"
#include "headroom/plan/lifetimes.h"

namespace headroom {
namespace {

// Gives every input of every graph its place at the front of the arena.
class PersistentRegion {
 public:
  explicit PersistentRegion(Plan& plan) : plan_(plan) {}

  void add(const Graph& graph) {
    for (const ValueId id : graph.inputs) {
      const Value& value = graph.value(id);
      const auto [found, is_new] = index_.try_emplace(value.name, plan_.persistent.size());
      if (is_new) {
        plan_.persistent.push_back({value.name, value.type, value.role, plan_.persistent_bytes});
        plan_.persistent_bytes =
            add_sizes(plan_.persistent_bytes, padded_bytes(value.bytes(), value.name), "the persistent values");
      }
      const PersistentValue& known = plan_.persistent[found->second];
      ensure(known.type == value.type, "the input '{}' of graph '{}' is shared within the job; expected {}, got {}",
             value.name, graph.name, to_string(known.type), to_string(value.type));
    }
  }

  int64_t offset_of(const std::string& name) const { return plan_.persistent[index_.at(name)].offset_bytes; }

 private:
  Plan& plan_;
  std::unordered_map<std::string, size_t> index_;
};

GraphPlan place(const Graph& graph, const Lifetimes& lifetimes, const Layout& layout, const PersistentRegion& region,
                int64_t persistent_bytes) {
  GraphPlan plan;
  plan.name = graph.name;
  const auto offset_of_block = [&](int32_t block) {
    return block < 0 ? kNoOffset : persistent_bytes + layout.offsets_bytes[static_cast<size_t>(block)];
  };
  for (const Home& home : lifetimes.homes) {
    plan.offsets_bytes.push_back(home.input == kNoValue ? offset_of_block(home.block)
                                                        : region.offset_of(graph.value(home.input).name));
  }
  for (const int32_t block : lifetimes.scratch_blocks) plan.scratch_offsets_bytes.push_back(offset_of_block(block));
  plan.scratch_bytes = lifetimes.scratch_bytes;
  plan.live_bytes = live_bytes(lifetimes.blocks, static_cast<int32_t>(graph.nodes.size()));
  for (int64_t& live : plan.live_bytes) live += persistent_bytes;
  plan.transient_bytes = layout.size_bytes;
  plan.lower_bound_bytes = persistent_bytes + layout.lower_bound_bytes;
  return plan;
}

// The persistent values and what else is `alive`, into `peak`.
void describe_peak(Peak& peak, const Plan& plan, std::vector<LiveValue> alive) {
  std::vector<LiveValue> all;
  for (const PersistentValue& value : plan.persistent) {
    all.push_back({value.name, value.role, padded_bytes(value.type.bytes(), value.name)});
  }
  std::move(alive.begin(), alive.end(), std::back_inserter(all));
  for (const LiveValue& value : all) peak.bytes_by_role[static_cast<size_t>(value.role)] += value.size_bytes;
  std::stable_sort(all.begin(), all.end(),
                   [](const LiveValue& a, const LiveValue& b) { return a.size_bytes > b.size_bytes; });
  all.resize(std::min(all.size(), kLargestListed));
  peak.largest = std::move(all);
}

// What lives only in `graph` and is alive at `node`.
std::vector<LiveValue> alive_at(const Graph& graph, const Lifetimes& lifetimes, int32_t node) {
  std::vector<LiveValue> alive;
  for (const Tenant& tenant : tenants_of(graph, lifetimes)) {
    if (tenant.first > node || tenant.last < node) continue;
    const int64_t size_bytes = lifetimes.blocks[static_cast<size_t>(tenant.block)].size_bytes;
    if (tenant.value == kNoValue) {
      alive.push_back(
          {fmt::format("scratch of {}", graph.nodes[static_cast<size_t>(node)].op->name()), Role::scratch, size_bytes});
    } else {
      alive.push_back({graph.value(tenant.value).name, graph.value(tenant.value).role, size_bytes});
    }
  }
  return alive;
}

}  // namespace

std::string place_of(const Node& node) {
  return node.scope.empty() ? fmt::format("in the {} ({})", name_of(node.phase), node.op->name())
                            : fmt::format("in the {} of {} ({})", name_of(node.phase), node.scope, node.op->name());
}

const PersistentValue* Plan::find(std::string_view name) const {
  const auto found = std::find_if(persistent.begin(), persistent.end(),
                                  [&](const PersistentValue& value) { return value.name == name; });
  return found == persistent.end() ? nullptr : &*found;
}

Plan plan_job(const Job& job) {
  Plan plan;
  plan.threads = job.threads;
  PersistentRegion region(plan);
  for (const Graph* graph : job.graphs) region.add(*graph);

  const Graph* peak_graph = nullptr;
  Lifetimes peak_lifetimes;
  int32_t peak_node = -1;
  for (const Graph* graph : job.graphs) {
    Lifetimes lifetimes = find_lifetimes(*graph, job.threads);
    const Layout layout = lay_out(lifetimes.blocks);
    plan.graphs.push_back(place(*graph, lifetimes, layout, region, plan.persistent_bytes));
    const GraphPlan& placed = plan.graphs.back();
    plan.transient_bytes = std::max(plan.transient_bytes, placed.transient_bytes);
    if (peak_graph == nullptr || placed.lower_bound_bytes > plan.lower_bound_bytes) {
      plan.lower_bound_bytes = placed.lower_bound_bytes;
      const auto highest = std::max_element(placed.live_bytes.begin(), placed.live_bytes.end());
      peak_node = highest == placed.live_bytes.end() ? -1 : static_cast<int32_t>(highest - placed.live_bytes.begin());
      peak_graph = graph;
      plan.peak.graph = static_cast<int32_t>(plan.graphs.size()) - 1;
      peak_lifetimes = std::move(lifetimes);
    }
  }
  const int64_t staging_bytes = padded_bytes(job.staging_bytes, "the staging memory of files");
  plan.transient_bytes = std::max(plan.transient_bytes, staging_bytes);
  plan.arena_bytes = add_sizes(plan.persistent_bytes, plan.transient_bytes, "the arena");
  if (staging_bytes > 0 && plan.persistent_bytes + staging_bytes > plan.lower_bound_bytes) {
    plan.lower_bound_bytes = plan.persistent_bytes + staging_bytes;
    plan.peak = Peak();
    plan.peak.where = "while files are read or written";
    describe_peak(plan.peak, plan, {{"blocks of files", Role::staging, staging_bytes}});
  } else if (peak_graph != nullptr) {
    plan.peak.node = peak_node;
    plan.peak.where =
        peak_node < 0 ? "before the first node" : place_of(peak_graph->nodes[static_cast<size_t>(peak_node)]);
    describe_peak(plan.peak, plan, alive_at(*peak_graph, peak_lifetimes, peak_node));
  }
  check_plan(job, plan);
  return plan;
}

}  // namespace headroom
