#include "tests/plan/sketch.h"

#include <fmt/core.h>

#include "headroom/graph/interned.h"
#include "headroom/graph/op.h"

namespace headroom::testing {
namespace {

std::vector<StoragePair> pairs(const TypedNode& node, const char* kind) {
  std::vector<StoragePair> found;
  for (int output = 0; output < static_cast<int>(node.outputs.size()); ++output) {
    const std::string key = fmt::format("{}_{}", kind, output);
    if (node.attributes.has(key)) found.push_back({output, static_cast<int>(node.attributes.integer(key))});
  }
  return found;
}

// For each output o the attribute `bytes_o`, and where wanted `in_place_o` and `reuse_o`; `scratch` for the node.
class SizedOp final : public Op {
 public:
  using Op::Op;
  std::vector<Type> output_types(std::span<const Type>, const Attributes& attributes) const override {
    std::vector<Type> types;
    for (int output = 0; attributes.has(fmt::format("bytes_{}", output)); ++output) {
      types.push_back(f32({attributes.integer(fmt::format("bytes_{}", output)) / 4}));
    }
    return types;
  }
  std::vector<StoragePair> in_place(const TypedNode& node) const override { return pairs(node, "in_place"); }
  std::vector<StoragePair> may_reuse(const TypedNode& node) const override { return pairs(node, "reuse"); }
  bool reads_input(const Node& node, size_t input) const override {
    for (size_t output = 0; node.attributes.has("overwrites") && output < node.outputs.size(); ++output) {
      const std::string key = fmt::format("in_place_{}", output);
      if (node.attributes.has(key) && node.attributes.integer(key) == static_cast<int64_t>(input)) return false;
    }
    return true;
  }
};

const SizedOp kSized{"sized"};

class SizedKernels final : public KernelTable {
 public:
  int64_t scratch_bytes(std::string_view, const TypedNode& node, int threads) const override {
    if (!node.attributes.has("scratch")) return 0;
    return node.attributes.integer("scratch") * (node.attributes.has("per_thread") ? threads : 1);
  }
};

const SizedKernels kSizedKernels;

}  // namespace

Processor sketched(int threads) { return {&kSizedKernels, threads}; }

ValueId Sketch::add(int64_t bytes, Role role, std::string name) {
  const auto id = static_cast<ValueId>(graph.values.size());
  graph.values.push_back({name.empty() ? fmt::format("v{}", id) : std::move(name), f32({bytes / 4}), role});
  return id;
}

ValueId Sketch::input(int64_t bytes, Role role, std::string name) {
  graph.inputs.push_back(add(bytes, role, std::move(name)));
  return graph.inputs.back();
}

std::vector<ValueId> Sketch::node(std::vector<ValueId> inputs, const std::vector<Output>& outputs, int64_t scratch) {
  Node node{&kSized, std::move(inputs), {}, {}, parse_segment(scope), phase};
  for (size_t i = 0; i < outputs.size(); ++i) {
    node.outputs.push_back(add(outputs[i].bytes, outputs[i].role, ""));
    node.attributes.set(interned(fmt::format("bytes_{}", i)), outputs[i].bytes);
    if (outputs[i].in_place >= 0)
      node.attributes.set(interned(fmt::format("in_place_{}", i)), int64_t{outputs[i].in_place});
    if (outputs[i].reuse >= 0) node.attributes.set(interned(fmt::format("reuse_{}", i)), int64_t{outputs[i].reuse});
  }
  if (scratch > 0) node.attributes.set("scratch", scratch);
  graph.nodes.push_back(std::move(node));
  return graph.nodes.back().outputs;
}

}  // namespace headroom::testing
