// What `convert` can write: one entry a format (convert.cc lists them). A format opens the source and says what it will
// need; the verb plans, checks the disk, and lets it write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "headroom/headroom.h"

namespace headroom {

// One job of converting, opened and checked; nothing has been written yet.
class Conversion {
 public:
  virtual ~Conversion() = default;

  // Known before it runs: bytes of weights to read, of files to write (at most; after the run what they are), and of
  // the heap that headers and lists take.
  virtual int64_t read_bytes() const = 0;
  virtual int64_t written_bytes() const = 0;
  virtual int64_t heap_bytes() const = 0;
  virtual int64_t tensors() const = 0;
  virtual int64_t files() const = 0;  // of weights

  // Called on the caller's thread with the bytes of weights read so far; what it throws ends the conversion.
  using Progress = std::function<void(int64_t done_bytes)>;
  // Writes the output whole or not at all, through `staging` and nothing else of any size. Throws InvalidInput for
  // weights that cannot be written so, MachineFailure for a disk's errors.
  virtual void run(std::span<std::byte> staging, const Progress& progress) = 0;
};

struct ConvertFormat {
  std::string_view name;  // of --format
  // Throws InvalidInput for what is wrong with the flags, the source or the place of the output.
  std::unique_ptr<Conversion> (*open)(const ConvertOptions& options);
};

// A Hugging Face directory: safetensors of one dtype or the source's, config, tokenizer. --format hf
extern const ConvertFormat kHuggingFaceFormat;

// One GGUF file: F32, F16, BF16 or Q8_0, with metadata and vocabulary. --format gguf
extern const ConvertFormat kGgufFormat;

}  // namespace headroom
