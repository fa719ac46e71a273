#include "headroom/models/constants.h"

#include <fmt/core.h>

#include "headroom/models/rotary.h"
#include "headroom/models/step_inputs.h"

namespace headroom {

void fill_constants(const Model& model, const Workspace& workspace, std::string_view prefix) {
  fill_rotary_table(model.rotary_frequencies(), model.rotary_magnitude(),
                    workspace.view<float>(fmt::format("{}{}", prefix, kRotaryTable)).all());
}

}  // namespace headroom
