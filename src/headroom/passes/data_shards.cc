#include "headroom/passes/data_shards.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/graph/interned.h"
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

Graph keep_shard(const Graph& accumulating, int level) {
  Graph graph{.name = fmt::format("keep_shard_{}", level),
              .values = {},
              .inputs = {},
              .nodes = {},
              .carries = {},
              .results = {}};
  const Uses uses(accumulating);
  Builder build(graph);
  build.set_phase(Phase::update);
  for (const TrainedWeight& one : trained_weights(accumulating)) {
    const std::string& name = accumulating.value(one.weight).name;
    build.set_segment({interned(name)});
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
    build.set_segment({interned(name)});
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

// Block L runs 2^L shards and what keeps all but the last of them: block 0 is one shard, block 2 is block 1, keep 1,
// block 1.
// Those before the last shard are one power of two for each bit of their number, the largest first.
void add_data_shards(Job& job, int64_t shards) {
  const size_t first = job.graphs.size() - 1;
  const int levels = shard_levels(shards);
  for (int level = 0; level < levels; ++level) {
    job.insert_graph(first + static_cast<size_t>(level), keep_shard(job.graphs.back(), level));
  }
  Schedule& update = job.schedule("update");
  const Row zero = update.rows[0], micro = update.rows[1], step = update.rows[2];
  const int64_t micro_batches = (micro.times + 1) / shards;
  const auto micro_of = [&](int64_t times) {
    Row row = micro;
    row.times = times;
    return row;
  };
  const auto keep = [&](int level) { return Row{.graph = static_cast<int32_t>(first) + level}; };
  update.rows.clear();
  update.blocks = {{zero, micro_of(micro_batches)}};
  for (int level = 0; level + 1 < levels; ++level) {
    const Row half = {.block = level};
    update.blocks.push_back({half, keep(level), half});
  }
  for (int level = levels; level-- > 0;) {
    if (((shards - 1) >> level & 1) == 0) continue;
    update.rows.push_back({.block = level});
    update.rows.push_back(keep(level));
  }
  update.rows.push_back(zero);
  if (micro_batches > 1) update.rows.push_back(micro_of(micro_batches - 1));
  update.rows.push_back(step);
}

}  // namespace headroom
