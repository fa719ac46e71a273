// The least time that a planned step takes on a device, by its peak rates: no run is faster, and most are far from it.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "headroom/graph/graph.h"
#include "headroom/plan/device.h"

namespace headroom {

struct DeviceFloor {
  double flops = 0;  // of a training step, or of a new token
  double bytes = 0;  // read and written by it
  double compute_seconds = 0;
  double memory_seconds = 0;
};

// Of the job's graphs, each as often as `runs` says of its name. Products run at the device's rate for `half` precision
// or for f32.
DeviceFloor device_floor(const Device& device, std::span<const Graph> graphs,
                         const std::function<int64_t(std::string_view graph)>& runs, bool half);

// A line or two for people; ends with a newline.
std::string describe(const Device& device, const DeviceFloor& floor, bool trains);
nlohmann::ordered_json json_of(const Device& device, const DeviceFloor& floor);

}  // namespace headroom
