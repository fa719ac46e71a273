// Which format `quantize` gives each weight of a model: decided by names and shapes, before anything is read.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "headroom/formats/weights/weight_files.h"
#include "headroom/headroom.h"
#include "headroom/models/model.h"

namespace headroom {

struct QuantizedWeight {
  WeightTensor source;
  Type type;  // as it will be stored
  bool is_head = false;
};

// The model's tensors in the order of their files. Matrices get --bits, that of the output layer (a tied table, too)
// --head-bits; vectors, gates of experts and what --keep names stay as they are stored, quantised blocks of a GGUF file
// in f32. Throws InvalidInput for flags that mean nothing, for a model that is quantised already, and for rows that are
// no whole groups, with what would do.
std::vector<QuantizedWeight> choose_formats(const QuantizeOptions& options, const Model& model,
                                            const WeightFiles& files);

// By the name of a format.
std::map<std::string, QuantizeResult::Format> formats_of(const std::vector<QuantizedWeight>& weights);
// Of all weights together, quantised or not.
double bits_per_weight(const std::vector<QuantizedWeight>& weights);

}  // namespace headroom
