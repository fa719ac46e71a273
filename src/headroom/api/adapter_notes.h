// What is said of an adapter beside running with it.
#pragma once

#include <string>

#include "headroom/models/model.h"

namespace headroom {

// On standard error, unless `quiet`: what of the adapter's config counts for no layer. Nothing for an empty path.
void note_adapter(const std::string& directory, const Model& model, bool quiet);

}  // namespace headroom
