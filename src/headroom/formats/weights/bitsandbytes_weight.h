// Weights that bitsandbytes has quantised: NF4 and FP4, whose blocks' magnitudes may be quantised too, and LLM.int8().
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "headroom/formats/weights/coded_weight.h"

namespace headroom {

// The tensor whose name is that of the codes and, behind it, `ending`; or none.
using FindBeside = std::function<std::optional<WeightTensor>(const std::string& ending)>;

// Two codes a byte, the first in the high half; an element is map[code] * magnitude of its block of the flat weight,
// where magnitudes are quantised nested map[code] * scale + offset, each operation rounded. What they are, the JSON in
// a tensor "quant_state.bitsandbytes__nf4" says. Throws InvalidInput naming the tensor that is missing or does not fit.
std::unique_ptr<CodedWeight> bitsandbytes_four_bits(const WeightTensor& codes, const FindBeside& find);

// Signed bytes; an element is (code * the row's scale) * (1 / 127), each product rounded.
std::unique_ptr<CodedWeight> bitsandbytes_eight_bits(const WeightTensor& codes, const WeightTensor& scales);

}  // namespace headroom
