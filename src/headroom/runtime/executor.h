// Runs one graph of a plan: walks its nodes in order and calls each one's kernel. Everything a kernel needs is bound
// when the executor is made; run() allocates nothing and decides nothing.
#pragma once

#include <span>
#include <vector>

#include "headroom/backend/kernel.h"
#include "headroom/graph/graph.h"
#include "headroom/plan/job.h"

namespace headroom {

class Executor {
 public:
  // `graph`, `arena` and `threads` are borrowed; `plan` is read here only. `threads` must count what the plan was made
  // for. Throws InternalError when an op has no kernel on `isa`.
  Executor(const Graph& graph, const GraphPlan& plan, std::span<std::byte> arena, Isa isa, Threads& threads);

  void run();

  const Graph& graph() const { return graph_; }
  // A value in the arena, by name; a transient one holds its content only where the plan keeps it (results: until the
  // next run of any graph of the job). Throws InternalError when the graph has no such value.
  Tensor tensor(std::string_view name) const;

 private:
  struct Call {
    Kernel kernel = nullptr;
    const Attributes* attributes = nullptr;
    uint32_t first_operand = 0;  // inputs, then outputs, in operands_
    uint16_t inputs = 0;
    uint16_t outputs = 0;
    std::span<std::byte> scratch;
  };
  Tensor place(ValueId value, const GraphPlan& plan) const;

  const Graph& graph_;
  std::span<std::byte> arena_;
  Threads& threads_;
  std::vector<Tensor> operands_;
  std::vector<Call> calls_;
  std::vector<std::pair<ValueId, Tensor>> readable_;  // graph inputs and results
};

}  // namespace headroom
