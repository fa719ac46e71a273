// The rate of a disk, as headroom reads and writes it: large direct requests (O_DIRECT), several at a time, into the
// pages of an arena.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "headroom/runtime/workspace.h"

namespace headroom {

struct DiskRates {
  std::string directory;
  std::string skipped;  // why nothing was measured; empty: it was
  int64_t file_bytes = 0;
  int requests = 0;                         // at a time
  double read_bytes_per_second = 0;         // so many requests; the median of a few passes
  double single_read_bytes_per_second = 0;  // one request at a time
  double write_bytes_per_second = 0;        // one at a time, synced at the end
};

// Writes a file without a name in `directory` (the temporary directory where it is empty), for about half a second
// and at most 512 MiB, and reads it. `memory` is borrowed, BlockReader::kMostStagingBytes; its content is written. The
// file is gone whatever happens. Skips a directory that cannot be written or has no room, and a file system without
// direct access, or in memory: what it would measure is no disk.
DiskRates measure_disk(const std::string& directory, std::span<std::byte> memory);

// Bytes a second of reading the file so, its first 512 MiB at most: the median of a few passes; 0 where it is small or
// offers no direct access. Throws as File::open does.
double measure_reading(const std::string& path, std::span<std::byte> memory);

// The same of a file that weights of the workspace stay in, by way of its staging memory; 0 where there is none, too.
double measure_model_file(const Workspace& workspace);

// Of that, for the budget.
int disk_probe_threads();

}  // namespace headroom
