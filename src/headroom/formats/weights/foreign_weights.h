// The tensors that other programs write for a quantised weight, put together: by the method that config.json names,
// each weight becomes one tensor of its Hugging Face name.
//
//   gptq, awq            NAME.qweight, .qzeros, .scales, .g_idx            -> NAME.weight
//   compressed-tensors   NAME.weight_packed, _scale, _zero_point, _g_idx, _shape; NAME.weight and _scale, _zero_point
//   fp8                  NAME.weight in F8_E4M3, .weight_scale_inv or .weight_scale
//   bitsandbytes         NAME.weight and .weight.absmax, .weight.quant_map ...; NAME.weight and .SCB
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "headroom/formats/weights/coded_weight.h"
#include "headroom/formats/weights/quantization_config.h"

namespace headroom {

struct ForeignWeights {
  std::unique_ptr<CodedWeights> weights;
  std::unordered_set<std::string_view> parts;  // names of tensors that are theirs, or say what is not computed
};

// Of the tensors of `files`. Throws InvalidInput naming a tensor that is missing beside others or has another shape or
// type than its weight asks for.
ForeignWeights find_foreign_weights(const WeightFiles& files, const QuantizationConfig& config);

}  // namespace headroom
