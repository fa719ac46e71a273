#include "headroom/runtime/executor.h"

#include <chrono>

#include "headroom/base/errors.h"
#include "headroom/graph/op.h"

namespace headroom {
namespace {

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

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

void Executor::run(const Call& call) const {
  const Tensor* operands = operands_.data() + call.first_operand;
  call.kernel(
      {{operands, call.inputs}, {operands + call.inputs, call.outputs}, *call.attributes, call.scratch, threads_});
}

void Executor::run() {
  if (observer_ != nullptr) return run_observed();
  for (const Call& call : calls_) run(call);
}

void Executor::observe(RunObserver* observer) {
  observer_ = observer;
  moments_ns_.assign(observer == nullptr ? 0 : calls_.size() + 1, 0);
}

void Executor::run_observed() {
  moments_ns_[0] = now_ns();
  for (size_t index = 0; index < calls_.size(); ++index) {
    run(calls_[index]);
    moments_ns_[index + 1] = now_ns();
    observer_->on_node(graph_, index, moments_ns_[index + 1]);
  }
  observer_->on_run(graph_, moments_ns_);
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
