// Rotary position embedding (Su et al. 2021): the angle by which each pair of a head turns from one position to the
// next, and how models that read longer texts than they were first trained on stretch it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace headroom {

class JsonObject;

enum class RotaryScaling : uint8_t {
  none,
  linear,  // all angles are divided by the factor (Chen et al. 2023)
  llama3,  // slow pairs are, fast ones are not, those between are blended (Llama 3.1, arXiv 2407.21783)
  yarn     // alike, blended by the pair's number, and cosines and sines are multiplied (Peng et al. 2023, 2309.00071)
};

struct RotarySettings {
  double theta = 10000.0;
  RotaryScaling scaling = RotaryScaling::none;
  double factor = 1.0;
  // llama3: a pair whose wave is longer than original_positions / low_frequency_factor is slow, one whose wave is
  // shorter than original_positions / high_frequency_factor is fast.
  double low_frequency_factor = 1.0;
  double high_frequency_factor = 4.0;
  double original_positions = 8192.0;
  // yarn: a pair that turns beta_fast times in the original positions is fast, one that turns beta_slow times is slow.
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  bool truncate = true;    // the two borders are whole numbers of pairs
  double magnitude = 1.0;  // what cosines and sines are multiplied by
  // yarn: what DeepSeek's models from V2 on multiply scores by, the square of the magnitude that mscale_all_dim gives.
  double score_factor = 1.0;
};

// Reads rope_theta, rope_scaling and rope_parameters as transformers does: where both of the latter stand, the first
// is taken, with rope_theta from inside it or from beside it. `max_positions` is what original_max_position_embeddings
// is where it is missing. Scaling of type dynamic is none: it begins beyond max_positions, where no model is run.
// Throws InvalidInput for a kind of scaling that is not supported.
RotarySettings read_rotary(const JsonObject& config, int64_t max_positions);

// How many positions a model has whose config says `max_positions`: with yarn, where those are no more than the
// original ones, as Qwen2.5's cards have it, `factor` times as many.
int64_t positions_of(const RotarySettings& settings, int64_t max_positions);

// D/2 numbers, f64.
std::vector<double> rotary_frequencies(const RotarySettings& settings, int64_t head_dim);

// The magnitude that YaRN gives a model whose config names none: 0.1 ln(factor) + 1.
double yarn_magnitude(double factor);

// rows x D, f32: cos of the D/2 angles of each position, then their sines, times the magnitude; in f64, rounded once.
void fill_rotary_table(std::span<const double> frequencies, double magnitude, std::span<float> table);

}  // namespace headroom
