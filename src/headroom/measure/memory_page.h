// Memory over the time of one step as a picture, by the program that draws plans (plan/picture.js): the planned line
// (what is alive in the arena, and the reserve), the measured line, the predicted peak, the budget; the op under the
// cursor.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "headroom/graph/graph.h"
#include "headroom/measure/memory_timeline.h"
#include "headroom/plan/report.h"

namespace headroom {

struct MemoryPage {
  const Plan& plan;
  ProcessBudget budget;
  std::span<const Graph* const> graphs;  // that the points name, in their order
  const std::vector<MemoryTimeline::Point>& points;
  int64_t begin_ns = 0;  // of the step
};

// Throws as AtomicFile does.
void write_memory_page(const std::string& path, const MemoryPage& page);

}  // namespace headroom
