#include "headroom/plan/job.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <unordered_map>

#include "headroom/base/errors.h"
#include "headroom/graph/op.h"
#include "headroom/graph/operands.h"
#include "headroom/plan/check.h"
#include "headroom/plan/check_schedules.h"
#include "headroom/plan/layout.h"
#include "headroom/plan/lifetimes.h"

namespace headroom {
namespace {

std::string words_of(Tier tier) { return tier == Tier::device ? "" : fmt::format(" on {}", name_of(tier)); }

// Gives every input of every graph its place at the front of its tier.
class PersistentRegion {
 public:
  PersistentRegion(const Job& job, Plan& plan) : job_(job), plan_(plan) {}

  void add(const Graph& graph) {
    for (const ValueId id : graph.inputs) {
      const Value& value = graph.value(id);
      const auto [found, is_new] = index_.try_emplace(value.name, plan_.persistent.size());
      if (is_new) {
        int64_t& end = ends_[static_cast<size_t>(value.tier)];
        const int32_t slots = job_.slots_of(value.name);
        const int64_t slot_bytes = padded_bytes(value.bytes(), value.name, plan_.alignment_bytes);
        plan_.persistent.push_back(
            {value.name, value.type, value.role, end, value.tier, slots, slot_bytes, value.binding});
        end = add_sizes(end, multiply_sizes(slots, slot_bytes, value.name), "the persistent values");
      }
      const PersistentValue& known = plan_.persistent[found->second];
      ensure(known.type == value.type && known.tier == value.tier,
             "the input '{}' of graph '{}' is shared within the job; expected {}{}, got {}{}", value.name, graph.name,
             to_string(known.type), words_of(known.tier), to_string(value.type), words_of(value.tier));
    }
  }

  const PersistentValue& at(const std::string& name) const { return plan_.persistent[index_.at(name)]; }
  // Where what lives only in a graph begins.
  int64_t end(Tier tier) const { return ends_[static_cast<size_t>(tier)]; }

 private:
  const Job& job_;
  Plan& plan_;
  std::unordered_map<std::string, size_t> index_;
  std::array<int64_t, kTiers> ends_ = {};
};

// What the transfers of one run of `graph` move from and to the disk.
void count_transfers(GraphPlan& plan, const Graph& graph) {
  for (const Node& node : graph.nodes) {
    if (node.op->course() != Course::begin || node.op->lane() != Lane::disk) continue;
    const auto bytes = static_cast<int64_t>(node.op->price(OperandTypes().of(graph, node)).bytes);
    (node.op->transfer() == Transfer::load ? plan.disk_read_bytes : plan.disk_written_bytes) += bytes;
  }
}

GraphPlan place(const Graph& graph, Lifetimes& lifetimes, const PersistentRegion& region, int32_t slots) {
  GraphPlan plan;
  plan.name = graph.name;
  plan.slots = slots;
  if (slots > 1) plan.slot_bytes.assign(graph.values.size(), 0);
  std::array<Layout, kTiers> layouts;
  for (const Tier tier : {Tier::device, Tier::host, Tier::disk}) {
    layouts[static_cast<size_t>(tier)] = lay_out(lifetimes.blocks_in(tier));
  }
  const auto offset_of_block = [&](Tier tier, int32_t block) {
    if (block < 0) return kNoOffset;
    return region.end(tier) + layouts[static_cast<size_t>(tier)].offsets_bytes[static_cast<size_t>(block)];
  };
  for (size_t id = 0; id < lifetimes.homes.size(); ++id) {
    const Home& home = lifetimes.homes[id];
    if (home.input != kNoValue) {
      const PersistentValue& value = region.at(graph.value(home.input).name);
      plan.offsets_bytes.push_back(value.offset_bytes);
      if (value.slots > 1) plan.slot_bytes[id] = value.slot_bytes;
    } else {
      plan.offsets_bytes.push_back(offset_of_block(graph.values[id].tier, home.block));
    }
  }
  for (const int32_t block : lifetimes.scratch_blocks) {
    plan.scratch_offsets_bytes.push_back(offset_of_block(Tier::device, block));
  }
  plan.scratch_bytes = lifetimes.scratch_bytes;
  plan.live_bytes = live_bytes(lifetimes.blocks, static_cast<int32_t>(graph.nodes.size()));
  for (int64_t& live : plan.live_bytes) live += region.end(Tier::device);
  const Layout& memory = layouts[static_cast<size_t>(Tier::device)];
  plan.transient_bytes = memory.size_bytes;
  plan.lower_bound_bytes = region.end(Tier::device) + memory.lower_bound_bytes;
  plan.host_transient_bytes = layouts[static_cast<size_t>(Tier::host)].size_bytes;
  plan.disk_transient_bytes = layouts[static_cast<size_t>(Tier::disk)].size_bytes;
  count_transfers(plan, graph);
  return plan;
}

// The persistent values and what else is `alive`, into `peak`.
void describe_peak(Peak& peak, const Plan& plan, std::vector<LiveValue> alive) {
  std::vector<LiveValue> all;
  for (const PersistentValue& value : plan.persistent) {
    if (value.tier != Tier::device) continue;
    all.push_back({value.name, value.role, value.slots * value.slot_bytes});
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

bool uses_disk(const Job& job) {
  return std::any_of(job.graphs.begin(), job.graphs.end(), [](const Graph& graph) {
    return std::any_of(graph.values.begin(), graph.values.end(),
                       [](const Value& value) { return value.tier == Tier::disk || value.tier == Tier::model; });
  });
}

template <class Schedules>
auto& find_schedule(Schedules& schedules, std::string_view name) {
  const auto found =
      std::find_if(schedules.begin(), schedules.end(), [&](const Schedule& schedule) { return schedule.name == name; });
  ensure(found != schedules.end(), "the job has no schedule '{}'", name);
  return *found;
}

}  // namespace

std::string place_of(const Node& node) {
  return node.segment.name.empty()
             ? fmt::format("in the {} ({})", name_of(node.phase), node.op->name())
             : fmt::format("in the {} of {} ({})", name_of(node.phase), node.segment.name, node.op->name());
}

const Schedule& Job::schedule(std::string_view name) const { return find_schedule(schedules, name); }

Schedule& Job::schedule(std::string_view name) { return find_schedule(schedules, name); }

int32_t Job::slots_of(const std::string& value) const {
  const auto found = slots.find(value);
  return found == slots.end() ? 1 : found->second;
}

int32_t Job::slots_of(const Graph& graph) const {
  int32_t fewest = 1;
  for (size_t i = 0; !slots.empty() && i < graph.inputs.size(); ++i) {
    const int32_t copies = slots_of(graph.value(graph.inputs[i]).name);
    if (copies > 1) fewest = fewest == 1 ? copies : std::min(fewest, copies);
  }
  return fewest;
}

void Job::insert_graph(size_t at, Graph graph) {
  graphs.insert(graphs.begin() + static_cast<std::ptrdiff_t>(at), std::move(graph));
  const auto shift = [&](std::vector<Row>& rows) {
    for (Row& row : rows) row.graph += row.graph >= static_cast<int32_t>(at) ? 1 : 0;
  };
  for (Schedule& schedule : schedules) {
    shift(schedule.rows);
    for (std::vector<Row>& block : schedule.blocks) shift(block);
  }
}

const Schedule& Plan::schedule(std::string_view name) const { return find_schedule(schedules, name); }

int64_t Plan::bytes_in(Tier tier) const {
  switch (tier) {
    case Tier::device: return arena_bytes;
    case Tier::host: return host_bytes;
    case Tier::disk: return disk_bytes;
    case Tier::model: return model_bytes;
  }
  return 0;
}

const PersistentValue* Plan::find(std::string_view name) const {
  const auto found = std::find_if(persistent.begin(), persistent.end(),
                                  [&](const PersistentValue& value) { return value.name == name; });
  return found == persistent.end() ? nullptr : &*found;
}

Plan plan_job(const Job& job) {
  Plan plan;
  plan.threads = job.processor.threads;
  plan.alignment_bytes = uses_disk(job) ? kDiskAlignmentBytes : kAlignmentBytes;
  plan.schedules = job.schedules;
  PersistentRegion region(job, plan);
  for (const Graph& graph : job.graphs) region.add(graph);
  plan.persistent_bytes = region.end(Tier::device);
  plan.model_bytes = region.end(Tier::model);

  const Graph* peak_graph = nullptr;
  Lifetimes peak_lifetimes;
  int32_t peak_node = -1;
  for (const Graph& graph : job.graphs) {
    Lifetimes lifetimes = find_lifetimes(graph, job.processor, plan.alignment_bytes);
    plan.graphs.push_back(place(graph, lifetimes, region, job.slots_of(graph)));
    const GraphPlan& placed = plan.graphs.back();
    plan.transient_bytes = std::max(plan.transient_bytes, placed.transient_bytes);
    plan.host_bytes = std::max(plan.host_bytes, add_sizes(region.end(Tier::host), placed.host_transient_bytes,
                                                          "what is kept in the host's memory"));
    plan.disk_bytes = std::max(plan.disk_bytes,
                               add_sizes(region.end(Tier::disk), placed.disk_transient_bytes, "what is kept on disk"));
    if (peak_graph == nullptr || placed.lower_bound_bytes > plan.lower_bound_bytes) {
      plan.lower_bound_bytes = placed.lower_bound_bytes;
      const auto highest = std::max_element(placed.live_bytes.begin(), placed.live_bytes.end());
      peak_node = highest == placed.live_bytes.end() ? -1 : static_cast<int32_t>(highest - placed.live_bytes.begin());
      peak_graph = &graph;
      plan.peak.graph = static_cast<int32_t>(plan.graphs.size()) - 1;
      peak_lifetimes = std::move(lifetimes);
    }
  }
  const int64_t staging_bytes = padded_bytes(job.staging_bytes, "the staging memory of files", plan.alignment_bytes);
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
  check_schedules(job);
  return plan;
}

}  // namespace headroom
