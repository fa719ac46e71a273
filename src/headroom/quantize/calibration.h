// Chooses the codes of a model's weights with the help of text, layer after layer, inside a budget. Each step is a job
// of its own that is planned like any other (calibration_graphs.h), so that of a layer no more is in memory than the
// step needs; what a step has found is a file at once, and a run that is killed goes on behind the last one.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "headroom/data/token_file.h"
#include "headroom/formats/weights/weight_files.h"
#include "headroom/plan/cost_model.h"
#include "headroom/quantize/calibration_graphs.h"
#include "headroom/quantize/hidden_rows.h"
#include "headroom/runtime/fit.h"
#include "headroom/runtime/workspace.h"

namespace headroom {

struct CalibrationSettings {
  SolveSettings solve;
  int64_t rows = 0;           // of text
  int64_t row_tokens = 0;     // tokens a row
  int64_t row_sequences = 1;  // documents in a row that do not see each other, at most
  int threads = 1;
  std::string model;      // whose files hold the weights
  std::string directory;  // where what has been found is kept until all is; exists when run() is called
  std::string disk;       // where rows go that memory has no room for; empty: nowhere
};

// What the codes of a weight lose, as parts of what the layer's output has: |x (w - q)^T|^2 / |x w^T|^2 over the
// calibration, damped as the matrix is.
struct WeightLoss {
  std::string weight;
  double loss = 0;
  double rounding_loss = 0;  // with each number to its nearest code
};

class Calibration {
 public:
  // `model` is borrowed.
  Calibration(const Model& model, NewFormats formats, CalibrationSettings settings);

  // The largest of the jobs, if all fit the budget, with rows in memory or on disk; the reserve counts for the rows.
  // `reserve` needs no nodes and arena_bytes. Throws BudgetExceeded as fit_job does.
  FittedJob fit(const Budget& budget, ReserveInputs reserve);

  // Whether all has been found, by earlier runs: there is nothing to fit and to run.
  bool is_complete() const;

  // As predicted for this machine, of what is not done already.
  double predicted_seconds() const { return predicted_seconds_; }

  // Called with the predicted seconds that are over; may throw to stop.
  using Progress = std::function<void(double seconds)>;
  // After fit(). `text` has settings.rows rows. Throws InvalidInput for inputs of a layer that are no numbers.
  void run(const TokenFile& text, const Progress& progress);

  // Of all weights that have been calibrated, in the order of the layers; after run().
  std::vector<WeightLoss> losses() const;
  // The files that hold them in their new formats.
  std::vector<std::string> files() const;

 private:
  struct Step;
  struct Stream;
  std::string path_of(size_t group) const;
  bool is_done(size_t group) const;
  std::vector<Step> steps_left() const;
  Candidate candidate_of(const Step& step) const;
  FittedJob plan(const Step& step) const;
  void prepare(const Step& step, const Workspace& workspace) const;
  void read_row(const TokenFile& text, int64_t row, std::span<int32_t> marked) const;
  void clear_padding(std::span<const int32_t> marked, int64_t row, HiddenRows& hidden) const;
  void fill_documents(std::span<const int32_t> marked, const Workspace& workspace) const;
  void solve(const Step& step, Workspace& workspace) const;

  const Model& model_;
  const CalibrationSettings settings_;
  const NewFormats formats_;
  const CalibrationGraphs graphs_;
  const WeightFiles source_;
  const MachineRates rates_;
  Budget budget_;
  ReserveInputs reserve_;
  bool on_disk_ = false;
  double predicted_seconds_ = 0;
};

}  // namespace headroom
