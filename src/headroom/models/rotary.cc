#include "headroom/models/rotary.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <string>

#include "headroom/base/errors.h"
#include "headroom/base/real_math.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/models/known_fields.h"

namespace headroom {
namespace {

constexpr double kMostPositions = 1 << 24;
constexpr const char* kOriginalPositions = "original_max_position_embeddings";

// Fields of one type of scaling that transformers passes over beside another.
constexpr std::string_view kOfOtherTypes =
    " attention_factor beta_fast beta_slow factor finetuned high_freq_factor long_factor low_freq_factor mscale "
    "mscale_all_dim original_max_position_embeddings short_factor truncate type ";

double read_theta(const JsonObject& from, double fallback) { return from.real_or("rope_theta", fallback, 1.0, 1e12); }

void read_llama3(const JsonObject& rope, RotarySettings& rotary) {
  rotary.scaling = RotaryScaling::llama3;
  rotary.low_frequency_factor = rope.real("low_freq_factor", 1e-3, 1e6);
  rotary.high_frequency_factor = rope.real("high_freq_factor", 1e-3, 1e6);
  if (rotary.high_frequency_factor > rotary.low_frequency_factor) return;
  throw InvalidInput("{}: expected a number above low_freq_factor {}, got {}", rope.where("high_freq_factor"),
                     rotary.low_frequency_factor, rotary.high_frequency_factor);
}

double scaled_magnitude(double factor, double scale) { return factor <= 1 ? 1.0 : 0.1 * scale * real::log(factor) + 1; }

// A border, a pair's number: it turns `times` times in the original positions.
double pair_that_turns(double times, const RotarySettings& rotary, int64_t head_dim) {
  const double turns = rotary.original_positions / (times * 2 * std::numbers::pi);
  return static_cast<double>(head_dim) * real::log(turns) / (2 * real::log(rotary.theta));
}

// How far each pair is slowed, from 0 to 1.
std::vector<double> yarn_ramp(const RotarySettings& rotary, int64_t head_dim) {
  double low = pair_that_turns(rotary.beta_fast, rotary, head_dim);
  double high = pair_that_turns(rotary.beta_slow, rotary, head_dim);
  if (rotary.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(head_dim - 1));
  if (low == high) high += 0.001;
  std::vector<double> ramp;
  for (int64_t i = 0; i < head_dim / 2; ++i)
    ramp.push_back(std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0));
  return ramp;
}

void read_yarn(const JsonObject& rope, double max_positions, RotarySettings& rotary) {
  rotary.scaling = RotaryScaling::yarn;
  rotary.factor = rope.real_or("factor", std::max(1.0, max_positions / rotary.original_positions), 1.0, 1e6);
  rotary.beta_fast = rope.real_or("beta_fast", 32.0, 1e-3, 1e6);
  rotary.beta_slow = rope.real_or("beta_slow", 1.0, 1e-3, 1e6);
  rotary.truncate = rope.boolean_or("truncate", true);
  const double scale = rope.real_or("mscale", 0.0, 0.0, 1e3);
  const double all = rope.real_or("mscale_all_dim", 0.0, 0.0, 1e3);
  rotary.magnitude = scale != 0 && all != 0
                         ? scaled_magnitude(rotary.factor, scale) / scaled_magnitude(rotary.factor, all)
                         : yarn_magnitude(rotary.factor);
  rotary.magnitude = rope.real_or("attention_factor", rotary.magnitude, 0.0, 1e3);
  if (all != 0) rotary.score_factor = scaled_magnitude(rotary.factor, all) * scaled_magnitude(rotary.factor, all);
  if (rotary.theta > 1) return;
  throw InvalidInput("{}: expected a number above 1 beside yarn, got {}", rope.where("rope_theta"), rotary.theta);
}

// `rope` is rope_scaling or rope_parameters.
void read_scaling(const JsonObject& rope, double max_positions, RotarySettings& rotary) {
  const std::string_view key = rope.has("rope_type") ? "rope_type" : "type";
  const std::string type = rope.text_or(key, "default");
  if (type == "linear") {
    rotary.scaling = RotaryScaling::linear;
  } else if (type == "llama3") {
    read_llama3(rope, rotary);
  } else if (type == "yarn") {
    read_yarn(rope, max_positions, rotary);
  } else if (type != "default" && type != "dynamic") {
    throw InvalidInput("{}: {} is not supported; expected default, linear, dynamic, yarn or llama3", rope.where(key),
                       rope.show(key));
  }
  const double part = rope.real_or("partial_rotary_factor", 1.0, 0.0, 1.0);
  if (part != 1.0) {
    throw InvalidInput("{}: heads that are rotated in part are not supported; expected 1, got {}",
                       rope.where("partial_rotary_factor"), part);
  }
  if (type == "linear" || type == "llama3") rotary.factor = rope.real("factor", 1.0, 1e6);
  expect_field(rope, "mrope_section", !rope.has("mrope_section"), "absent");
  for (const std::string& unread : rope.unread()) {
    if (is_among(unread, kOfOtherTypes)) continue;
    if (!rope.ignores_unknown()) {
      throw InvalidInput(
          "{}: this field is none of rope_type {}; remove it if it changes nothing, or try --ignore-unknown-fields",
          rope.where(unread), type);
    }
    rope.pass_over(unread);
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
  // The one beside the scaling is taken where there are two, as in transformers.
  const JsonObject& original = config.has(kOriginalPositions) ? config : *rope;
  rotary.original_positions =
      original.real_or(kOriginalPositions, static_cast<double>(max_positions), 1.0, kMostPositions);
  read_scaling(*rope, static_cast<double>(max_positions), rotary);
  return rotary;
}

int64_t positions_of(const RotarySettings& settings, int64_t max_positions) {
  const auto positions = static_cast<double>(max_positions);
  if (settings.scaling != RotaryScaling::yarn || positions > settings.original_positions) return max_positions;
  return static_cast<int64_t>(std::clamp(settings.original_positions * settings.factor, positions, kMostPositions));
}

double yarn_magnitude(double factor) { return scaled_magnitude(factor, 1.0); }

std::vector<double> rotary_frequencies(const RotarySettings& settings, int64_t head_dim) {
  std::vector<double> frequencies;
  const std::vector<double> ramp =
      settings.scaling == RotaryScaling::yarn ? yarn_ramp(settings, head_dim) : std::vector<double>{};
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    const double plain = real::pow(settings.theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    const double stretched = plain / settings.factor;
    if (!ramp.empty()) {
      const double slowed = ramp[static_cast<size_t>(i)];
      frequencies.push_back(stretched * slowed + plain * (1 - slowed));
      continue;
    }
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

void fill_rotary_table(std::span<const double> frequencies, double magnitude, std::span<float> table) {
  const size_t half = frequencies.size();
  const size_t positions = table.size() / (2 * half);
  for (size_t position = 0; position < positions; ++position) {
    float* row = table.data() + position * 2 * half;
    for (size_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(position) * frequencies[i];
      row[i] = static_cast<float>(magnitude * real::cos(angle));
      row[half + i] = static_cast<float>(magnitude * real::sin(angle));
    }
  }
}

}  // namespace headroom
