#include "headroom/passes/data_shards.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/ops/join_partials.h"
#include "headroom/passes/differentiate.h"

namespace headroom {
namespace {

const Node& producer_of(const Graph& graph, const Uses& uses, ValueId value) {
  const int32_t index = uses.producer[static_cast<size_t>(value)];
  ensure(index >= 0, "the gradient '{}' is made by no node", graph.value(value).name);
  return graph.nodes[static_cast<size_t>(index)];
}

// The sum of a gradient's uses again, from the graph inputs that hold the uses' sums between micro-batches.
ValueId add_uses(const Graph& from, const Uses& uses, ValueId gradient, Builder& build) {
  const Node& node = producer_of(from, uses, gradient);
  if (node.op->continues_sum()) {
    const Value& sum = from.value(node.inputs.back());
    return build.input(sum.name, sum.type, sum.role);
  }
  const ValueId first = add_uses(from, uses, node.inputs[0], build);
  const ValueId second = add_uses(from, uses, node.inputs[1], build);
  return build.value(node.op->name(), {first, second}, {}, Role::gradient);
}

ValueId partial_sum(Builder& build, const std::string& weight, int level, const Type& type) {
  return build.input(fmt::format("{}.gradient_part.{}", weight, level), type, Role::gradient);
}

}  // namespace

int shard_levels(int64_t shards) { return static_cast<int>(std::bit_width(static_cast<uint64_t>(shards - 1))); }

int level_after_shard(int64_t shard) { return std::countr_one(static_cast<uint64_t>(shard)); }

std::string keep_shard_name(int level) { return fmt::format("keep_shard_{}", level); }

Graph keep_shard(const Graph& accumulating, int level) {
  Graph graph{.name = keep_shard_name(level), .values = {}, .inputs = {}, .nodes = {}, .carries = {}, .results = {}};
  const Uses uses(accumulating);
  Builder build(graph);
  build.set_phase(Phase::update);
  for (const TrainedWeight& one : trained_weights(accumulating)) {
    const std::string& name = accumulating.value(one.weight).name;
    build.set_segment({name});
    const Type& type = accumulating.value(one.gradient).type;
    const ValueId target = partial_sum(build, name, level, type);
    std::vector<ValueId> parts;
    for (int below = level; below-- > 0;) parts.push_back(partial_sum(build, name, below, type));
    parts.push_back(add_uses(accumulating, uses, one.gradient, build));
    build.carry(target, join_partials(build, target, parts));
  }
  return graph;
}

Graph join_last_shard(Graph graph, int64_t shards) {
  Builder build(graph);
  build.set_phase(Phase::update);
  for (const TrainedWeight& one : trained_weights(graph)) {
    const std::string name = graph.value(one.weight).name;
    build.set_segment({name});
    const Type type = graph.value(one.gradient).type;
    std::vector<ValueId> parts;
    // The partial sums that are alive when the last shard ends: a power of two of shards for each bit of their number.
    for (int level = shard_levels(shards); level-- > 0;) {
      if (((shards - 1) >> level & 1) != 0) parts.push_back(partial_sum(build, name, level, type));
    }
    const ValueId target = parts.front();
    parts.erase(parts.begin());
    parts.push_back(one.gradient);
    graph.value(one.gradient).name += "_of_shard";
    const ValueId joined = join_partials(build, target, parts, true);
    graph.value(joined).name = gradient_name(name);
    build.carry(target, joined);
    std::replace(graph.results.begin(), graph.results.end(), one.gradient, joined);
  }
  return graph;
}

}  // namespace headroom
