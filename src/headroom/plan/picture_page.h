// The fixed parts of the picture: markup, style and script around the data of a plan.
#pragma once

#include <string_view>

namespace headroom {

// The page is kPictureHead (markup and style), the data (one JSON object, free of '<'), kPictureTail (the script).
extern const std::string_view kPictureHead;
extern const std::string_view kPictureTail;

}  // namespace headroom
