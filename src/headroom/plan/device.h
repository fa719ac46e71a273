// Machines one may not have: memory, rates and links of well-known cards and of the slices that they can be cut into,
// so that a job can be planned for one before it is rented. docs/machines.md says where each figure is from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/base/bytes.h"

namespace headroom {

struct Device {
  std::string name;          // "a100-80gb", and of a slice "a100-80gb-1g.10gb"
  int64_t memory_bytes = 0;  // all of it, as the driver shows it
  double memory_bytes_per_second = 0;
  // Peaks of dense products with sums in f32.
  double f32_flops_per_second = 0;
  double tf32_flops_per_second = 0;
  double bf16_flops_per_second = 0;       // of f16 too
  double host_link_bytes_per_second = 0;  // each way

  // What a process may plan for: the rest is the driver's context, its libraries' kernels and workspaces.
  int64_t usable_bytes() const { return memory_bytes - kContextBytes; }
  static constexpr int64_t kContextBytes = 512 * kMiB;
};

// Cards first, then their slices.
const std::vector<Device>& devices();

// The device of that name, written as here or as nvidia-smi does ("NVIDIA A100-SXM4-80GB", "NVIDIA H200 MIG 1g.18gb").
// Throws InvalidInput with all names where there is none.
const Device& find_device(std::string_view name);

// The table that `plan --device list` prints. Ends with a newline.
std::string device_table();

}  // namespace headroom
