#include "headroom/runtime/workspace.h"

#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/graph/op.h"

namespace headroom {
namespace {

// Transfers of files that a graph can have in flight together.
size_t count_transfers(const std::vector<Graph>& graphs) {
  size_t most = 0;
  for (const Graph& graph : graphs) {
    most =
        std::max(most, static_cast<size_t>(std::count_if(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) {
                   return node.op->course() == Course::begin && node.op->lane() != Lane::network;
                 })));
  }
  return most;
}

}  // namespace

Workspace::Workspace(std::vector<Graph> graphs, Plan plan, const Backend& backend, const std::string& disk,
                     ModelRegions* model, Communicator* ranks)
    : graphs_(std::move(graphs)),
      plan_(std::move(plan)),
      threads_(plan_.threads),
      backend_(backend),
      memory_(backend.commit_memory(plan_.arena_bytes, threads_)),
      model_(model),
      ranks_(ranks) {
  ensure(graphs_.size() == plan_.graphs.size(), "{} graphs, but the plan is for {}", graphs_.size(),
         plan_.graphs.size());
  if (plan_.disk_bytes > 0) offload_file_ = std::make_unique<OffloadFile>(disk, plan_.disk_bytes);
  ensure(plan_.model_bytes == 0 || model != nullptr, "nobody says where in the model's files values are");
  if (plan_.disk_bytes > 0 || plan_.model_bytes > 0) {
    disk_lane_ = backend.open_disk_lane(disk, count_transfers(graphs_), plan_.model_bytes > 0 && model->needs_copies());
  }
  experts_ = make_expert_cache(graphs_);
  const Elsewhere elsewhere{disk_lane_.get(), offload_file_.get(),
                            model != nullptr && !model->is_empty() ? model : nullptr, ranks, experts_.get()};
  in_further_slots_.resize(graphs_.size());
  for (size_t i = 0; i < graphs_.size(); ++i) {
    for (int32_t slot = 0; slot < plan_.graphs[i].slots; ++slot) {
      (slot == 0 ? executors_ : in_further_slots_[i])
          .push_back(std::make_unique<Executor>(graphs_[i], plan_.graphs[i], memory(), backend, threads_, log_,
                                                elsewhere, slot));
    }
  }
}

Executor* Workspace::find(std::string_view graph) {
  for (const auto& executor : executors_) {
    if (executor->graph().name == graph) return executor.get();
  }
  return nullptr;
}

Executor& Workspace::at(std::string_view graph) {
  Executor* executor = find(graph);
  ensure(executor != nullptr, "the job has no graph '{}'", graph);
  return *executor;
}

Executor& Workspace::at(const Row& row) {
  const auto graph = static_cast<size_t>(row.graph);
  if (row.slot == 0 || in_further_slots_[graph].empty()) return *executors_[graph];
  return *in_further_slots_[graph][static_cast<size_t>(row.slot) - 1];
}

void Workspace::run(const Schedule& schedule) {
  for_each_run(schedule, [&](const Row& row) { at(row).run(); });
}

void Workspace::observe(RunObserver* observer) {
  for (const auto& executor : executors_) executor->observe(observer);
  for (const auto& of_graph : in_further_slots_) {
    for (const auto& executor : of_graph) executor->observe(observer);
  }
}

StoredValue Workspace::stored(const PersistentValue& value) const {
  StoredValue stored{.name = value.name, .type = value.type, .staging = staging()};
  ensure(value.tier != Tier::model, "'{}' stays in the model's files", value.name);
  if (value.binding != nullptr && value.binding->cut) {
    ensure(ranks_ != nullptr, "nobody has the other parts of '{}'", value.name);
    stored.type.shape = value.binding->cut->whole;
    stored.parts = value.binding->cut->parts;
    stored.ranks = ranks_;
  }
  if (value.tier == Tier::disk) {
    stored.file = offload_file_.get();
    stored.offset_bytes = value.offset_bytes;
  } else {
    stored.data = persistent(value).data;
  }
  return stored;
}

StoredValue Workspace::stored(std::string_view name) const {
  const PersistentValue* value = plan_.find(name);
  ensure(value != nullptr, "the job has no persistent value '{}'", name);
  return stored(*value);
}

std::vector<StoredValue> Workspace::stored(Role role) const {
  std::vector<StoredValue> values;
  for (const PersistentValue& value : plan_.persistent) {
    if (value.role == role) values.push_back(stored(value));
  }
  return values;
}

const PersistentValue& Workspace::find_in_memory(std::string_view name) const {
  const PersistentValue* value = plan_.find(name);
  ensure(value != nullptr && value->tier == Tier::device, "the job has no persistent value '{}' in memory", name);
  return *value;
}

}  // namespace headroom
