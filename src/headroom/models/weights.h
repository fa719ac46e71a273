// Weights from files into a workspace.
#pragma once

#include <string>

#include "headroom/base/block_format.h"
#include "headroom/formats/weights/tensor_loader.h"
#include "headroom/models/model.h"
#include "headroom/runtime/workspace.h"

namespace headroom {

// Throws InvalidInput unless the files hold exactly the parameters of `model`: a tensor is missing,
// has another shape, or is none of the model's (rotary tables that older files carry, what a tied model holds
// twice, and what the model passes over may be there).
void check_weights(const WeightFiles& files, const Model& model);

// How many tensors the files hold that the model passes over.
int64_t count_passed_over(const WeightFiles& files, const Model& model);

// Tells the model what the files hold each of its weights in, as far as kernels read that: f16, bf16 and
// block formats as they are, what such a format holds exactly (Q8_0, GPTQ) in that, all else as f32. What the files
// lack stays with the config.
void take_stored_formats(const WeightFiles& files, Model& model);

// Of the weights that files hold in a quantised form, those of one: what they are kept in, and what that takes.
struct KeptWeights {
  std::string stored;  // "Q4_K", "GPTQ, 4 bits"
  DType kept = DType::f32;
  int64_t tensors = 0;
  int64_t file_bytes = 0;
  int64_t bytes = 0;  // in memory
};
// In the order of their first tensors; after take_stored_formats.
std::vector<KeptWeights> kept_weights(const WeightFiles& files, const Model& model);
// Those that the model's weights are kept in, in words: "f16", or "f32 and int4_g128".
std::string names_of_formats(const Model& model);

// Tells it the same of files that `convert` would write in blocks of Q8_0, where matrices whose rows are no whole
// blocks are f16.
void take_formats_of_q8(Model& model);

// Of names, shapes and the first elements of each parameter: tells whether weights are those of last time, without
// reading them all.
uint64_t fingerprint_of_weights(const std::string& path, const Model& model);

// Reads the values of the workspace that are bound to `source` from these files into their places in the arena or on
// disk, in the format that they have there, by way of the workspace's staging memory. A value none of whose tensors is
// there is passed over: a weight that is new. Throws InvalidInput for a tensor that is missing beside others or has
// another shape, and for a NaN.
LoadStatistics load_bound(const WeightFiles& files, Source source, const Workspace& workspace,
                          const LoadProgress& progress = nullptr);

// That, from the files at `path`, which must be of `model`: throws as check_weights does.
LoadStatistics load_weights(const std::string& path, const Model& model, const Workspace& workspace,
                            const LoadProgress& progress = nullptr, Source source = Source::model);

}  // namespace headroom
