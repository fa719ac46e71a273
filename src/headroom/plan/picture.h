// The plan as a picture: one HTML file that needs nothing else. Memory over the nodes of each graph, stacked and
// coloured by role, and the arena itself (address over time); what is alive under the cursor; the peak.
#pragma once

#include <iosfwd>

#include "headroom/plan/job.h"
#include "headroom/plan/report.h"

namespace headroom {

// Writes the page for `plan`, which plan_job(job) made. Values beyond the few thousand largest of a graph are summed up
// by role. Writes piece by piece; whoever opened `out` checks its state.
void write_picture(std::ostream& out, const Job& job, const Plan& plan, const ProcessBudget& budget);

}  // namespace headroom
