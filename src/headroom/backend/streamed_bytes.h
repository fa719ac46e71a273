// From which size on kernels write an output past the caches (cpu/streams.h); apart, so that tests can reach it.
#pragma once

#include <cstdint>

namespace headroom {

// The third-level cache of the machines in use: of an output larger than that, the next op finds little in it.
inline constexpr int64_t kStreamedBytes = 32 * 1024 * 1024;

}  // namespace headroom
