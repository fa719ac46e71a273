// The memory techniques that a training run may choose among, each a lever of the tuner (train/tuner.h). A technique
// enters the search by its one entry in the list of levers.cc.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "headroom/train/training_graphs.h"
#include "headroom/train/training_request.h"
#include "headroom/train/tuner.h"

namespace headroom {

// One way to run the steps of a training job. The levers set its members.
struct TrainingWay {
  TrainingShape shape;
  TrainingTechniques techniques;
};

struct Lever {
  std::string name;                      // what it is called in the plan's table: "micro-batches"
  std::vector<std::string> levels = {};  // from the fastest to the leanest: "1", "2", "4"
  bool graded = false;                   // as LeverRange says
  bool forced = false;                   // a flag left it a single level
  std::function<void(TrainingWay&, int level)> set = nullptr;
  // Where not all ways of the other levers go with all levels: asked when all levers have set theirs.
  std::function<bool(const TrainingWay&)> allows = nullptr;
};

// Those that `options` leave open, and those that they force, which have one level. `whole` is the shape with
// as few micro-batches as the options allow. Throws InvalidInput for a flag's unknown value.
std::vector<Lever> training_levers(const TrainingRequest& options, const TrainingShape& whole);

std::vector<LeverRange> ranges_of(const std::vector<Lever>& levers);
TrainingWay way_of(const std::vector<Lever>& levers, const TrainingShape& whole, const Way& levels);
bool allows(const std::vector<Lever>& levers, const TrainingWay& way);

// "checkpointing none, logits made once, 4 micro-batches": of the levers, those that say something at this level.
std::string describe(const std::vector<Lever>& levers, const Way& levels);

}  // namespace headroom
