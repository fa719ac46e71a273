#include "headroom/train/training_job.h"

#include <functional>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/expect_count.h"
#include "headroom/passes/pass_dump.h"
#include "headroom/tasks/task.h"
#include "headroom/techniques/technique.h"
#include "headroom/train/dataset.h"
#include "headroom/train/training_pricing.h"
#include "headroom/train/what_would_fit.h"

namespace headroom {
namespace {

// What is not there for a model that gives texts a label.
void check_classifier(const TrainingRequest& request) {
  const auto refuse = [](const char* flag, const char* why) {
    throw InvalidInput("{}: {}; expected without it for a classifier", flag, why);
  };
  if (!request.tokens.empty()) refuse("--tokens", "rows of ids have no labels");
  if (request.isolate_documents) refuse("--isolate-documents", "each text has a row to itself");
}

TrainingShape whole_batch(const TrainingRequest& request, const Model& model) {
  if (!model.labels().empty()) check_classifier(request);
  const int64_t batch_size = request.batch_size;
  const int64_t seq_len = request.seq_len;
  expect_count("--batch-size", batch_size, 1);
  if (seq_len < 2) throw InvalidInput("--seq-len {}: expected a number of 2 or more", seq_len);
  const Task& task = task_of(model);
  const int64_t row_tokens = task.row_tokens(seq_len);
  require_positions(task, seq_len, model);
  if (multiply_sizes(batch_size, seq_len, "--batch-size x --seq-len") > int64_t{1} << 30) {
    throw InvalidInput("--batch-size {} x --seq-len {}: expected at most 2^30 tokens an update", batch_size, seq_len);
  }
  if (request.isolate_documents && !request.tokens.empty()) {
    throw InvalidInput("--isolate-documents: expected with --data; --tokens gives rows without documents");
  }
  const RankPlace& place = request.place;
  if (batch_size % place.ranks != 0) {
    throw InvalidInput("--batch-size {}: expected a multiple of the ranks, {}; it counts the rows of all of them",
                       batch_size, place.ranks);
  }
  return {.micro_rows = batch_size / place.ranks,
          .seq_len = row_tokens,
          .documents_per_row = task.sequences_of_row(row_tokens, request.isolate_documents || reads_examples(request)),
          .place = place};
}

// `advise`: what a refusal says beside the smallest budget, by the way that takes it.
FittedTraining fit(TrainingPricing& pricing, const TraceSettings& settings, const Budget& budget,
                   const std::function<std::string(const Choice&)>& advise) {
  PassTrace trace = trace_passes(settings);
  const Tuned tuned = tune(pricing.ranges(), pricing, budget.bytes);
  if (!tuned.choice) {
    pricing.let_go();
    const std::string advice = advise(tuned.leanest);
    refuse(pricing.fit(tuned.leanest, budget, trace), advice);
  }
  FittedTraining job = pricing.fit(*tuned.choice, budget, trace);
  job.techniques = pricing.explain(*tuned.choice);
  trace.optional = pricing.optional_passes();
  finish_trace(trace, settings);
  for (const Technique* technique : techniques()) {
    technique->check(pricing.settings(), job.plan);
    job.choice += technique->describe(job.graphs);
  }
  return job;
}

}  // namespace

TrainingSettings read_training_settings(const TrainingRequest& request, const Model& model) {
  TrainingSettings settings{request, whole_batch(request, model), request.updates, {}};
  read_techniques(model, settings);
  if (!model.labels().empty() && settings.shape.lora.is_on()) {
    throw InvalidInput(
        "--lora-rank, --adapter: adapters leave the layer of the labels as it is; expected without them for a "
        "classifier");
  }
  return settings;
}

FittedTraining fit_training(const TrainingRequest& request, const Model& model, const Budget& budget,
                            int64_t tokenizer_bytes) {
  TrainingPricing pricing(request, model, tokenizer_bytes);
  return fit(pricing, request.trace, budget,
             [&](const Choice& leanest) { return what_would_fit(request, model, tokenizer_bytes, leanest, budget); });
}

FittedTraining fit_training(TrainingPricing& pricing, const TraceSettings& trace, const Budget& budget) {
  return fit(pricing, trace, budget, [](const Choice&) { return ""; });
}

}  // namespace headroom
