// The calibration of `quantize`: text that shows what weights are multiplied with, and where it has come to.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "headroom/api/quantize_choice.h"
#include "headroom/headroom.h"
#include "headroom/quantize/calibration.h"

namespace headroom {

struct Calibrated {
  std::vector<std::string> files;  // of weights in their new formats, and of what they lose
  std::vector<WeightLoss> losses;
  MemoryUse memory;
  int64_t rows = 0;
  double predicted_seconds = 0;  // of what was not done before
  double seconds = 0;
  int stopped_by_signal = 0;  // 0: done; otherwise the same command goes on later
};

// Whether the method of `options` reads text.
bool is_calibrated(const QuantizeOptions& options);

// Throws InvalidInput for flags of a calibration that are out of range, or that the method does not have.
void check_calibration(const QuantizeOptions& options);

// Where it works, beside the output, until the output is there.
std::string calibration_directory(const QuantizeOptions& options);

// Inside options.memory. Throws as Calibration does, and InvalidInput for text that has no row of tokens, or where
// calibration_directory() holds a calibration that other flags, text or weights have begun.
Calibrated calibrate(const QuantizeOptions& options, const Model& model, const std::vector<QuantizedWeight>& weights);

// Adds what the calibration took and the losses of weights to the report of the quantisation, whose memory becomes that
// of whichever took more.
void add_calibration(nlohmann::ordered_json& report, const Calibrated& calibrated);

// A table of the layers that lose most, on standard error.
void print_losses(const Calibrated& calibrated);

}  // namespace headroom
