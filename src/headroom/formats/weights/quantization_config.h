// What config.json says of weights that other programs have quantised: its quantization_config, by whose quant_method
// the tensors of the files are understood (foreign_weights.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "headroom/formats/json/json_object.h"

namespace headroom {

enum class QuantMethod : uint8_t { headroom, gptq, awq, compressed_tensors, fp8, bitsandbytes };

struct QuantizationConfig {
  QuantMethod method;
  int bits = 4;                 // gptq: of tensors whose shapes do not say it
  bool zeros_less_one = false;  // gptq: what files of version 1 store
  bool is_symmetric = false;    // gptq: every zero is 2^(bits - 1)
  bool by_rows = false;         // awq: GEMV's order of words instead of GEMM's
  int64_t group_size = 128;     // awq by rows; -1: the whole row
  bool has_blocks = false;      // fp8, by its config
  int64_t block_rows = 128;     // that share a scale
  int64_t block_columns = 128;
};

// What `config` ("quantization_config") says. Throws InvalidInput naming the field for a method, and a form of its
// files, that headroom does not read.
QuantizationConfig read_quantization_config(const JsonObject& config);

// That of the config.json of a directory; none where there is no such file or field.
std::optional<QuantizationConfig> quantization_of_model(const std::string& directory);

}  // namespace headroom
