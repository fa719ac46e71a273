// How this process was called.
#pragma once

#include <string>

namespace headroom {

// Its words as a shell would take them, "headroom plan 'my model'"; of a long one the beginning, and "...". Empty where
// the kernel does not say.
std::string command_line();

}  // namespace headroom
