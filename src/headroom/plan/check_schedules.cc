#include "headroom/plan/check_schedules.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "headroom/base/errors.h"
#include "headroom/graph/op.h"

namespace headroom {
namespace {

bool outlives_schedules(Role role) {
  return role == Role::weight || role == Role::optimizer_state || role == Role::kv_cache;
}

// What a graph does to the values that live across runs.
struct Touched {
  std::vector<const Value*> read;
  std::vector<const Value*> written;
  std::vector<const Value*> inputs;
};

Touched touched_by(const Graph& graph) {
  std::vector<bool> is_read(graph.values.size(), false);
  for (const ValueId id : graph.results) is_read[static_cast<size_t>(id)] = true;
  std::for_each(graph.nodes.rbegin(), graph.nodes.rend(), [&](const Node& node) {
    const bool loads = node.op->transfer() == Transfer::load;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      // What is loaded is read if somebody reads what it becomes.
      const bool moves = loads && static_cast<int>(i) != node.op->rows_input() && node.op->place_input() < 0;
      const bool reads = moves ? is_read[static_cast<size_t>(node.outputs[i])] : node.op->reads_input(node, i);
      if (reads) is_read[static_cast<size_t>(node.inputs[i])] = true;
    }
  });
  Touched touched;
  for (const ValueId id : graph.inputs) {
    touched.inputs.push_back(&graph.value(id));
    if (is_read[static_cast<size_t>(id)]) touched.read.push_back(&graph.value(id));
  }
  for (const Carry& carry : graph.carries) touched.written.push_back(&graph.value(carry.input));
  return touched;
}

// Walks the rows of one schedule. What is written stays written, so the first time that a row or a block runs finds the
// least: the others need no look.
class Walk {
 public:
  Walk(const Job& job, const std::vector<Touched>& graphs, const Schedule& schedule)
      : job_(job), graphs_(graphs), schedule_(schedule), is_checked_(schedule.blocks.size(), false) {
    for (const Touched& graph : graphs) {
      for (const Value* value : graph.inputs) names_.insert(value->name);
    }
  }

  void run() {
    for (const std::string& name : schedule_.given) write_by_host(name);
    check(schedule_.rows, schedule_.blocks.size());
  }

 private:
  // Rows that may name the first `blocks` blocks.
  void check(const std::vector<Row>& rows, size_t blocks) {
    for (const Row& row : rows) {
      ensure(row.times > 0, "schedule '{}': a row runs {} times", schedule_.name, row.times);
      if (row.block < 0) {
        check_run(row);
        continue;
      }
      const auto block = static_cast<size_t>(row.block);
      ensure(row.graph < 0 && block < blocks, "schedule '{}': a row names block {} of {}", schedule_.name, block,
             blocks);
      if (!is_checked_[block]) check(schedule_.blocks[block], block);
      is_checked_[block] = true;
    }
  }

  void check_run(const Row& row) {
    ensure(row.graph >= 0 && static_cast<size_t>(row.graph) < graphs_.size(), "schedule '{}': no graph {} of {}",
           schedule_.name, row.graph, graphs_.size());
    const Graph& graph = job_.graphs[static_cast<size_t>(row.graph)];
    const Touched& touched = graphs_[static_cast<size_t>(row.graph)];
    for (const std::string& name : row.fills) write_by_host(name, row.slot);
    for (const Value* value : touched.inputs) {
      const int32_t slots = job_.slots_of(value->name);
      ensure(row.slot >= 0 && (slots == 1 || row.slot < slots),
             "schedule '{}', graph '{}': slot {} of '{}', which has {}", schedule_.name, graph.name, row.slot,
             value->name, slots);
    }
    for (const Value* value : touched.read) {
      ensure(outlives_schedules(value->role) || written_.contains({value->name, slot_of(row, value->name)}),
             "schedule '{}', graph '{}': nobody has written '{}' in slot {} before it is read", schedule_.name,
             graph.name, value->name, row.slot);
    }
    for (const Value* value : touched.written) written_.insert({value->name, slot_of(row, value->name)});
    for (const std::string& name : row.reads) {
      const ValueId id = graph.find(name);
      ensure(std::count(graph.results.begin(), graph.results.end(), id) > 0,
             "schedule '{}', graph '{}': '{}' is no result", schedule_.name, graph.name, name);
    }
  }

  int32_t slot_of(const Row& row, const std::string& name) const { return job_.slots_of(name) == 1 ? 0 : row.slot; }

  void write_by_host(const std::string& name, int32_t slot) {
    const auto found = names_.find(name);
    ensure(found != names_.end(), "schedule '{}': no graph has the input '{}' that the host writes", schedule_.name,
           name);
    written_.insert({*found, job_.slots_of(name) == 1 ? 0 : slot});
  }
  void write_by_host(const std::string& name) {
    for (int32_t slot = 0; slot < job_.slots_of(name); ++slot) write_by_host(name, slot);
  }

  const Job& job_;
  const std::vector<Touched>& graphs_;
  const Schedule& schedule_;
  std::vector<bool> is_checked_;  // of the blocks
  std::set<std::string_view> names_;
  std::set<std::pair<std::string_view, int32_t>> written_;  // and slot
};

}  // namespace

void check_schedules(const Job& job) {
  if (job.schedules.empty()) return;
  std::vector<Touched> graphs;
  for (const Graph& graph : job.graphs) graphs.push_back(touched_by(graph));
  for (const Schedule& schedule : job.schedules) Walk(job, graphs, schedule).run();
}

}  // namespace headroom
