// What `convert` can write: one entry a format (convert.cc lists them). A format opens the source and says what it will
// need; the verb plans, checks the disk, and lets it write.
#pragma once

#include <memory>
#include <string_view>

#include "headroom/api/conversion.h"

namespace headroom {

struct ConvertFormat {
  std::string_view name;  // of --format
  // Throws InvalidInput for what is wrong with the flags, the source or the place of the output.
  std::unique_ptr<Conversion> (*open)(const ConvertOptions& options);
};

// A Hugging Face directory: safetensors of one dtype or the source's, config, tokenizer. --format hf
extern const ConvertFormat kHuggingFaceFormat;

// One GGUF file: F32, F16, BF16 or Q8_0, with metadata and vocabulary. --format gguf
extern const ConvertFormat kGgufFormat;

// Hugging Face directories whose layers' codes are packed as GPTQ or AWQ does. --format gptq, awq
extern const ConvertFormat kGptqFormat;
extern const ConvertFormat kAwqFormat;

}  // namespace headroom
