// train(): from the options to a trained model directory, in the order that refuses early and loses nothing.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "headroom/api/adapter_notes.h"
#include "headroom/api/job_settings.h"
#include "headroom/api/model_source.h"
#include "headroom/api/output_paths.h"
#include "headroom/api/rank_reports.h"
#include "headroom/api/resumed_options.h"
#include "headroom/api/run_report.h"
#include "headroom/backend/backend.h"
#include "headroom/base/atomic_file.h"
#include "headroom/base/console.h"
#include "headroom/base/directory_lock.h"
#include "headroom/base/errors.h"
#include "headroom/base/file.h"
#include "headroom/comm/do_on_first.h"
#include "headroom/comm/join_ranks.h"
#include "headroom/data/data_file.h"
#include "headroom/measure/machine_profile.h"
#include "headroom/measure/profile.h"
#include "headroom/runtime/interrupt.h"
#include "headroom/runtime/process_memory.h"
#include "headroom/train/trainer.h"
#include "headroom/train/training_pricing.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;

void check_options(const TrainOptions& options) {
  if (options.output.empty()) throw InvalidInput("--output: expected a directory for the trained model");
  if (options.data.empty() == options.tokens.empty()) {
    throw InvalidInput("--data, --tokens: expected exactly one of them: text files, or a file of token ids");
  }
  parse_shard_size(options.shard_size);
  for (const auto& [flag, value] :
       {std::pair{"--keep-checkpoints", options.keep_checkpoints}, {"--eval-every", options.eval_every}}) {
    if (value < 0) throw InvalidInput("{} {}: expected 0 or more", flag, value);
  }
}

// Files that a run makes before its first step.
constexpr std::array<const char*, 3> kPreparations = {".lock", "train.tokens", "eval.tokens"};

bool is_preparation(const std::string& name) {
  return std::find(kPreparations.begin(), kPreparations.end(), name) != kPreparations.end();
}

// Whether `entry` is where this run, too, will write its report, picture or profile.
bool is_requested(const fs::directory_entry& entry, const TrainOptions& options) {
  std::error_code error;  // of a file that is not there
  return fs::equivalent(entry.path(), options.report, error) || fs::equivalent(entry.path(), options.html, error) ||
         fs::equivalent(entry.path(), options.profile, error);
}

// The output directory, which goes again if this run made it and then was refused before its first step.
class Output {
 public:
  explicit Output(const std::string& path) : path_(path), is_new_(!fs::exists(path)) { create_directories(path); }
  ~Output() {
    if (!is_new_) return;
    std::error_code ignored;  // a directory that stays behind, with nothing in it that counts, harms nobody
    for (const char* name : kPreparations) fs::remove(fs::path(path_) / name, ignored);
    fs::remove(path_, ignored);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void keep() { is_new_ = false; }

 private:
  std::string path_;
  bool is_new_;
};

// A new run needs an output that holds nothing yet.
void check_output(const TrainOptions& options) {
  if (!fs::exists(options.output)) return;
  if (!fs::is_directory(options.output)) {
    throw InvalidInput("--output {}: a file of that name exists; try another", options.output);
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(options.output)) {
    const std::string name = entry.path().filename().string();
    // What a run leaves that ended before its first checkpoint.
    if (is_preparation(name) || is_requested(entry, options) || name == "metrics.jsonl" ||
        name.ends_with(kTemporarySuffix))
      continue;
    throw InvalidInput(
        "--output {}: it exists and holds {}; add --resume to continue that run, or choose another directory",
        options.output, name);
  }
}

// Refuses what contradicts the newest checkpoint, but for what the data have to say.
void check_resumed(const TrainingRequest& request, const TrainingSettings& settings, const Model& model) {
  const Checkpoints checkpoints(request.output);
  const std::optional<int64_t> newest = checkpoints.newest();
  if (!newest) return;
  const CheckpointState saved = checkpoints.read_state(*newest);
  check_those_settings(checkpoints.path_of(*newest), saved.settings, numbers_of(request, settings, model));
}

int64_t decide_steps(const TrainOptions& options, const Dataset& data) {
  const std::optional<int64_t> available = data.train().steps();
  if (options.steps == 0) return available.value();
  if (available && options.steps > *available) {
    throw InvalidInput("--steps {}: {} holds {} batches; expected at most as many", options.steps, options.tokens,
                       *available);
  }
  return options.steps;
}

nlohmann::ordered_json describe_data(const Dataset& data, int64_t steps) {
  const TokenFileInfo& info = data.train_info();
  return {{"documents", info.documents},
          {"rows", data.train().windows()},
          {"rows_seen", data.train().windows_before(steps)},
          {"tokens", info.tokens},
          {"tokens_left_out", data.train().tokens_left_out()},
          {"padding", info.padding},
          {"truncated", info.truncated},
          {"truncated_tokens", info.truncated_tokens},
          {"dropped", info.dropped},
          {"split_borders", info.split_borders},
          {"preferences", info.preferences},
          {"without_reasoning", info.without_reasoning},
          {"without_tools", info.without_tools}};
}

void write_report(const TrainOptions& options, const TrainingRequest& request, const FittedJob& job,
                  const Dataset& data, const TrainResult& result, const std::vector<RankUse>& ranks) {
  nlohmann::ordered_json report = report_of(job);
  add_load(report, result);
  report["step"] = result.step;
  report["tokens"] = data.train().rows_before(result.step) * request.seq_len;
  if (options.tokens.empty()) report["data"] = describe_data(data, result.step);
  report["seconds"] = result.seconds;
  report["tokens_per_second"] = result.tokens_per_second;
  if (!std::isnan(result.eval_loss)) report["eval_loss"] = result.eval_loss;
  if (!ranks.empty()) {
    report["link"] = {{"bytes_per_second", request.link->bytes_per_second},
                      {"exchange_seconds", request.link->exchange_seconds},
                      {"processor_share", request.link->processor_share}};
    report["ranks"] = rows_of(ranks);
  }
  std::string text = report.dump(2);
  text.resize(text.size() - 2);  // without "\n}": the losses of a long run are streamed behind it
  AtomicFile output(options.report);
  int64_t offset = 0;
  const auto write = [&](const std::string& piece) {
    output.file().write(offset, piece.data(), static_cast<int64_t>(piece.size()));
    offset += static_cast<int64_t>(piece.size());
  };
  write(text + ",\n  \"loss\": [");
  MetricsLog(options.output + "/metrics.jsonl", result.step).for_each_loss([&](int64_t step, double loss) {
    write(fmt::format("{}{}", step == 1 ? "" : ", ", loss));
  });
  write("]\n}\n");
  output.commit();
}

// The profile that the options ask for, or null; before anything is loaded.
std::unique_ptr<Profile> start_profile(const TrainOptions& options, Workspace& workspace, const ProcessBudget& budget) {
  if (options.profile.empty()) return nullptr;
  return std::make_unique<Profile>(workspace, "update", options.profile,
                                   limits_for(workspace).value_or(MachineLimits{}), budget);
}

// Those of one of several ranks: rank 0 alone says and writes what is for the user.
TrainOptions options_of_rank(const TrainOptions& given, const Communicator* ranks) {
  TrainOptions options = given;
  if (ranks == nullptr) return options;
  options.memory = memory_of_rank(given.memory, *ranks);
  if (ranks->rank() == 0) return options;
  options.quiet = true;
  options.verbose = false;
  for (std::string* output : {&options.report, &options.html, &options.profile, &options.dump_passes}) output->clear();
  return options;
}

TrainResult run_training(const TrainOptions& given, Communicator* ranks) {
  restart_peak();
  check_options(given);
  check_data_files(given.data);
  check_data_files(given.eval_data);
  check_training_paths(given);
  const TrainOptions options = options_of_rank(take_flags_of_checkpoint(given), ranks);
  if (!options.resume) check_output(options);
  const Backend& backend = choose_backend();
  const std::unique_ptr<Model> files = open_model_directory(options.model, open_settings(options));
  const JsonObject config = config_to_train(options.model, options.labels, open_settings(options));
  const std::unique_ptr<Model> classifier = options.labels.empty() ? nullptr : make_model(config);
  const Model* const model = classifier ? classifier.get() : files.get();
  note_adapter(FlagValues(options.techniques).text("--adapter"), *model, options.quiet);
  TrainingRequest request = training_request(options);
  request.shard_bytes = parse_shard_size(options.shard_size);
  if (ranks != nullptr) request.place = {ranks->rank(), ranks->size()};
  take_shape_of_tokens(request);
  TrainingSettings settings = read_training_settings(request, *model);
  if (options.resume) check_resumed(request, settings, *model);
  const Budget tightest = tightest_budget(resolve_budget(options.memory), ranks);
  if (ranks != nullptr) request.link = measure_link(*ranks, link_probe_bytes(*model, ranks->size()));
  FittedJob job = fit_to_run(options, [&] {
    const Budget budget = ranks == nullptr ? resolve_budget(options.memory) : tightest;
    FittedTraining fitted =
        fit_training(request, *model, budget, uses_tokenizer(request) ? tokenizer_bytes_of(options.model) : 0);
    settings.shape = fitted.shape;
    return fitted;
  });
  if (ranks != nullptr) check_ranks_agree(*ranks, numbers_of(request, settings, *model), job, backend.variant());
  announce_plan(job, options, "plan of the training step", options.model);

  const InterruptGuard interrupt;
  std::optional<Output> output;
  std::optional<DirectoryLock> lock;
  do_on_first(ranks, [&] {
    output.emplace(options.output);
    lock.emplace(options.output);
    remove_leftovers(options.output);
  });
  const Dataset data(request, *model, settings.shape.micro_rows, interrupt, ranks);
  request.lr.steps = decide_steps(options, data);
  if (request.lr.warmup_steps > request.lr.steps) {
    throw InvalidInput("--warmup-steps {}: the run has {} steps; expected at most as many", request.lr.warmup_steps,
                       request.lr.steps);
  }

  check_commit(job);
  Workspace workspace(std::move(job.graphs), job.plan, backend, options.disk, nullptr, ranks);
  const std::unique_ptr<Profile> profile = start_profile(options, workspace, {job.reserve_bytes, job.budget.bytes});
  Trainer trainer(request, *model, *files, settings, data, workspace);
  const LoadUse load = load_use(trainer.load(interrupt));
  trainer.require_disk_space(job.step_seconds);
  interrupt.check();
  if (output) output->keep();
  const Trainer::Outcome outcome = trainer.run(interrupt, job.budget.bytes);
  TrainResult result;
  result.step = outcome.step;
  result.loss = outcome.loss;
  result.eval_loss = outcome.eval_loss;
  result.seconds = outcome.seconds;
  result.tokens_per_second = outcome.tokens_per_second;
  result.stopped_by_signal = outcome.stopped_by_signal;
  if (result.stopped_by_signal == 0) {
    if (!settings.shape.lora.is_on() && lock) {
      write_config(config, settings.shape.weights, options.output);
      copy_tokenizer(options.model, options.output);
    }
    trainer.save_weights();
  }
  if (profile) {
    const std::string table = profile->finish();
    if (!options.quiet) write_note(table);
  }
  static_cast<LoadUse&>(result) = load;
  static_cast<MemoryUse&>(result) = memory_use(job);
  const std::vector<RankUse> use = use_of_ranks(ranks, result, job, outcome);
  if (!options.report.empty()) write_report(options, request, job, data, result, use);
  if (!options.quiet) {
    print_note("{} step {}: loss {:.4f}", result.stopped_by_signal != 0 ? "interrupted and saved after" : "trained to",
               result.step, result.loss);
    if (!std::isnan(result.eval_loss)) print_note(", held-out loss {:.4f}", result.eval_loss);
    print_note(", {:.0f} tokens/s\n", result.tokens_per_second);
    write_note(describe_ranks(use));
  }
  announce_result(result, options.quiet);
  return result;
}

}  // namespace

TrainResult train(const TrainOptions& options) {
  try {
    const std::unique_ptr<Communicator> ranks = join_ranks({options.timeout_seconds});
    return run_training(options, ranks.get());
  } catch (const Interrupted& interrupted) {
    TrainResult result;
    result.step = -1;
    result.stopped_by_signal = interrupted.signal;
    return result;
  }
}

}  // namespace headroom
