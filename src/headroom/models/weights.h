// Weights from files into a workspace.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "headroom/models/model.h"
#include "headroom/runtime/workspace.h"

namespace headroom {

// Called now and then with the bytes loaded so far and in all.
using LoadProgress = std::function<void(int64_t done_bytes, int64_t total_bytes)>;

// Throws InvalidInput unless the weight files at `path` hold exactly the parameters of `model`: a tensor is missing,
// has another shape, or is none of the model's (rotary tables that older files carry and what a tied model
// holds twice are passed over).
void check_weights(const std::string& path, const Model& model);

// Reads every parameter that the workspace holds, straight into the arena, converting to the dtype it has there.
// Throws as check_weights does, and for a NaN. The values of the workspace have the parameters' names behind `prefix`.
void load_weights(const std::string& path, const Model& model, const Workspace& workspace,
                  const LoadProgress& progress = nullptr, std::string_view prefix = "");

}  // namespace headroom
