#include "headroom/api/device_floor.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/graph/op.h"

namespace headroom {
namespace {

Price price_of(const Graph& graph) {
  Price sum;
  std::vector<Type> inputs, outputs;
  for (const Node& node : graph.nodes) {
    inputs.clear();
    outputs.clear();
    for (const ValueId id : node.inputs) inputs.push_back(graph.value(id).type);
    for (const ValueId id : node.outputs) outputs.push_back(graph.value(id).type);
    const Price price = node.op->price({inputs, outputs, node.attributes});
    sum.flops += price.flops;
    sum.bytes += price.bytes;
  }
  return sum;
}

// How often a step runs the graph.
double runs_of(const std::string& graph, int64_t micro_batches) {
  if (graph == "step" || graph == "decode" || graph == "zero_gradients") return 1;
  return graph == "micro" ? static_cast<double>(micro_batches - 1) : 0;
}

}  // namespace

DeviceFloor device_floor(const Device& device, const FittedJob& job, int64_t micro_batches, bool half) {
  DeviceFloor floor;
  for (const Graph& graph : job.graphs) {
    const double runs = runs_of(graph.name, micro_batches);
    if (runs == 0) continue;
    const Price price = price_of(graph);
    floor.flops += runs * price.flops;
    floor.bytes += runs * price.bytes;
  }
  floor.compute_seconds = floor.flops / (half ? device.bf16_flops_per_second : device.f32_flops_per_second);
  floor.memory_seconds = floor.bytes / device.memory_bytes_per_second;
  return floor;
}

std::string describe(const Device& device, const DeviceFloor& floor, bool trains) {
  return fmt::format(
      "{}: {:.3g} Tflop and {:.3g} GB of traffic a {}; at its peak rates at least {:.3g} ms to compute, {:.3g} ms to "
      "move\n",
      device.name, floor.flops / 1e12, floor.bytes / 1e9, trains ? "step" : "token", floor.compute_seconds * 1e3,
      floor.memory_seconds * 1e3);
}

nlohmann::ordered_json json_of(const Device& device, const DeviceFloor& floor) {
  return {{"name", device.name},
          {"memory_bytes", device.memory_bytes},
          {"usable_bytes", device.usable_bytes()},
          {"memory_bytes_per_second", device.memory_bytes_per_second},
          {"f32_flops_per_second", device.f32_flops_per_second},
          {"tf32_flops_per_second", device.tf32_flops_per_second},
          {"bf16_flops_per_second", device.bf16_flops_per_second},
          {"host_link_bytes_per_second", device.host_link_bytes_per_second},
          {"flops", floor.flops},
          {"bytes", floor.bytes},
          {"least_compute_seconds", floor.compute_seconds},
          {"least_memory_seconds", floor.memory_seconds}};
}

}  // namespace headroom
