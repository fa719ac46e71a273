// Settings of a training run of a tiny model, as the techniques read them from flags.
#pragma once

#include <map>
#include <string>

#include "headroom/base/errors.h"
#include "headroom/models/presets.h"
#include "headroom/techniques/technique.h"

namespace headroom::testing {

// Of 12 rows of 32 tokens.
inline TrainingSettings read_settings(const std::map<std::string, std::string>& flags, double grad_clip = 1.0,
                                      const std::string& disk = "") {
  const auto model = make_model(config_of(*find_preset("tiny-300k")));
  TrainingSettings settings;
  settings.flags = FlagValues(flags);
  settings.disk = disk;
  settings.shape = {.micro_rows = 12, .seq_len = 32};
  settings.updates.grad_clip = grad_clip;
  read_techniques(*model, settings);
  return settings;
}

// The refusal of those flags; empty: they are taken.
inline std::string refusal_of(const std::map<std::string, std::string>& flags, double grad_clip = 1.0) {
  try {
    read_settings(flags, grad_clip);
  } catch (const InvalidInput& error) {
    return error.what();
  }
  return "";
}

inline const Technique& technique_called(std::string_view name) {
  for (const Technique* technique : techniques()) {
    if (technique->name() == name) return *technique;
  }
  throw InternalError("no technique {}", name);
}

// The way that the technique's level makes of these settings.
inline TrainingWay taken(const Technique& technique, const TrainingSettings& settings, int level) {
  TrainingWay way{.shape = settings.shape};
  technique.apply(settings, level, way);
  return way;
}

}  // namespace headroom::testing
