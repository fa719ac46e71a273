// Inputs of a training step that has no data: for measuring what a step takes.
#pragma once

#include "headroom/models/model.h"
#include "headroom/runtime/workspace.h"
#include "headroom/train/training_graphs.h"

namespace headroom {

// Each row one text, every token predicting the next; the rotary table and the update's numbers.
void fill_sample_inputs(const Model& model, const TrainingShape& shape, const Workspace& workspace);

}  // namespace headroom
