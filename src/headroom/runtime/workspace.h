// A planned job in memory: the arena, its threads, what is on disk, and an executor for each graph and slot.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "headroom/backend/backend.h"
#include "headroom/backend/offload_file.h"
#include "headroom/plan/job.h"
#include "headroom/runtime/executor.h"
#include "headroom/runtime/stored_value.h"

namespace headroom {

class Workspace {
 public:
  // Commits plan.arena_bytes (zeros) on `backend`, takes plan.disk_bytes (zeros) in the directory `disk`, and starts
  // plan.threads threads. `plan` must be that of `graphs`; `model` (borrowed) has the regions of what stays in the
  // model's files; `ranks` (borrowed) are those that graphs exchange values with. Throws as Backend::commit_memory and
  // OffloadFile do.
  Workspace(std::vector<Graph> graphs, Plan plan, const Backend& backend, const std::string& disk = "",
            ModelRegions* model = nullptr, Communicator* ranks = nullptr);

  const Plan& plan() const { return plan_; }
  const Backend& backend() const { return backend_; }
  Threads& threads() { return threads_; }

  // The executor of the graph of that name, or null.
  Executor* find(std::string_view graph);
  Executor& at(std::string_view graph);  // throws InternalError when there is none
  // That of a row which runs a graph.
  Executor& at(const Row& row);
  // All of the first slot, in the order of the graphs.
  std::span<const std::unique_ptr<Executor>> executors() const { return executors_; }

  // Runs all rows; the host writes and reads nothing meanwhile.
  void run(const Schedule& schedule);
  // As Executor::observe, of all executors.
  void observe(RunObserver* observer);

  // All of the arena.
  std::span<std::byte> memory() const { return memory_->bytes(); }
  // Memory for blocks of files: what graphs use while they run, and nobody between them.
  std::span<std::byte> staging() const { return memory().subspan(static_cast<size_t>(plan_.persistent_bytes)); }

  // The job's ranks, or null.
  Communicator* ranks() const { return ranks_; }

  // What the model's files hold, or null.
  const ModelRegions* model() const { return model_; }
  // What is in the slots of experts; null where there are none.
  const ExpertCache* experts() const { return experts_.get(); }

  // What is on disk, or null.
  OffloadFile* offload_file() const { return offload_file_.get(); }

  // Whether a value of that name lives from step to step, in memory or on disk.
  bool has(std::string_view name) const { return plan_.find(name) != nullptr; }
  // Of a value in memory that lives from step to step, of several copies that of the slot; throws InternalError when
  // there is none of that name.
  template <class T>
  View<T> view(std::string_view name, int32_t slot = 0) const {
    const PersistentValue& value = find_in_memory(name);
    return View<T>(persistent(value, slot), value.name);
  }

  // Values that live from step to step as files see them: one by its name, or all of a role in the plan's order. Throws
  // InternalError when there is none of that name.
  StoredValue stored(std::string_view name) const;
  std::vector<StoredValue> stored(Role role) const;

  // A value in the arena that lives from step to step, by name; throws InternalError when there is none.
  Tensor persistent(std::string_view name) const { return persistent(find_in_memory(name)); }
  Tensor persistent(const PersistentValue& value, int32_t slot = 0) const {
    return {memory().data() + value.offset_bytes + slot * value.slot_bytes, value.type};
  }

 private:
  StoredValue stored(const PersistentValue& value) const;
  const PersistentValue& find_in_memory(std::string_view name) const;

  std::vector<Graph> graphs_;
  Plan plan_;
  Threads threads_;
  const Backend& backend_;
  std::unique_ptr<DeviceMemory> memory_;
  const ModelRegions* model_;
  std::unique_ptr<ExpertCache> experts_;
  Communicator* ranks_;
  std::unique_ptr<OffloadFile> offload_file_;
  std::unique_ptr<TransferStream> disk_lane_;
  RunLog log_;
  std::vector<std::unique_ptr<Executor>> executors_;
  std::vector<std::vector<std::unique_ptr<Executor>>> in_further_slots_;  // of each graph
};

}  // namespace headroom
