#include "headroom/runtime/expert_reads.h"

#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/base/page.h"
#include "headroom/graph/op.h"

namespace headroom {
namespace {

constexpr size_t kFirstStack = 2;  // among the node's inputs

// What a layer is called in the cache: its first stack.
const std::string& layer_of_node(const Graph& graph, const Node& node) {
  return graph.value(node.inputs[kFirstStack]).name;
}

}  // namespace

ExpertReads::ExpertReads(const Graph& graph, const Node& node, const std::function<Tensor(ValueId)>& place,
                         ModelRegions& model, ExpertCache& cache)
    : cache_(&cache),
      layer_(cache.layer_of(layer_of_node(graph, node))),
      begins_(place(node.inputs[1])),
      slots_(place(node.inputs[0])),
      table_(place(node.outputs[1])) {
  std::vector<Type> types;
  for (size_t i = kFirstStack; i < node.inputs.size(); ++i) {
    const Value& stack = graph.value(node.inputs[i]);
    types.push_back(stack.type);
    stacks_.push_back(&model.stack_at(stack.name));
  }
  record_ = record_of(types);
  reads_.reserve(static_cast<size_t>(node.attributes.integer("most")));
}

TransferRequest ExpertReads::request() const {
  TransferRequest request;
  request.parts.reserve(reads_.capacity() * stacks_.size());
  request.model_file = stacks_.front()->parts.front().path;
  return request;
}

Tensor ExpertReads::matrix_at(size_t stack, const ExpertCache::Read& read) const {
  const ExpertMatrix& matrix = record_.matrices[stack];
  return {slots_.data + read.slot * record_.bytes + matrix.offset_bytes, matrix.type};
}

void ExpertReads::choose(TransferRequest& request) {
  const std::span<const ExpertCache::Read> reads =
      cache_->take(layer_, begins_.as<const int32_t>(), table_.as<int32_t>());
  reads_.assign(reads.begin(), reads.end());
  request.parts.clear();
  for (const ExpertCache::Read& read : reads_) {
    for (size_t stack = 0; stack < stacks_.size(); ++stack) {
      const ModelRegions::StackRegions::Part& part = stacks_[stack]->parts[static_cast<size_t>(read.expert)];
      const Tensor matrix = matrix_at(stack, read);
      request.parts.push_back({part.descriptor, part.offset_bytes, matrix.data, matrix.type.bytes()});
    }
  }
}

void ExpertReads::look() {
  for (const ExpertCache::Read& read : reads_) {
    for (size_t stack = 0; stack < stacks_.size(); ++stack) {
      ModelRegions::StackRegions& regions = *stacks_[stack];
      const auto expert = static_cast<size_t>(read.expert);
      if (regions.seen[expert] || !regions.look) continue;
      const Tensor matrix = matrix_at(stack, read);
      regions.look(matrix, read.expert * matrix.dim(0));
      regions.seen[expert] = true;
    }
  }
}

std::unique_ptr<ExpertCache> make_expert_cache(const std::vector<Graph>& graphs) {
  std::vector<std::string> layers;
  int64_t experts = 0, slots = 0;
  for (const Graph& graph : graphs) {
    for (const Node& node : graph.nodes) {
      if (node.op->place_input() < 0) continue;
      const std::string& layer = layer_of_node(graph, node);
      if (std::find(layers.begin(), layers.end(), layer) == layers.end()) layers.push_back(layer);
      experts = graph.value(node.inputs[kFirstStack]).type.shape[0];
      slots = graph.value(node.inputs[0]).type.shape[0];
    }
  }
  return layers.empty() ? nullptr : std::make_unique<ExpertCache>(std::move(layers), experts, slots);
}

}  // namespace headroom
