#include "headroom/runtime/executor.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/page.h"
#include "headroom/base/row_span.h"
#include "headroom/graph/op.h"

namespace headroom {
namespace {

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Executor::Executor(const Graph& graph, const GraphPlan& plan, std::span<std::byte> arena, const Backend& backend,
                   Threads& threads, RunLog& log, const Elsewhere& elsewhere, int32_t slot)
    : graph_(graph), arena_(arena), slot_(slot), threads_(threads), log_(log), elsewhere_(elsewhere) {
  calls_.reserve(graph.nodes.size());
  for (size_t index = 0; index < graph.nodes.size(); ++index) {
    const Node& node = graph.nodes[index];
    if (node.op->lane() != Lane::compute) {
      ensure(backend.has(node.op->lane()), "graph {}: {} runs on the lane {}, which the backend {} has not", graph.name,
             node.op->name(), name_of(node.op->lane()), backend.name());
      calls_.push_back(bind_transfer(index, plan));
      continue;
    }
    Call call;
    call.kernel = backend.find_kernel(node.op->name());
    ensure(call.kernel != nullptr, "the op {} has no {} kernel", node.op->name(), backend.variant());
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
  request_of_buffer_.clear();
  const std::vector<ValueId> roots = storage_roots(graph);
  for (const ValueId id : graph.results) {
    if (graph.value(id).tier != Tier::device) continue;
    const ValueId root = roots[static_cast<size_t>(id)];
    const bool is_kept = std::find(graph.inputs.begin(), graph.inputs.end(), root) != graph.inputs.end();
    results_.push_back({id, place(id, plan), is_kept});
  }
}

Executor::Call Executor::bind_transfer(size_t index, const GraphPlan& plan) {
  const Node& node = graph_.nodes[index];
  Call call;
  call.begins = node.op->course() == Course::begin;
  call.is_exchange = node.op->lane() == Lane::network;
  ensure(call.is_exchange ? elsewhere_.ranks != nullptr : elsewhere_.lane != nullptr, "graph {}: {} without {}",
         graph_.name, node.op->name(), call.is_exchange ? "other ranks" : "a file");
  call.request = call.is_exchange ? bind_exchange_of(index, plan) : bind_request(node, plan);
  return call;
}

// Of the exchange that the node begins or waits for.
uint32_t Executor::bind_exchange_of(size_t index, const GraphPlan& plan) {
  const Node& node = graph_.nodes[index];
  if (node.op->course() == Course::wait) return request_of_buffer_.at(node.inputs.front());
  const ValueId to = node.outputs.front();
  exchange_begins_.push_back(index);
  exchanges_.push_back(bind_exchange(node, place(node.inputs.front(), plan), place(to, plan), *elsewhere_.ranks));
  return request_of_buffer_[to] = static_cast<uint32_t>(exchanges_.size()) - 1;
}

// Of the transfer that the node begins or waits for.
uint32_t Executor::bind_request(const Node& node, const GraphPlan& plan) {
  if (node.op->course() == Course::wait) return request_of_buffer_.at(node.inputs.front());
  const auto number = static_cast<uint32_t>(requests_.size());
  if (node.op->place_input() >= 0) {
    const auto place_of = [&](ValueId id) { return place(id, plan); };
    expert_reads_.emplace(number, ExpertReads(graph_, node, place_of, *elsewhere_.model, *elsewhere_.experts));
    requests_.push_back(expert_reads_.at(number).request());
    return request_of_buffer_[node.outputs.front()] = number;
  }
  TransferRequest request;
  request.is_write = node.op->transfer() == Transfer::store;
  const std::vector<ValueId>& buffers = request.is_write ? node.inputs : node.outputs;
  const std::vector<ValueId>& on_disk = request.is_write ? node.outputs : node.inputs;
  const size_t count = std::min(buffers.size(), on_disk.size());
  for (size_t i = 0; i < count; ++i) {
    const Value& value = graph_.value(on_disk[i]);
    const Tensor buffer = place(buffers[i], plan);
    if (value.tier == Tier::model) {
      ModelRegions::Region& region = elsewhere_.model->at(value.name);
      const int64_t first_row = node.attributes.has("first_row") ? node.attributes.integer("first_row") : 0;
      if (region.look) unseen_.push_back({static_cast<uint32_t>(requests_.size()), &region, first_row, buffer});
      const int64_t skipped = first_row == 0 ? 0 : Type{value.type.dtype, {first_row, value.type.shape[1]}}.bytes();
      request.model_file = region.path;
      request.parts.push_back({region.descriptor, region.offset_bytes + skipped, buffer.data, buffer.type.bytes()});
      continue;
    }
    const int64_t first = node.attributes.has("first") ? node.attributes.integer("first") : 0;
    request.parts.push_back({elsewhere_.offload->descriptor(),
                             plan.offset_of(on_disk[i], slot_) + (first == 0 ? 0 : first * size_of(value.type.dtype)),
                             buffer.data, round_up(buffer.type.bytes(), kPageBytes)});
  }
  if (const int rows = node.op->rows_input(); rows >= 0) {
    const ValueId ranges = node.inputs[static_cast<size_t>(rows)];
    moved_rows_[number] = {place(ranges, plan), graph_.value(on_disk.front()).type, request.parts.front()};
  }
  requests_.push_back(std::move(request));
  request_of_buffer_[buffers.front()] = number;
  return number;
}

// What it moves this time (ops/transfer.h).
void Executor::choose_rows(uint32_t request) {
  const auto found = moved_rows_.find(request);
  if (found == moved_rows_.end()) return;
  const MovedRows& moved = found->second;
  const std::span<const int32_t> numbers(moved.ranges.as<const int32_t>(),
                                         static_cast<size_t>(moved.ranges.elements()));
  int64_t first = moved.type.shape[0];
  int64_t end = 0;
  for (size_t i = 0; i < numbers.size(); i += 2) {
    if (numbers[i + 1] <= 0) continue;
    first = std::min<int64_t>(first, numbers[i]);
    end = std::max<int64_t>(end, int64_t{numbers[i]} + numbers[i + 1]);
  }
  const RowSpan span(moved.type, requests_[request].is_write ? std::min(first, end) : 0, end);
  TransferRequest::Part& part = requests_[request].parts.front();
  part = moved.whole;
  part.offset_bytes += span.first_byte;
  part.data += span.first_byte;
  part.size_bytes = std::max(span.end_byte - span.first_byte, kPageBytes);
}

void Executor::run_on_lane(const Call& call) {
  if (call.is_exchange) {
    RankExchange& exchange = exchanges_[call.request];
    call.begins ? exchange.begin(*elsewhere_.ranks) : elsewhere_.ranks->wait(exchange.messages);
    if (call.begins || observer_ == nullptr) return;
    const size_t begins = exchange_begins_[call.request];
    return observer_->on_exchange(graph_, begins, moments_ns_[begins], exchange.messages.done_ns);
  }
  TransferRequest& request = requests_[call.request];
  if (const auto experts = expert_reads_.find(call.request); experts != expert_reads_.end()) {
    if (call.begins) experts->second.choose(request);
    if (request.parts.empty()) return;
    call.begins ? elsewhere_.lane->begin(request) : elsewhere_.lane->wait(request);
    if (!call.begins) experts->second.look();
    return;
  }
  if (call.begins) choose_rows(call.request);
  call.begins ? elsewhere_.lane->begin(request) : elsewhere_.lane->wait(request);
  if (!call.begins && !unseen_.empty()) look_at_weights(call.request);
}

// At those that have come, unless another executor has done so.
void Executor::look_at_weights(uint32_t request) {
  std::erase_if(unseen_, [&](const Unseen& weight) {
    if (weight.request != request) return false;
    if (weight.region->seen.insert(weight.first_row).second) weight.region->look(weight.rows, weight.first_row);
    return true;
  });
}

void Executor::run_kernel(const Call& call) const {
  const Tensor* operands = operands_.data() + call.first_operand;
  call.kernel(
      {{operands, call.inputs}, {operands + call.inputs, call.outputs}, *call.attributes, call.scratch, threads_});
}

void Executor::run() {
  log_.last = &graph_;
  if (elsewhere_.model != nullptr) elsewhere_.model->check_unchanged();
  try {
    observer_ != nullptr ? run_observed() : run_all();
  } catch (...) {
    if (elsewhere_.lane != nullptr) elsewhere_.lane->drain();
    if (elsewhere_.experts != nullptr) elsewhere_.experts->clear();
    throw;
  }
}

void Executor::run_all() {
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

const Executor::Result& Executor::find_result(std::string_view name) const {
  for (const Result& result : results_) {
    if (graph_.value(result.value).name == name) return result;
  }
  throw InternalError("graph {}: '{}' is no result in memory", graph_.name, name);
}

Tensor Executor::place(ValueId value, const GraphPlan& plan) const {
  const int64_t offset = plan.offset_of(value, slot_);
  const Type& type = graph_.value(value).type;
  ensure(offset >= 0 && offset + type.bytes() <= static_cast<int64_t>(arena_.size()), "'{}' lies outside the arena",
         graph_.value(value).name);
  return {arena_.data() + offset, type};
}

}  // namespace headroom
