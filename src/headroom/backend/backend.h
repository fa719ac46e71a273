// A backend: what graphs run on. Kernels, memory and lanes of one kind of device, chosen by its name; planner, passes
// and jobs never ask which it is. Backends are found through a table that the linker collects.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "headroom/backend/kernel.h"
#include "headroom/backend/transfer_stream.h"
#include "headroom/graph/op.h"
#include "headroom/graph/processor.h"

namespace headroom {

// Memory of a device, committed whole when it is made and given back when it goes.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  // Zeros at first, aligned to a page at least.
  std::span<std::byte> bytes() const { return bytes_; }

 protected:
  DeviceMemory() = default;
  std::span<std::byte> bytes_;
};

class Backend : public KernelTable {
 public:
  Backend() = default;
  virtual ~Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  virtual std::string_view name() const = 0;  // "cpu"
  // Which of its instruction sets or architectures runs: "avx2". For reports.
  virtual std::string_view variant() const = 0;

  // The kernel of `op`, or null.
  virtual Kernel find_kernel(std::string_view op) const = 0;

  // All of `threads` share the touching. Throws MachineFailure when the machine cannot give that much now (it is never
  // asked for more than it has: see available_memory).
  virtual std::unique_ptr<DeviceMemory> commit_memory(int64_t size_bytes, Threads& threads) const = 0;

  // Which of the lanes it has: on a CPU there is no link, since its memory is the host's.
  virtual bool has(Lane lane) const = 0;

  // What moves bytes between that memory and files: at most `most_requests` at a time. `directory`: of the offload
  // file, for messages. With `copies` some of what is read does not begin on a page of its file.
  virtual std::unique_ptr<TransferStream> open_disk_lane(const std::string& directory, size_t most_requests,
                                                         bool copies) const = 0;

  // For plans of graphs that run here.
  Processor on(int threads) const { return {this, threads}; }
};

struct BackendEntry {
  std::string_view name;
  const Backend& (*choose)();  // the best variant that this machine has
};

inline constexpr std::string_view kDefaultBackend = "cpu";

// Throws InvalidInput with all names when there is none of that name, and what choosing its variant throws.
const Backend& choose_backend(std::string_view name = kDefaultBackend);

}  // namespace headroom

// In a backend's source file, at global scope: enters the constant `entry` (a BackendEntry) into the table.
#define HEADROOM_BACKEND(entry) \
  [[gnu::used, gnu::section("headroom_backends")]] static const headroom::BackendEntry* const entry##_pointer = &(entry)
