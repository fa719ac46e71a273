#include "headroom/generate/spilled_cache.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <string>

#include "headroom/backend/backend.h"
#include "headroom/base/bytes.h"
#include "headroom/passes/offload.h"
#include "headroom/passes/pass.h"
#include "headroom/passes/prefetch.h"

namespace headroom {
namespace {

struct LayerCache {
  std::vector<std::string> values;
  int64_t bytes = 0;
};

// Of each layer, in the graph's order.
std::vector<LayerCache> layer_caches(const Graph& graph) {
  std::vector<LayerCache> layers;
  std::string layer;
  for (const ValueId id : graph.inputs) {
    const Value& value = graph.value(id);
    if (value.role != Role::kv_cache) continue;
    std::string of = value.name.substr(0, value.name.rfind('.'));
    if (layers.empty() || of != layer) layers.emplace_back();
    layer = std::move(of);
    layers.back().values.push_back(value.name);
    layers.back().bytes += value.bytes();
  }
  return layers;
}

// Those of `count` of the layers, spread over all of them, so that reading and computing take turns.
OffloadPlan leaving(const std::vector<LayerCache>& layers, size_t count) {
  OffloadPlan plan;
  plan.to = Tier::disk;
  for (size_t i = 0; i < layers.size(); ++i) {
    if ((i + 1) * count / layers.size() == i * count / layers.size()) continue;
    plan.values.insert(layers[i].values.begin(), layers[i].values.end());
  }
  return plan;
}

Graph spill(Graph graph, const OffloadPlan& plan) {
  return run_passes(std::move(graph), {{"spill", [&](Graph one) { return offload(std::move(one), plan); }, false}});
}

struct Spilling {
  Spilling(const std::vector<Candidate>& all, const Budget& in, const ReserveInputs& with)
      : ways(all), budget(in), reserve(with), layers(layer_caches(all.front().build().graphs.front())) {}

  int64_t layer_bytes() const {
    int64_t bytes = 0;
    for (const LayerCache& layer : layers) bytes = std::max(bytes, layer.bytes);
    return bytes;
  }

  FittedJob plan(size_t way, size_t count, int64_t ahead) const {
    const OffloadPlan gone = leaving(layers, count);
    const std::string choice =
        fmt::format("{}; the KV cache of {} of {} layers on disk", ways[way].choice, count, layers.size());
    FittedJob job = plan_candidate({choice,
                                    [&] {
                                      Job built = ways[way].build();
                                      const Processor processor = choose_backend().on(reserve.threads);
                                      for (Graph& graph : built.graphs) {
                                        graph = prefetch(spill(std::move(graph), gone), processor, ahead);
                                      }
                                      return built;
                                    }},
                                   budget, reserve);
    job.candidate = way;
    return job;
  }

  const std::vector<Candidate>& ways;
  const Budget& budget;
  const ReserveInputs& reserve;
  std::vector<LayerCache> layers;
};

}  // namespace

std::vector<Candidate> spill_all(const std::vector<Candidate>& ways) {
  std::vector<Candidate> spilled;
  for (const Candidate& way : ways) {
    spilled.push_back({way.choice + "; the KV cache on disk", [&way] {
                         Job job = way.build();
                         const std::vector<LayerCache> layers = layer_caches(job.graphs.front());
                         const OffloadPlan gone = leaving(layers, layers.size());
                         for (Graph& graph : job.graphs) graph = spill(std::move(graph), gone);
                         return job;
                       }});
    spilled.back().sweeps = way.sweeps;
  }
  return spilled;
}

std::optional<FittedJob> fit_spilled(const std::vector<Candidate>& ways, const Budget& budget,
                                     const ReserveInputs& reserve, int64_t& least_bytes) {
  const Spilling spilling(ways, budget, reserve);
  const size_t all = spilling.layers.size();
  if (all == 0) return std::nullopt;
  for (size_t way = 0; way < ways.size(); ++way) {
    for (const int64_t ahead : {spilling.layer_bytes(), int64_t{0}}) {
      const int64_t bytes = spilling.plan(way, all, ahead).predicted_peak_bytes;
      least_bytes = std::min(least_bytes, bytes);
      if (bytes > budget.bytes) continue;
      size_t fits = all;
      for (size_t too_few = 0; fits - too_few > 1;) {
        const size_t half = (fits + too_few) / 2;
        (spilling.plan(way, half, ahead).predicted_peak_bytes <= budget.bytes ? fits : too_few) = half;
      }
      return spilling.plan(way, fits, ahead);
    }
  }
  return std::nullopt;
}

FittedJob leanest_spilled(const std::vector<Candidate>& ways, const Budget& budget, const ReserveInputs& reserve) {
  const Spilling spilling(ways, budget, reserve);
  size_t leanest = 0;
  int64_t least_bytes = std::numeric_limits<int64_t>::max();
  for (size_t way = 0; way < ways.size(); ++way) {
    const int64_t bytes = spilling.plan(way, spilling.layers.size(), 0).predicted_peak_bytes;
    if (bytes < least_bytes) leanest = way;
    least_bytes = std::min(least_bytes, bytes);
  }
  return spilling.plan(leanest, spilling.layers.size(), 0);
}

}  // namespace headroom
