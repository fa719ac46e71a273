#include "headroom/measure/memory_timeline.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace headroom {
namespace {

// A look takes about two microseconds. A step is looked at a few hundred times: after so many, half as often.
constexpr int64_t kFirstIntervalNs = 200'000;
constexpr int kSamplesBeforeSlower = 200;

}  // namespace

MemoryTimeline::MemoryTimeline() : statm_(open("/proc/self/statm", O_RDONLY | O_CLOEXEC)) {
  points_.reserve(kMostPoints);
  restart();
}

MemoryTimeline::~MemoryTimeline() {
  if (statm_ >= 0) close(statm_);
}

void MemoryTimeline::restart() {
  points_.clear();
  samples_ = 0;
  sampled_ns_ = 0;
  interval_ns_ = kFirstIntervalNs;
}

void MemoryTimeline::add(int64_t end_ns, int64_t live_bytes, int32_t graph, int32_t node) {
  if (end_ns - sampled_ns_ >= interval_ns_) {
    resident_bytes_ = read_resident();
    sampled_ns_ = end_ns;
    if (++samples_ % kSamplesBeforeSlower == 0) interval_ns_ *= 2;
  }
  if (points_.size() == kMostPoints) {
    for (size_t i = 0; i < kMostPoints / 2; ++i) {
      const Point& first = points_[2 * i];
      const Point& second = points_[2 * i + 1];
      Point both = first.live_bytes > second.live_bytes ? first : second;
      both.end_ns = second.end_ns;
      both.resident_bytes = std::max(first.resident_bytes, second.resident_bytes);
      points_[i] = both;
    }
    points_.resize(kMostPoints / 2);
  }
  points_.push_back({end_ns, live_bytes, resident_bytes_, graph, node});
}

int64_t MemoryTimeline::read_resident() const {
  std::array<char, 128> text{};
  if (statm_ < 0 || pread(statm_, text.data(), text.size() - 1, 0) <= 0) return 0;
  long size = 0;
  long resident = 0;
  if (std::sscanf(text.data(), "%ld %ld", &size, &resident) != 2) return 0;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace headroom
