// metrics.jsonl: one JSON object a training step, each with at least "step" (from 1, ascending) and "loss".
// Read as a stream: a run may have any number of steps.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "headroom/base/file.h"

namespace headroom {

class MetricsLog {
 public:
  // Opens `path`, or makes it. Lines after step `last_step`, and what a killed run left half-written, are cut off, so
  // that the next append() is step last_step + 1. Throws InvalidInput if the steps up to last_step are not all there.
  MetricsLog(const std::string& path, int64_t last_step);

  // One object without its line end. On the disk at the next sync().
  void append(std::string_view object);
  void sync() { file_.sync(); }

  // Whether the file still has its name: nobody deleted or moved it.
  bool is_there() const;
  // Writes all lines to a new file of that name, which must not exist.
  void restore();

  // Calls visit(step, loss) for every line, in order.
  void for_each_loss(const std::function<void(int64_t, double)>& visit) const;

 private:
  File file_;
  int64_t size_bytes_ = 0;
};

}  // namespace headroom
