// What a job writes must not be what it reads: checked before anything is written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "headroom/headroom.h"

namespace headroom {

struct OutputPath {
  std::string name;  // "--report"
  std::string path;  // empty: none
};
struct InputPath {
  std::string_view name;
  std::string_view path;  // of a file or a directory; empty: none
};

// Throws InvalidInput for an output that is an input, or a file that headroom reads in a directory that is one, and for
// two outputs that are one file.
void check_output_paths(const std::vector<OutputPath>& outputs, const std::vector<InputPath>& inputs);

// --report and --html, and what the others add.
std::vector<OutputPath> outputs_of(const RunOptions& options, std::vector<OutputPath> others = {});
// Of a training run, which with `resume` reads checkpoints, too.
void check_training_paths(const TrainOptions& options);

}  // namespace headroom
