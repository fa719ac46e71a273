// Names that many nodes share: each is kept once, for as long as the program runs, so that a node holds a view of it.
// For names of which a program has a bounded number, those of layers, weights and attributes.
#pragma once

#include <string_view>

namespace headroom {

// The kept copy of `name`. May be called from any thread.
std::string_view interned(std::string_view name);

}  // namespace headroom
