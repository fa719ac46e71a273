#include "headroom/runtime/executor.h"

#include "headroom/base/errors.h"
#include "headroom/graph/op.h"

namespace headroom {

Executor::Executor(const Graph& graph, const GraphPlan& plan, std::span<std::byte> arena, Isa isa, Threads& threads)
    : graph_(graph), arena_(arena), threads_(threads) {
  calls_.reserve(graph.nodes.size());
  for (size_t index = 0; index < graph.nodes.size(); ++index) {
    const Node& node = graph.nodes[index];
    Call call;
    call.kernel = find_kernel(isa, node.op->name());
    ensure(call.kernel != nullptr, "the op {} has no {} kernel", node.op->name(), name_of(isa));
    call.attributes = &node.attributes;
    call.first_operand = static_cast<uint32_t>(operands_.size());
    call.inputs = static_cast<uint16_t>(node.inputs.size());
    call.outputs = static_cast<uint16_t>(node.outputs.size());
    for (const ValueId id : node.inputs) operands_.push_back(place(id, plan));
    for (const ValueId id : node.outputs) operands_.push_back(place(id, plan));
    if (plan.scratch_bytes[index] > 0) {
      call.scratch = arena.subspan(static_cast<size_t>(plan.scratch_offsets_bytes[index]),
                                   static_cast<size_t>(plan.scratch_bytes[index]));
    }
    calls_.push_back(call);
  }
  for (const ValueId id : graph.inputs) readable_.emplace_back(id, place(id, plan));
  for (const ValueId id : graph.results) readable_.emplace_back(id, place(id, plan));
}

void Executor::run() {
  for (const Call& call : calls_) {
    const Tensor* operands = operands_.data() + call.first_operand;
    call.kernel(
        {{operands, call.inputs}, {operands + call.inputs, call.outputs}, *call.attributes, call.scratch, threads_});
  }
}

Tensor Executor::tensor(std::string_view name) const {
  for (const auto& [id, tensor] : readable_) {
    if (graph_.value(id).name == name) return tensor;
  }
  throw InternalError("graph {}: '{}' is neither an input nor a result", graph_.name, name);
}

Tensor Executor::place(ValueId value, const GraphPlan& plan) const {
  const int64_t offset = plan.offsets_bytes[static_cast<size_t>(value)];
  const Type& type = graph_.value(value).type;
  ensure(offset >= 0 && offset + type.bytes() <= static_cast<int64_t>(arena_.size()), "'{}' lies outside the arena",
         graph_.value(value).name);
  return {arena_.data() + offset, type};
}

}  // namespace headroom
