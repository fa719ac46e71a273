#include "headroom/train/clip_mode.h"

#include "headroom/base/errors.h"

namespace headroom {

bool clips_tensors(const TrainingRequest& options) {
  const std::string& mode = options.clip_mode;
  if (mode != "auto" && mode != "one-pass" && mode != "two-pass" && mode != "tensor") {
    throw InvalidInput("--clip-mode {}: expected auto, one-pass, two-pass or tensor", mode);
  }
  if (options.grad_clip == 0 && (mode == "two-pass" || mode == "tensor")) {
    throw InvalidInput("--clip-mode {}: --grad-clip 0 clips nothing; expected --grad-clip above 0, or no --clip-mode",
                       mode);
  }
  if (mode == "two-pass" && (options.grad_accum > 1 || options.data_shards > 1)) {
    throw InvalidInput(
        "--clip-mode two-pass: with --grad-accum {} and --data-shards {} the sums of all gradients stay between "
        "micro-batches, and a second pass saves nothing; expected 1 of both, or another --clip-mode",
        options.grad_accum, options.data_shards);
  }
  return mode == "tensor";
}

std::vector<bool> two_pass_choices(const TrainingRequest& options, const TrainingShape& shape) {
  const bool is_possible = options.grad_clip > 0 && shape.micro_batches == 1;
  if (options.clip_mode == "two-pass") return {true};
  if (options.clip_mode != "auto" || !is_possible) return {false};
  return {false, true};
}

}  // namespace headroom
