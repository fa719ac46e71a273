// What the graphs of a model read that never changes: the rotary table.
#pragma once

#include <string_view>

#include "headroom/models/model.h"
#include "headroom/runtime/workspace.h"

namespace headroom {

// Those of `model`, whose names stand behind `prefix` in the job: once, before the first run.
void fill_constants(const Model& model, const Workspace& workspace, std::string_view prefix = "");

}  // namespace headroom
