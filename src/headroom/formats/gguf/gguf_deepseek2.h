// The metadata of deepseek2, which llama.cpp calls DeepSeek-V2, V3 and what has their layers, beside the fields of
// config.json.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "headroom/formats/gguf/gguf_keys.h"
#include "headroom/formats/gguf/gguf_writer.h"
#include "headroom/formats/json/json_object.h"

namespace headroom {

// Adds what config.json says of heads, latents, experts and rotary scaling; the architecture becomes DeepSeek-V3's
// where gates are sigmoids. Old files do not say in how many groups experts are chosen: those of the releases that have
// their number of experts are taken. Throws InvalidInput for a key that is missing, absurd or not supported.
void add_deepseek2_fields(GgufKeys& keys, nlohmann::ordered_json& config);

// Throws InvalidInput for what the keys cannot say: rotary scaling of other kinds, and halves that are rotated.
void expect_deepseek2_fields(const JsonObject& config);
// The same as add_deepseek2_fields the other way, of a config that is as expected.
void write_deepseek2_fields(const JsonObject& config, GgufWriter& writer);

}  // namespace headroom
