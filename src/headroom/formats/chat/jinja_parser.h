// A template's source to a Program. What is not supported is refused here, by its name, whether or not a render would
// come to it.
#pragma once

#include <string>
#include <string_view>

#include "headroom/formats/chat/jinja_nodes.h"

namespace headroom::jinja {

// The most memory that a Program of a source of this size takes. A source that is denser is refused.
int64_t program_bound_bytes(int64_t source_bytes);

// `source`: valid UTF-8. Throws InvalidInput: "WHERE: chat template, line N: ...".
Program parse(std::string_view source, const std::string& where);

}  // namespace headroom::jinja
