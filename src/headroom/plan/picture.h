// The plan as a picture: one HTML file that needs nothing else. Memory over the nodes of each graph, stacked and
// coloured by role, and the arena itself (address over time); what is alive under the cursor; the peak.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>

#include "headroom/plan/job.h"
#include "headroom/plan/report.h"

namespace headroom {

// What the page says above the picture; what is empty is left out.
struct PictureWords {
  std::string title;          // "plan of the training step"
  std::string model;          // where it is, or the preset's name
  std::string choice;         // what the planner chose
  std::string command;        // the command line
  std::string forecast = {};  // what is predicted of its speed
};

// As members of an object, for a script element of the page.
std::string json_of(const PictureWords& words);
// A JSON string that may stand inside a script element.
std::string script_string(std::string_view text);

// Writes the page for `plan`, which plan_job(job) made. Values beyond the few thousand largest of a graph are summed up
// by role. Writes piece by piece; whoever opened `out` checks its state.
void write_picture(std::ostream& out, const Job& job, const Plan& plan, const ProcessBudget& budget,
                   const PictureWords& words);

}  // namespace headroom
