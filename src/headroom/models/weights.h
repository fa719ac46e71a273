// Weights from files into a workspace.
#pragma once

#include <string>
#include <string_view>

#include "headroom/formats/weights/tensor_loader.h"
#include "headroom/models/model.h"
#include "headroom/runtime/workspace.h"

namespace headroom {

// Throws InvalidInput unless the weight files at `path` hold exactly the parameters of `model`: a tensor is missing,
// has another shape, or is none of the model's (rotary tables that older files carry and what a tied model
// holds twice are passed over).
void check_weights(const std::string& path, const Model& model);

// Tells the model what the files at `path` hold each of its weights in, as far as kernels read that: f16 and bf16 as
// they are, all else as f32. What the files lack stays with the config.
void take_stored_formats(const std::string& path, Model& model);

// Of names, shapes and the first elements of each parameter: tells whether weights are those of last time, without
// reading them all.
uint64_t fingerprint_of_weights(const std::string& path, const Model& model);

// Reads every parameter into its place in the arena or on disk, in the format it has there, by way of
// the workspace's staging memory; one that no graph reads is passed over. Throws as check_weights does, and for a NaN.
// The values of the workspace have the parameters' names behind `prefix`.
LoadStatistics load_weights(const std::string& path, const Model& model, const Workspace& workspace,
                            const LoadProgress& progress = nullptr, std::string_view prefix = "");

}  // namespace headroom
