#include "headroom/verbs/device_floor.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "headroom/base/quantity.h"
#include "headroom/plan/cost_model.h"

namespace headroom {

DeviceFloor device_floor(const Device& device, const Job& job, std::string_view schedule, bool half) {
  DeviceFloor floor;
  const std::vector<int64_t> runs = runs_of(job.schedule(schedule), job.graphs.size());
  for (size_t i = 0; i < runs.size(); ++i) {
    const auto times = static_cast<double>(runs[i]);
    if (times == 0) continue;
    for (const Node& node : job.graphs[i].nodes) {
      const Price price = price_of(job.graphs[i], node);
      floor.flops += times * price.flops;
      floor.bytes += times * price.bytes;
    }
  }
  floor.compute_seconds = floor.flops / (half ? device.bf16_flops_per_second : device.f32_flops_per_second);
  floor.memory_seconds = floor.bytes / device.memory_bytes_per_second;
  return floor;
}

std::string describe(const Device& device, const DeviceFloor& floor, bool trains) {
  return fmt::format("{}: {} and {} of traffic a {}; at its peak rates at least {} to compute, {} to move\n",
                     device.name, format_amount(floor.flops, "flop"), format_amount(floor.bytes, "B"),
                     trains ? "step" : "token", format_seconds(floor.compute_seconds),
                     format_seconds(floor.memory_seconds));
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
