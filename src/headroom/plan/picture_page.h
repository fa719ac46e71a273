// The fixed parts of a picture, between which the data of a plan (picture.cc) or of a step (measure/memory_page.cc)
// are.
#pragma once

#include <string_view>

namespace headroom {

// Markup and style, up to the data.
extern const std::string_view kPictureHead;
// picture.js, as the build embeds it (cmake/embed_text.cmake).
extern const std::string_view kPictureScript;
// Between the data and the script, and behind it.
inline constexpr std::string_view kPictureMiddle = "</script>\n<script>\n";
inline constexpr std::string_view kPictureTail = "</script>\n</body>\n</html>\n";

}  // namespace headroom
