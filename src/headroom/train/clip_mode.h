// --clip-mode: what it asks for, what it leaves open, what it excludes.
#pragma once

#include <vector>

#include "headroom/train/training_graphs.h"
#include "headroom/train/training_request.h"

namespace headroom {

// Whether each gradient is clipped by its own norm, which changes numbers. Throws InvalidInput when the mode is none,
// or needs what other options exclude.
bool clips_tensors(const TrainingRequest& options);

// The values of TrainingTechniques::two_pass_clipping that may be tried, the faster first. `options` have passed the
// check above.
std::vector<bool> two_pass_choices(const TrainingRequest& options, const TrainingShape& shape);

}  // namespace headroom
