// A job that makes the files of a model out of those of another, as a stream: what convert and quantize share. It opens
// the source and says what it will need; run_conversion() plans, checks the disk, and lets it write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "headroom/base/bytes.h"
#include "headroom/base/threads.h"
#include "headroom/headroom.h"

namespace headroom {

// One job, opened and checked; nothing has been written yet.
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
  virtual int threads() const { return 1; }
  virtual int64_t least_staging_bytes() const { return 256 * kKiB; }

  // Called on the caller's thread with the bytes of weights read so far; what it throws ends the conversion.
  using Progress = std::function<void(int64_t done_bytes)>;
  // Writes the output whole or not at all, through `staging` and nothing else of any size, on `threads`. Throws
  // InvalidInput for weights that cannot be written so, MachineFailure for a disk's errors.
  virtual void run(std::span<std::byte> staging, Threads& threads, const Progress& progress) = 0;
};

// What it is called.
struct ConversionWords {
  std::string_view doing;  // "converting"
  std::string_view noun;   // "conversion"
  std::string_view made;   // "the converted model"
};

// Where it goes; the output is not written yet.
struct ConversionPaths {
  const std::string& model;
  const std::string& output;
};

// Throws InvalidInput unless `output` is a directory that is new or empty.
void expect_new_directory(const std::string& output);

// Runs the job inside options.memory. The report has what the result has, and what `add` adds. A signal leaves nothing
// behind.
ConvertResult run_conversion(Conversion& conversion, const RunOptions& options, const ConversionPaths& paths,
                             const ConversionWords& words,
                             const std::function<void(nlohmann::ordered_json& report)>& add = nullptr);

}  // namespace headroom
