// The fixed parts of the picture, between which picture.cc writes the data of a plan.
#pragma once

#include <string_view>

namespace headroom {

// Markup and style, up to the data.
extern const std::string_view kPictureHead;
// picture.js, as the build embeds it (cmake/embed_text.cmake).
extern const std::string_view kPictureScript;

}  // namespace headroom
