#include "headroom/generate/evaluation_job.h"

#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/expect_count.h"
#include "headroom/base/plural.h"
#include "headroom/models/adapter.h"
#include "headroom/tasks/task.h"

namespace headroom {
namespace {

// Fixed buffers of the run: pieces of text, of token files and of the file of logits.
constexpr int64_t kBufferBytes = 256 * kKiB;
constexpr int64_t kLogitBytes = 4 * kMiB;  // of one piece of the logits, or one row
constexpr int64_t kMostLogitRows = 512;    // at a time; beyond, products gain nothing
constexpr int64_t kDefaultSeqLen = 1024;

// From the most rows of logits at a time to the fewest: each time the output layer is read.
std::vector<EvaluationShape> shapes_by_logits(const EvaluationShape& leanest) {
  std::vector<EvaluationShape> shapes;
  const bool has_choice = leanest.logit_rows > 0 && !leanest.logits_of_targets;
  const int64_t most = has_choice ? std::min(leanest.tokens(), kMostLogitRows) : 0;
  for (int64_t rows = most; rows > leanest.logit_rows; rows /= 4) {
    shapes.push_back(leanest);
    shapes.back().logit_rows = rows;
  }
  shapes.push_back(leanest);
  return shapes;
}

// Of a batch: one, and one of the output layers for each time that there are logits.
double sweeps_of_batch(const EvaluationShape& shape, const Model& model, const Model* reference) {
  if (shape.logit_rows == 0) return 1;
  double all = 0;
  double outputs = 0;
  for (const Model* one : {&model, reference}) {
    if (one == nullptr) continue;
    all += static_cast<double>(parameter_count(*one));
    outputs += static_cast<double>(one->vocabulary() * one->features());
  }
  const auto times = static_cast<double>((shape.tokens() + shape.logit_rows - 1) / shape.logit_rows);
  return 1 + times * outputs / all;
}

}  // namespace

WindowShape window_shape(const WindowShape& asked, const Model& model) {
  WindowShape shape;
  shape.seq_len = asked.seq_len != 0 ? asked.seq_len : std::min(kDefaultSeqLen, model.max_positions());
  expect_count("--seq-len", shape.seq_len, 2);
  require_positions(task_of(model), shape.seq_len, model);
  shape.stride = asked.stride != 0 ? asked.stride : shape.seq_len;
  if (shape.stride < 1 || shape.stride > shape.seq_len) {
    throw InvalidInput("--stride {}: expected 1 to {}, the tokens of a window", asked.stride, shape.seq_len);
  }
  return shape;
}

EvaluationShape evaluation_shape(const Model& model, int64_t rows, int64_t row_tokens, bool wants_logits,
                                 const std::string& adapter, const std::string& compute, CacheKind cache_kind) {
  expect_count("--batch-size", rows, 1);
  if (multiply_sizes(rows, row_tokens, "--batch-size x row length") > int64_t{1} << 30) {
    throw InvalidInput("--batch-size {} x {} tokens a row: expected at most 2^30 tokens", rows, row_tokens);
  }
  EvaluationShape shape;
  shape.rows = rows;
  shape.row_tokens = row_tokens;
  shape.adapter = open_adapter_to_run(adapter, model);
  shape.compute = parse_compute(compute, model);
  shape.cache_kind = cache_kind;
  const auto labels = static_cast<int64_t>(model.labels().size());
  if (labels > 0) {
    shape.logits_of_targets = true;
    shape.logit_rows = std::clamp<int64_t>(kLogitBytes / (4 * labels), 1, rows);
  } else if (wants_logits) {
    shape.logit_rows = std::clamp<int64_t>(kLogitBytes / (4 * model.vocabulary()), 1, shape.tokens());
  }
  return shape;
}

FittedEvaluation fit_evaluation(const Model& model, const Model* reference, const EvaluationShape& shape,
                                const Budget& budget, int threads, const TraceSettings& tracing,
                                int64_t tokenizer_bytes, int64_t document_bytes, int64_t text_bytes,
                                const StreamSource& source) {
  PassTrace trace = trace_passes(tracing);
  ReserveInputs reserve;
  reserve.threads = threads;
  reserve.buffer_bytes = kBufferBytes + size_of(DType::i32) * shape.row_tokens + document_bytes;
  reserve.text_bytes = text_bytes;
  reserve.tokenizer_bytes = tokenizer_bytes;
  const std::string compute =
      shape.compute == Compute::f32 ? "" : fmt::format(", products in {}", name_of(shape.compute));
  const std::string cache =
      shape.cache_kind == CacheKind::f32 ? "" : fmt::format(", a KV cache in {}", name_of(shape.cache_kind));
  const std::string choice =
      fmt::format("{} of {} tokens at a time{}{}", count_of(shape.rows, "row"), shape.row_tokens, compute, cache);
  const std::vector<EvaluationShape> shapes = shapes_by_logits(shape);
  std::vector<Candidate> ways;
  for (const EvaluationShape& one : shapes) {
    ways.push_back({choice,
                    [&] {
                      return Job{.graphs = reference == nullptr
                                               ? build_evaluation_graphs(model, one, &trace)
                                               : build_comparison_graphs(model, *reference, one, &trace)};
                    },
                    0, sweeps_of_batch(one, model, reference)});
  }
  FittedJob job = fit_streamed(ways, &source, budget, reserve);
  finish_trace(trace, tracing);
  const EvaluationShape& chosen = shapes[job.candidate];
  return {std::move(job), chosen};
}

}  // namespace headroom
