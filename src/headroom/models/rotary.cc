#include "headroom/models/rotary.h"

#include <algorithm>
#include <numbers>
#include <optional>
#include <string>

#include "headroom/base/errors.h"
#include "headroom/base/real_math.h"
#include "headroom/formats/json/json_object.h"

namespace headroom {
namespace {

constexpr double kMostPositions = 1 << 24;

// Fields of one type of scaling that transformers passes over beside another.
constexpr std::string_view kOfOtherTypes[] = {"attention_factor",
                                              "beta_fast",
                                              "beta_slow",
                                              "factor",
                                              "finetuned",
                                              "high_freq_factor",
                                              "long_factor",
                                              "mscale",
                                              "mscale_all_dim",
                                              "low_freq_factor",
                                              "original_max_position_embeddings",
                                              "short_factor",
                                              "truncate",
                                              "type"};

double read_theta(const JsonObject& from, double fallback) { return from.real_or("rope_theta", fallback, 1.0, 1e12); }

void read_llama3(const JsonObject& rope, double max_positions, RotarySettings& rotary) {
  rotary.scaling = RotaryScaling::llama3;
  rotary.low_frequency_factor = rope.real("low_freq_factor", 1e-3, 1e6);
  rotary.high_frequency_factor = rope.real("high_freq_factor", 1e-3, 1e6);
  rotary.original_positions = rope.real_or("original_max_position_embeddings", max_positions, 1.0, kMostPositions);
  if (rotary.high_frequency_factor > rotary.low_frequency_factor) return;
  throw InvalidInput("{}: expected a number above low_freq_factor {}, got {}", rope.where("high_freq_factor"),
                     rotary.low_frequency_factor, rotary.high_frequency_factor);
}

// `rope` is rope_scaling or rope_parameters.
void read_scaling(const JsonObject& rope, double max_positions, RotarySettings& rotary) {
  const std::string_view key = rope.has("rope_type") ? "rope_type" : "type";
  const std::string type = rope.text_or(key, "default");
  if (type == "linear") {
    rotary.scaling = RotaryScaling::linear;
  } else if (type == "llama3") {
    read_llama3(rope, max_positions, rotary);
  } else if (type != "default" && type != "dynamic") {  // which begins beyond max_positions, where no model is run
    throw InvalidInput("{}: {} is not supported; expected default, linear, dynamic or llama3", rope.where(key),
                       rope.show(key));
  }
  const double part = rope.real_or("partial_rotary_factor", 1.0, 0.0, 1.0);
  if (part != 1.0) {
    throw InvalidInput("{}: heads that are rotated in part are not supported; expected 1, got {}",
                       rope.where("partial_rotary_factor"), part);
  }
  if (rotary.scaling != RotaryScaling::none) rotary.factor = rope.real("factor", 1.0, 1e6);
  for (const std::string& unknown : rope.unread()) {
    if (std::find(std::begin(kOfOtherTypes), std::end(kOfOtherTypes), unknown) != std::end(kOfOtherTypes)) continue;
    throw InvalidInput("{}: this field is none of rope_type {}; remove it if it changes nothing", rope.where(unknown),
                       type);
  }
}

}  // namespace

RotarySettings read_rotary(const JsonObject& config, int64_t max_positions) {
  RotarySettings rotary;
  rotary.theta = read_theta(config, rotary.theta);
  std::optional<JsonObject> rope = config.object_if("rope_parameters");
  const std::optional<JsonObject> older = config.object_if("rope_scaling");
  if (older && !older->keys().empty()) rope = older;
  if (!rope) return rotary;
  rotary.theta = read_theta(*rope, rotary.theta);
  read_scaling(*rope, static_cast<double>(max_positions), rotary);
  return rotary;
}

std::vector<double> rotary_frequencies(const RotarySettings& settings, int64_t head_dim) {
  std::vector<double> frequencies;
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    const double plain = real::pow(settings.theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    const double stretched = plain / settings.factor;
    if (settings.scaling != RotaryScaling::llama3) {
      frequencies.push_back(stretched);
      continue;
    }
    const double waves = settings.original_positions * plain / (2 * std::numbers::pi);  // in the original positions
    const double low = settings.low_frequency_factor;
    const double high = settings.high_frequency_factor;
    const double smooth = (waves - low) / (high - low);
    if (waves < low) {
      frequencies.push_back(stretched);
    } else if (waves > high) {
      frequencies.push_back(plain);
    } else {
      frequencies.push_back((1 - smooth) * stretched + smooth * plain);
    }
  }
  return frequencies;
}

void fill_rotary_table(std::span<const double> frequencies, std::span<float> table) {
  const size_t half = frequencies.size();
  const size_t positions = table.size() / (2 * half);
  for (size_t position = 0; position < positions; ++position) {
    float* row = table.data() + position * 2 * half;
    for (size_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(position) * frequencies[i];
      row[i] = static_cast<float>(real::cos(angle));
      row[half + i] = static_cast<float>(real::sin(angle));
    }
  }
}

}  // namespace headroom
