// What the ways of a training job take: for the tuner that chooses among them, and for the table that says why.
#pragma once

#include <string>
#include <vector>

#include "headroom/plan/cost_model.h"
#include "headroom/runtime/fit.h"
#include "headroom/train/levers.h"
#include "headroom/train/training_job.h"
#include "headroom/train/training_request.h"
#include "headroom/train/tuner.h"

namespace headroom {

class TrainingPricing final : public Pricing {
 public:
  // `model` is borrowed. `tokenizer_bytes` and errors as of fit_training.
  TrainingPricing(const TrainingRequest& options, const Model& model, int64_t tokenizer_bytes);

  const std::vector<Lever>& levers() const { return levers_; }
  // Passes that some way asked about so far could have left out.
  const std::vector<std::string>& optional_passes() const { return trace_.optional; }

  // The job, planned that way. The trace sees its passes.
  FittedTraining fit(const Way& levels, const Budget& budget, PassTrace& trace) const;

  // What each technique that this way makes use of saves and costs, against the same way with that one at its fastest
  // level.
  std::vector<ChosenTechnique> explain(const Way& levels);

  bool exists(const Way& levels) const override;
  Estimate estimate(const Way& levels) override;
  int64_t exact_bytes(const Way& levels) override { return fit(levels, {}, trace_).predicted_peak_bytes; }

 private:
  std::vector<Graph> graphs_of(const TrainingWay& way, PassTrace& trace) const;
  double step_seconds(const std::vector<Graph>& graphs, const TrainingShape& shape) const;

  const Model& model_;
  const TrainingSettings settings_;
  const std::vector<Lever> levers_;
  const ReserveInputs reserve_;
  const MachineRates rates_;
  const bool evaluates_;
  PassTrace trace_;
};

}  // namespace headroom
