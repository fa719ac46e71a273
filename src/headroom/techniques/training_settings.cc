#include "headroom/techniques/training_settings.h"

#include <algorithm>

namespace headroom {

std::vector<Pass> in_order(std::vector<PhasedPass> passes) {
  std::stable_sort(passes.begin(), passes.end(),
                   [](const PhasedPass& a, const PhasedPass& b) { return a.phase < b.phase; });
  std::vector<Pass> ordered;
  for (PhasedPass& one : passes) ordered.push_back(std::move(one.pass));
  return ordered;
}

}  // namespace headroom
