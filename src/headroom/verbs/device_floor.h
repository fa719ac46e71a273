// The least time that a planned step takes on a device, by its peak rates: no run is faster, and most are far from it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "headroom/plan/device.h"
#include "headroom/plan/job.h"

namespace headroom {

struct DeviceFloor {
  double flops = 0;  // of a training step, or of a new token
  double bytes = 0;  // read and written by it
  double compute_seconds = 0;
  double memory_seconds = 0;
};

// Of the job's schedule of that name. Products run at the device's rate for `half` precision or for f32.
DeviceFloor device_floor(const Device& device, const Job& job, std::string_view schedule, bool half);

// A line or two for people; ends with a newline.
std::string describe(const Device& device, const DeviceFloor& floor, bool trains);
nlohmann::ordered_json json_of(const Device& device, const DeviceFloor& floor);

}  // namespace headroom
