#include "headroom/verbs/bench_model.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "headroom/api/job_settings.h"
#include "headroom/api/model_source.h"
#include "headroom/api/output_paths.h"
#include "headroom/api/run_report.h"
#include "headroom/backend/isa.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/expect_count.h"
#include "headroom/base/plural.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/generate/forecast.h"
#include "headroom/generate/generation_steps.h"
#include "headroom/generate/streamed_weights.h"
#include "headroom/measure/disk_probe.h"
#include "headroom/measure/kernel_bench.h"
#include "headroom/measure/limit_probes.h"
#include "headroom/measure/machine.h"
#include "headroom/models/initialize.h"
#include "headroom/models/weights.h"
#include "headroom/passes/stream_experts.h"
#include "headroom/plan/cost_model.h"
#include "headroom/runtime/process_memory.h"
#include "headroom/runtime/progress.h"
#include "headroom/train/batch_inputs.h"
#include "headroom/train/training_job.h"

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr int64_t kLargestPrefill = 512;  // rows of a step
constexpr int64_t kSmallestPrefill = 32;
constexpr int64_t kMostBatch = 4096;
constexpr int64_t kMostRepeats = 1000;
constexpr int64_t kBufferBytes = 256 * kKiB;

void expect_range(const char* flag, int64_t got, int64_t least, int64_t most) {
  if (got < least || got > most) throw InvalidInput("{} {}: expected {} to {}", flag, got, least, most);
}

void check_options(const ModelBenchOptions& options, const Model& model) {
  expect_range("--batch", options.batch, 1, kMostBatch);
  expect_range("--repeat", options.repeat, 1, kMostRepeats);
  for (const auto& [flag, tokens] : {std::pair{"--prompt", options.prompt}, {"--generate", options.generate}}) {
    expect_count(flag, tokens, 0);
    if (tokens > model.max_positions()) {
      throw InvalidInput("{} {}: the model has {} positions; expected at most as many", flag, tokens,
                         model.max_positions());
    }
  }
  if (options.prompt == 0 && options.generate == 0 && !options.train) {
    throw InvalidInput("--prompt 0 --generate 0: nothing is left to measure; expected one of them, or --train");
  }
}

bool has_weights(const std::string& model) {
  std::error_code error;
  return std::filesystem::is_directory(model, error) ||
         (std::filesystem::exists(model, error) && !model.ends_with(".json"));
}

// Weights into a workspace: the files', or random ones.
void load(const ModelBenchOptions& options, const Model& model, Workspace& workspace) {
  Progress progress("loading", options.quiet);
  if (has_weights(options.model)) {
    load_weights(options.model, model, workspace, [&](int64_t done, int64_t total) { progress.show(done, total); });
  } else {
    initialize_values(workspace, Source::model, 0, workspace.threads());
  }
}

double flops_of(const Graph& graph) {
  double flops = 0;
  for (const Node& node : graph.nodes) flops += price_of(graph, node).flops;
  return flops;
}

// Of one prompt read at once, whatever the chunks: the price of attention knows the sequence there, not in a cache that
// has room for more.
double prefill_flops(const Model& model, int64_t tokens) {
  Graph graph;
  Builder build(graph);
  const StepInputs inputs = declare_step_inputs(build, model, {.tokens = tokens, .positions = tokens});
  model.forward(build, inputs, model.stored_formats());
  return flops_of(graph);
}

// Repeats of one measurement, each beside its limit.
class Repeats {
 public:
  // The limit of reading is measured on the job's own arena, which is only read, if that is large enough.
  Repeats(const ModelBenchOptions& options, Workspace& workspace) : options_(options), workspace_(workspace) {}

  // `work` is the flops or bytes of one run. Fills seconds, spread, rate and share of `rate`.
  template <class Run>
  void measure(ModelRate& rate, Limit limit, double work, Run&& run) {
    Progress progress("measuring " + rate.test, options_.quiet);
    std::vector<double> seconds;
    std::vector<double> shares;
    for (int64_t round = 0; round <= options_.repeat; ++round) {
      const double most = limit_rate(limit);
      const Clock::time_point start = Clock::now();
      run();
      const double taken = std::chrono::duration<double>(Clock::now() - start).count();
      progress.show(round + 1, options_.repeat + 1);
      if (round == 0) continue;  // warms up
      seconds.push_back(taken);
      shares.push_back(most > 0 ? work / taken / most : 0);
    }
    rate.runs = options_.repeat;
    rate.seconds = median(seconds);
    rate.spread = seconds.back() / seconds.front() - 1;
    rate.tokens_per_second = static_cast<double>(rate.batch * rate.tokens) / rate.seconds;
    (limit == Limit::fma ? rate.flops_per_second : rate.bytes_per_second) = work / rate.seconds;
    rate.share = median(shares);
  }

 private:
  double limit_rate(Limit limit) const {
    if (limit == Limit::fma) return fma_rate(isa_of(workspace_.backend()), workspace_.threads());
    return read_rate(workspace_);
  }

  const ModelBenchOptions& options_;
  Workspace& workspace_;
};

// Rows of the prefill step, from the fastest to the leanest, each an even part of the prompt.
std::vector<int64_t> prefill_rows_to_try(int64_t prompt) {
  if (prompt == 0) return {0};
  std::vector<int64_t> rows;
  for (int64_t most = kLargestPrefill; most >= kSmallestPrefill; most /= 2) {
    const int64_t steps = (prompt + most - 1) / most;
    const int64_t even = (prompt + steps - 1) / steps;
    if (rows.empty() || even < rows.back()) rows.push_back(even);
  }
  return rows;
}

// `chosen` becomes the one that fits.
FittedJob fit_batch(const ModelBenchOptions& options, const Model& model, const StreamSource* source,
                    GenerationShape& chosen) {
  std::vector<GenerationShape> shapes;
  std::vector<Candidate> ways;
  for (const int64_t rows : prefill_rows_to_try(options.prompt)) {
    shapes.push_back({.sequences = options.batch,
                      .context = std::max(options.prompt, options.generate),
                      .prefill_chunk = rows,
                      .cache_kind = parse_cache_kind(options.kv_cache_dtype, "--kv-cache-dtype"),
                      .compute = parse_compute(options.compute, model)});
    multiply_sizes(shapes.back().sequences, shapes.back().context, "--batch x --prompt");
  }
  for (const GenerationShape& shape : shapes) {
    const std::string compute =
        shape.compute == Compute::f32 ? "" : fmt::format(", products in {}", name_of(shape.compute));
    const double rows = static_cast<double>(options.batch * options.prompt);
    ways.push_back({fmt::format("{}, prefill in chunks of {}{}", count_of(shape.sequences, "sequence"),
                                shape.prefill_chunk, compute),
                    [&] { return Job{.graphs = build_generation_graphs(model, shape)}; }, 0,
                    rows / static_cast<double>(std::max<int64_t>(shape.prefill_chunk, 1)) +
                        static_cast<double>(options.generate)});
  }
  const int threads = threads_to_use(options.threads);
  FittedJob job = fit_streamed(ways, source, resolve_budget(options.memory),
                               {.threads = threads, .buffer_bytes = kBufferBytes + threads * kFillBytes});
  chosen = shapes[job.candidate];
  return job;
}

TrainingRequest request_of(const ModelBenchOptions& options) {
  TrainOptions train;
  static_cast<RunOptions&>(train) = options;
  train.batch_size = options.batch;
  train.seq_len = options.seq_len;
  train.techniques = {{"--clip-mode", "one-pass"}, {"--grad-accum", "1"}};  // a step is one graph here
  return training_request(train);
}

using OnRate = std::function<void(const ModelRate&)>;

// Tokens of the whole vocabulary, other ones each time. How long a dense model takes does not depend on which they are;
// which experts they go to does.
class SomeTokens {
 public:
  SomeTokens(const Model& model, int64_t count)
      : vocabulary_(static_cast<uint32_t>(model.vocabulary())), tokens_(static_cast<size_t>(count)) {}

  std::span<const int32_t> next(int64_t count) {
    for (int32_t& token : tokens_) {
      state_ = state_ * 1664525u + 1013904223u;  // Knuth 1981, section 3.3.4
      token = static_cast<int32_t>((state_ >> 8) % vocabulary_);
    }
    return std::span(tokens_).first(static_cast<size_t>(count));
  }

 private:
  uint32_t vocabulary_;
  uint32_t state_ = 1;
  std::vector<int32_t> tokens_;
};

// Every sequence from its beginning, one after the other.
void prefill(GenerationSteps& steps, int64_t sequences, std::span<const int32_t> prompt) {
  for (int64_t one = 0; one < sequences; ++one) {
    steps.keep(0, one);
    for (std::span<const int32_t> rest = prompt; !rest.empty();) {
      rest = rest.subspan(static_cast<size_t>(steps.feed(rest, one)));
    }
  }
}

// One token after the other, of all sequences at once.
void decode(GenerationSteps& steps, int64_t sequences, std::span<const int32_t> text) {
  for (int64_t one = 0; one < sequences; ++one) steps.keep(0, one);
  std::vector<GenerationSteps::Part> parts(static_cast<size_t>(sequences));
  for (size_t position = 0; position < text.size(); ++position) {
    for (size_t one = 0; one < parts.size(); ++one) {
      parts[one] = {static_cast<int64_t>(one), text.subspan(position, 1)};
    }
    steps.feed(parts);
  }
}

// What one run of the step reads of the model's files beside experts.
double dense_file_bytes_of(Workspace& workspace, const std::string& step) {
  const std::vector<GraphPlan>& graphs = workspace.plan().graphs;
  const auto found = std::ranges::find(graphs, step, &GraphPlan::name);
  double bytes = found == graphs.end() ? 0 : static_cast<double>(found->disk_read_bytes);
  const Graph& graph = workspace.at(step).graph();
  for (const Node& node : graph.nodes) {
    if (node.op->place_input() >= 0) bytes -= price_of(graph, node).bytes;
  }
  return bytes;
}

// What of the experts that tokens needed was in memory, after the run that warms up.
class ExpertUse {
 public:
  explicit ExpertUse(const Workspace& workspace) : experts_(workspace.experts()) {
    if (experts_ != nullptr) record_bytes_ = workspace.plan().find(kExpertSlots)->type.shape[1];
  }
  void next_run() {
    if (experts_ == nullptr || ++runs_ != 2) return;
    needed_before_ = experts_->needed();
    read_before_ = experts_->read();
  }
  double in_memory() const {
    if (experts_ == nullptr) return 0;
    return 1 -
           static_cast<double>(read()) / static_cast<double>(std::max<int64_t>(experts_->needed() - needed_before_, 1));
  }
  double read_bytes_of_a_run() const {
    return experts_ == nullptr ? 0 : static_cast<double>(read() * record_bytes_) / std::max(runs_ - 1, 1);
  }

 private:
  int64_t read() const { return experts_->read() - read_before_; }

  const ExpertCache* experts_;
  int64_t record_bytes_ = 0;
  int runs_ = 0;
  int64_t needed_before_ = 0, read_before_ = 0;
};

void measure_batch(const ModelBenchOptions& options, const Model& model, const GenerationShape& shape,
                   Workspace& workspace, const OnRate& add) {
  load(options, model, workspace);
  GenerationSteps steps(workspace, model, shape);
  SomeTokens text(model, shape.context);
  Repeats repeats(options, workspace);
  if (options.prompt > 0) {
    ModelRate rate{.test = "prefill", .batch = options.batch, .tokens = options.prompt};
    const double flops = static_cast<double>(options.batch) * prefill_flops(model, options.prompt);
    repeats.measure(rate, Limit::fma, flops, [&] { prefill(steps, options.batch, text.next(options.prompt)); });
    if (shape.compute == Compute::int8) rate.share = 0;  // multiply-adds of f32 are no limit of whole numbers
    add(rate);
  }
  if (options.generate > 0) {
    ModelRate rate{.test = "decode", .batch = options.batch, .tokens = options.generate};
    const double file_limit = measure_model_file(workspace);
    const double fill = static_cast<double>(options.generate + 1) / 2 / static_cast<double>(shape.context);
    const double bytes = bytes_read_by(workspace.at(step_name(shape, options.batch)).graph(), fill);
    ExpertUse experts(workspace);
    repeats.measure(rate, Limit::read, static_cast<double>(options.generate) * bytes, [&] {
      experts.next_run();
      decode(steps, options.batch, text.next(options.generate));
    });
    rate.experts_in_memory = experts.in_memory();
    const double file_bytes = dense_file_bytes_of(workspace, step_name(shape, options.batch));
    rate.file_bytes_per_second =
        (static_cast<double>(options.generate) * file_bytes + experts.read_bytes_of_a_run()) / rate.seconds;
    if (file_limit > 0) rate.file_share = rate.file_bytes_per_second / file_limit;
    add(rate);
  }
}

void measure_training(const ModelBenchOptions& options, const Model& model, Workspace& workspace, const OnRate& add) {
  const TrainingShape shape = read_training_settings(request_of(options), model).shape;
  load(options, model, workspace);
  BatchInputs(workspace, model, shape).fill_sample();
  const Schedule& update = workspace.plan().schedule("update");
  double flops = 0;
  for_each_run(update, [&](const Row& row) { flops += flops_of(workspace.at(row).graph()); });
  ModelRate rate{.test = "train", .batch = options.batch, .tokens = options.seq_len};
  Repeats(options, workspace).measure(rate, Limit::fma, flops, [&] { workspace.run(update); });
  add(rate);
}

Json json_of(const ModelRate& rate) {
  Json json = {{"test", rate.test},       {"batch", rate.batch},   {"tokens", rate.tokens},
               {"seconds", rate.seconds}, {"spread", rate.spread}, {"tokens_per_second", rate.tokens_per_second}};
  if (rate.flops_per_second > 0) json["flops_per_second"] = rate.flops_per_second;
  if (rate.bytes_per_second > 0) json["bytes_per_second"] = rate.bytes_per_second;
  if (rate.share > 0) json["share"] = rate.share;
  if (rate.file_bytes_per_second > 0) json["file_bytes_per_second"] = rate.file_bytes_per_second;
  if (rate.file_share > 0) json["file_share"] = rate.file_share;
  if (rate.experts_in_memory > 0) json["experts_in_memory"] = rate.experts_in_memory;
  return json;
}

using Fit = std::function<FittedJob()>;

// Each of the jobs, of which the one that needs most is returned; of several refusals the one that names the largest
// budget is thrown, so that it works for all.
FittedJob fit_all(const std::vector<Fit>& fits) {
  std::optional<FittedJob> largest;
  std::optional<BudgetExceeded> refusal;
  for (const Fit& fit : fits) {
    try {
      FittedJob job = fit();
      if (!largest || job.predicted_peak_bytes > largest->predicted_peak_bytes) largest = std::move(job);
    } catch (const BudgetExceeded& error) {
      if (!refusal || error.smallest_budget_bytes > refusal->smallest_budget_bytes) refusal = error;
    }
  }
  if (refusal) throw *refusal;
  return std::move(*largest);
}

}  // namespace

Json bench_model(const ModelBenchOptions& options, const OnRate& on_rate) {
  restart_peak();
  check_output_paths(outputs_of(options), {{"MODEL", options.model}});
  const Backend& backend = choose_backend();
  const OpenSettings settings = open_settings(options);
  const std::unique_ptr<Model> model = has_weights(options.model) ? open_model_directory(options.model, settings)
                                                                  : open_model_config(options.model, settings);
  check_options(options, *model);

  // All jobs are fitted before anything runs, and again when their turn comes: one at a time is in memory.
  std::optional<StreamSource> source;  // where there are weights
  if (has_weights(options.model)) source.emplace(options.model, *model);
  GenerationShape shape;
  const Fit fit_steps = [&] { return fit_batch(options, *model, source ? &*source : nullptr, shape); };
  const Fit fit_train = [&] { return fit_training(request_of(options), *model, resolve_budget(options.memory), 0); };
  const bool has_batch = options.prompt > 0 || options.generate > 0;
  std::vector<Fit> fits;
  if (has_batch) fits.push_back(fit_steps);
  if (options.train) fits.push_back(fit_train);
  fit_to_run(options, [&] { return fit_all(fits); });

  Json result;
  result["machine"] = {{"cpu", processor_name()},
                       {"processors", available_processors()},
                       {"isa", backend.variant()},
                       {"threads", threads_to_use(options.threads)}};
  result["model"] = {{"parameters", parameter_count(*model)}, {"dtype", names_of_formats(*model)}};
  result["tests"] = Json::array();
  const OnRate add = [&](const ModelRate& rate) {
    result["tests"].push_back(json_of(rate));
    if (on_rate) on_rate(rate);
  };
  std::vector<Json> reports;
  const auto run = [&](const Fit& fit, const char* title, const auto& measure) {
    FittedJob job = fit_to_run(options, fit);
    announce_plan(job, options, title, options.model);
    restart_peak();
    check_commit(job);
    ModelRegions regions;
    if (source) source->add_regions(job.plan, regions);
    Workspace workspace(std::move(job.graphs), job.plan, backend, "", &regions);
    measure(workspace);
    reports.push_back(report_of(job));
    announce_result(memory_use(job), options.quiet);
  };
  if (has_batch) {
    run(fit_steps, "plan of prefill and decoding",
        [&](Workspace& workspace) { measure_batch(options, *model, shape, workspace, add); });
  }
  if (options.train) {
    run(fit_train, "plan of the training step",
        [&](Workspace& workspace) { measure_training(options, *model, workspace, add); });
  }
  // The fields of a report are those of the job that needs more.
  const auto predicted = [](const Json& report) { return report["predicted_peak_bytes"].get<int64_t>(); };
  for (const auto& [key, value] : std::ranges::max_element(reports, {}, predicted)->items()) result[key] = value;
  result["jobs"] = reports;
  if (!options.report.empty()) write_json(options.report, result);
  return result;
}

}  // namespace headroom
