#include "headroom/plan/lifetimes.h"

#include <algorithm>
#include <numeric>

#include "headroom/base/errors.h"
#include "headroom/graph/operands.h"

namespace headroom {
namespace {

// Storages while they are still being merged. Each is named after one of its values, its root.
class Storages {
 public:
  Storages(const Graph& graph, int64_t alignment_bytes) : graph_(graph), parents_(storage_roots(graph)) {
    const size_t count = graph.values.size();
    blocks_.assign(count, {0, -1, -1});
    is_input_.assign(count, false);
    for (const ValueId id : graph.inputs) is_input_[static_cast<size_t>(id)] = true;
    measure(alignment_bytes);
  }

  ValueId root(ValueId id) const {
    while (parents_[static_cast<size_t>(id)] != id) id = parents_[static_cast<size_t>(id)];
    return id;
  }
  Block& block(ValueId root) { return blocks_[static_cast<size_t>(root)]; }
  bool is_persistent(ValueId root) const { return is_input_[static_cast<size_t>(root)]; }

  // Lets outputs of `node` take over what dies there.
  void reuse(int32_t at, const Node& node, const TypedNode& typed) {
    const std::vector<StoragePair> pairs = node.op->may_reuse(typed);
    for (const StoragePair pair : pairs) {
      const ValueId output = node.outputs[static_cast<size_t>(pair.output)];
      const ValueId storage = root(node.inputs[static_cast<size_t>(pair.input)]);
      if (root(output) == output && can_take(at, node, pairs, pair.output, storage)) {
        parents_[static_cast<size_t>(output)] = storage;
        block(storage).last = block(output).last;
        block(storage).size_bytes = std::max(block(storage).size_bytes, block(output).size_bytes);
      }
    }
  }

 private:
  void measure(int64_t alignment_bytes) {
    for (size_t id = 0; id < graph_.values.size(); ++id) {
      Block& home = block(root(static_cast<ValueId>(id)));
      home.size_bytes =
          std::max(home.size_bytes, padded_bytes(graph_.values[id].bytes(), graph_.values[id].name, alignment_bytes));
    }
    for (size_t at = 0; at < graph_.nodes.size(); ++at) {
      const Node& node = graph_.nodes[at];
      for (const ValueId id : node.inputs) block(root(id)).last = static_cast<int32_t>(at);
      for (const ValueId id : node.outputs) {
        Block& home = block(root(id));
        if (home.first < 0) home.first = static_cast<int32_t>(at);
        home.last = static_cast<int32_t>(at);
      }
    }
    for (const ValueId id : graph_.results) block(root(id)).last = static_cast<int32_t>(graph_.nodes.size());
  }

  // Whether the output at `position` of node `at` may take over `storage`: it dies there, has the size, and nothing
  // else of the node touches it in a way the op did not allow.
  bool can_take(int32_t at, const Node& node, const std::vector<StoragePair>& pairs, int position, ValueId storage) {
    const ValueId output = node.outputs[static_cast<size_t>(position)];
    if (is_persistent(output) || is_persistent(storage) || block(storage).last != at) return false;
    if (block(output).first != at) return false;
    for (const ValueId other : node.outputs) {
      if (root(other) == storage) return false;
    }
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const auto allowed = [&](StoragePair pair) {
        return pair.output == position && pair.input == static_cast<int>(i);
      };
      if (root(node.inputs[i]) != storage) continue;
      if (graph_.value(node.inputs[i]).bytes() != graph_.value(output).bytes()) return false;
      if (std::none_of(pairs.begin(), pairs.end(), allowed)) return false;
    }
    return true;
  }

  const Graph& graph_;
  std::vector<ValueId> parents_;
  std::vector<Block> blocks_;  // of the roots
  std::vector<bool> is_input_;
};

}  // namespace

int64_t padded_bytes(int64_t bytes, std::string_view what, int64_t alignment_bytes) {
  return add_sizes(bytes, alignment_bytes - 1, what) / alignment_bytes * alignment_bytes;
}

Lifetimes find_lifetimes(const Graph& graph, const Processor& processor, int64_t alignment_bytes) {
  ensure(processor.kernels != nullptr, "a plan of '{}' for no processor", graph.name);
  Storages storages(graph, alignment_bytes);
  Lifetimes found;
  OperandTypes types;
  for (size_t at = 0; at < graph.nodes.size(); ++at) {
    const Node& node = graph.nodes[at];
    const TypedNode typed = types.of(graph, node);
    storages.reuse(static_cast<int32_t>(at), node, typed);
    found.scratch_bytes.push_back(processor.kernels->scratch_bytes(node.op->name(), typed, processor.threads));
  }

  found.homes.resize(graph.values.size());
  std::vector<int32_t> numbers(graph.values.size(), -1);
  for (size_t id = 0; id < graph.values.size(); ++id) {
    const ValueId root = storages.root(static_cast<ValueId>(id));
    if (storages.is_persistent(root)) {
      found.homes[id].input = root;
    } else if (storages.block(root).first >= 0) {
      int32_t& number = numbers[static_cast<size_t>(root)];
      if (number < 0) {
        std::vector<Block>& blocks = found.blocks_in(graph.value(root).tier);
        number = static_cast<int32_t>(blocks.size());
        blocks.push_back(storages.block(root));
      }
      found.homes[id].block = number;
    }
  }
  for (size_t at = 0; at < graph.nodes.size(); ++at) {
    const int64_t bytes = found.scratch_bytes[at];
    found.scratch_blocks.push_back(bytes == 0 ? -1 : static_cast<int32_t>(found.blocks.size()));
    if (bytes == 0) continue;
    const auto moment = static_cast<int32_t>(at);
    found.blocks.push_back({padded_bytes(bytes, "scratch", alignment_bytes), moment, moment});
  }
  int64_t total = 0;
  for (const Tier tier : {Tier::device, Tier::host, Tier::disk}) {
    for (const Block& block : found.blocks_in(tier)) total = add_sizes(total, block.size_bytes, graph.name);
  }
  return found;
}

std::vector<Block>& Lifetimes::blocks_in(Tier tier) {
  if (tier == Tier::device) return blocks;
  return tier == Tier::host ? host_blocks : disk_blocks;
}

std::vector<Tenant> tenants_of(const Graph& graph, const Lifetimes& lifetimes) {
  std::vector<Tenant> tenants;
  for (size_t at = 0; at < graph.nodes.size(); ++at) {
    const auto moment = static_cast<int32_t>(at);
    for (const ValueId id : graph.nodes[at].outputs) {
      const int32_t block = lifetimes.homes[static_cast<size_t>(id)].block;
      if (block >= 0 && graph.value(id).tier == Tier::device) tenants.push_back({id, block, moment, moment});
    }
    if (lifetimes.scratch_blocks[at] >= 0) tenants.push_back({kNoValue, lifetimes.scratch_blocks[at], moment, moment});
  }
  std::stable_sort(tenants.begin(), tenants.end(), [](const Tenant& a, const Tenant& b) { return a.block < b.block; });
  for (size_t i = 0; i < tenants.size(); ++i) {
    const bool is_last = i + 1 == tenants.size() || tenants[i + 1].block != tenants[i].block;
    tenants[i].last = is_last ? lifetimes.blocks[static_cast<size_t>(tenants[i].block)].last : tenants[i + 1].first - 1;
  }
  return tenants;
}

std::vector<int64_t> live_bytes(std::span<const Block> blocks, int32_t moments) {
  std::vector<int64_t> changes(static_cast<size_t>(moments) + 1, 0);
  for (const Block& block : blocks) {
    if (block.first >= moments) continue;
    changes[static_cast<size_t>(block.first)] += block.size_bytes;
    changes[static_cast<size_t>(std::min(block.last + 1, moments))] -= block.size_bytes;
  }
  changes.pop_back();
  std::partial_sum(changes.begin(), changes.end(), changes.begin());
  return changes;
}

}  // namespace headroom
