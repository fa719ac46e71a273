// The fields of a config.json that no architecture reads: which of them say nothing about the numbers, which are known
// to change them, and that the rest might (docs/formats.md).
#pragma once

#include <string_view>

#include "headroom/formats/json/json_object.h"

namespace headroom {

// What an architecture calls when it has read all that it understands. Throws InvalidInput for a field that is left and
// is known to change the numbers, at a value that does; and, unless config.ignores_unknown(), for one that is unknown.
// config.passed_over() then has those that transformers itself does not write.
void refuse_unknown_fields(const JsonObject& config);

// Throws InvalidInput: the field's value is not supported, and what is.
void expect_field(const JsonObject& config, std::string_view key, bool holds, std::string_view expected);

// Whether `words`, each between spaces, have this one.
bool is_among(std::string_view word, std::string_view words);

}  // namespace headroom
