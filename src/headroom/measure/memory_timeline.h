// Memory over the time of one step: what the plan says is alive at the end of each node, and what the kernel says is
// resident. Of fixed size: where a step has more nodes than points, neighbours become one, which keeps the larger.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace headroom {

class MemoryTimeline {
 public:
  struct Point {
    int64_t end_ns = 0;          // of the node, by the steady clock
    int64_t live_bytes = 0;      // in the arena, while the node ran
    int64_t resident_bytes = 0;  // of the process at its end, or a moment before; 0 where the kernel does not say
    int32_t graph = 0;
    int32_t node = 0;
  };
  static constexpr size_t kMostPoints = 2048;
  static constexpr int64_t kBytes = kMostPoints * sizeof(Point);

  MemoryTimeline();
  ~MemoryTimeline();
  MemoryTimeline(const MemoryTimeline&) = delete;
  MemoryTimeline& operator=(const MemoryTimeline&) = delete;

  // Of a new step.
  void restart();
  void add(int64_t end_ns, int64_t live_bytes, int32_t graph, int32_t node);
  const std::vector<Point>& points() const { return points_; }

 private:
  int64_t read_resident() const;

  int statm_ = -1;  // /proc/self/statm
  std::vector<Point> points_;
  int64_t resident_bytes_ = 0;
  int64_t sampled_ns_ = 0;
  int64_t interval_ns_ = 0;  // between two looks at what is resident
  int samples_ = 0;
};

}  // namespace headroom
