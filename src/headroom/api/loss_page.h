// The picture of what a quantisation lost, for --html: a page that needs nothing else.
#pragma once

#include <string>

#include "headroom/headroom.h"

namespace headroom {

// Of each weight a bar for the loss of its codes and a line for that of rounding, layer after layer; above them the
// numbers of the whole model. Written whole or not at all. Throws as AtomicFile does.
void write_loss_page(const std::string& path, const QuantizeOptions& options, const QuantizeResult& result);

}  // namespace headroom
