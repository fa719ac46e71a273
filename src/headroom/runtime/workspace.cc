#include "headroom/runtime/workspace.h"

#include "headroom/base/errors.h"

namespace headroom {

Workspace::Workspace(std::vector<Graph> graphs, Plan plan, Isa isa)
    : graphs_(std::move(graphs)), plan_(std::move(plan)), threads_(plan_.threads), arena_(plan_.arena_bytes, threads_) {
  ensure(graphs_.size() == plan_.graphs.size(), "{} graphs, but the plan is for {}", graphs_.size(),
         plan_.graphs.size());
  for (size_t i = 0; i < graphs_.size(); ++i) {
    executors_.push_back(std::make_unique<Executor>(graphs_[i], plan_.graphs[i], arena_.bytes(), isa, threads_));
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

Tensor Workspace::persistent(std::string_view name) const {
  const PersistentValue* value = plan_.find(name);
  ensure(value != nullptr, "the job has no persistent value '{}'", name);
  return persistent(*value);
}

}  // namespace headroom
