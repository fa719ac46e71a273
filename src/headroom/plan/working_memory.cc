#include "headroom/plan/working_memory.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "headroom/plan/lifetimes.h"

namespace headroom {
namespace {

bool is_state(Role role) { return role == Role::weight || role == Role::gradient || role == Role::optimizer_state; }

// Bytes of all that comes and goes and is no state, at each node.
std::vector<int64_t> transient_bytes(const Graph& graph, const Processor& processor) {
  const Lifetimes lifetimes = find_lifetimes(graph, processor);
  std::vector<Block> blocks;
  for (const Tenant& tenant : tenants_of(graph, lifetimes)) {
    if (tenant.value != kNoValue && is_state(graph.value(tenant.value).role)) continue;
    blocks.push_back({lifetimes.blocks[static_cast<size_t>(tenant.block)].size_bytes, tenant.first, tenant.last});
  }
  return live_bytes(blocks, static_cast<int32_t>(graph.nodes.size()));
}

}  // namespace

WorkingMemory working_memory(std::span<const Graph> graphs, const Processor& processor) {
  WorkingMemory memory;
  int64_t inputs = 0;
  std::unordered_set<std::string_view> seen;
  for (const Graph& graph : graphs) {
    for (const ValueId id : graph.inputs) {
      const Value& value = graph.value(id);
      if (is_state(value.role) || value.tier != Tier::device || !seen.insert(value.name).second) continue;
      (value.role == Role::kv_cache ? memory.cache_bytes : inputs) += padded_bytes(value.bytes(), value.name);
    }
    const std::vector<int64_t> live = transient_bytes(graph, processor);
    for (const int64_t bytes : live) memory.peak_bytes = std::max(memory.peak_bytes, bytes);
    const auto backward = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                       [](const Node& node) { return node.phase == Phase::backward; });
    if (backward != graph.nodes.end()) {
      memory.saved_bytes = std::max(memory.saved_bytes, live[static_cast<size_t>(backward - graph.nodes.begin())]);
    }
  }
  memory.peak_bytes += inputs;
  return memory;
}

}  // namespace headroom
