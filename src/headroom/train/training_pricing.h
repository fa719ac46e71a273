// What the ways of a training job take: for the tuner that chooses among them, and for the table that says why.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "headroom/backend/backend.h"
#include "headroom/plan/cost_model.h"
#include "headroom/runtime/fit.h"
#include "headroom/techniques/technique.h"
#include "headroom/train/training_job.h"
#include "headroom/train/training_request.h"
#include "headroom/train/tuner.h"

namespace headroom {

// What measuring the link between the ranks of a job that trains `model` holds (comm/link_rate.h).
int64_t link_probe_bytes(const Model& model, int64_t ranks);

class TrainingPricing final : public Pricing {
 public:
  // `model` is borrowed. `tokenizer_bytes` and errors as of fit_training.
  TrainingPricing(const TrainingRequest& request, const Model& model, int64_t tokenizer_bytes);

  const TrainingSettings& settings() const { return settings_; }
  std::vector<LevelRange> ranges() const;
  // Passes that some way asked about so far could have left out.
  const std::vector<std::string>& optional_passes() const { return trace_.optional; }

  // The job, planned that way. The trace sees its passes.
  FittedTraining fit(const Choice& levels, const Budget& budget, PassTrace& trace);

  // Gives back the memory of the job that was looked at last.
  void let_go() { resident_job_.reset(); }

  // What each technique that this way makes use of saves and costs, against the same way with that one at its fastest
  // level.
  std::vector<ChosenTechnique> explain(const Choice& levels);

  bool exists(const Choice& levels) const override;

 private:
  Estimate find_estimate(const Choice& levels) override;
  int64_t find_exact_bytes(const Choice& levels) override { return fit(levels, {}, trace_).predicted_peak_bytes; }
  TrainingWay way_of(const Choice& levels) const;
  // "checkpointing none, logits made once, 4 micro-batches": of those that say something at this level.
  std::string describe(const Choice& levels) const;
  // The way's job before values have left the memory. When that of the way before is asked for again it is kept: where
  // two ways in turn differ only in what leaves, more follow.
  Job resident_job(const Choice& levels);
  // Of what `seconds_of_run` says of each graph.
  double step_seconds(const Job& job, const std::function<double(const Graph&)>& seconds_of_run) const;
  double step_seconds(const Job& job) const;

  const Model& model_;
  const TrainingSettings settings_;
  std::vector<const Technique*> techniques_;  // that have levels
  std::vector<Levels> levels_;                // of each
  const ReserveInputs reserve_;
  const Backend& backend_;
  const MachineRates rates_;
  const bool evaluates_;
  PassTrace trace_;
  Choice resident_levels_;  // of the job asked for last, those of residence at their first
  std::optional<Job> resident_job_;
};

}  // namespace headroom
