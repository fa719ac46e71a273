#include "headroom/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/fingerprint.h"
#include "headroom/comm/collectives.h"
#include "headroom/data/text_source.h"
#include "headroom/formats/gguf/gguf_file.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/models/initialize.h"
#include "headroom/models/weights.h"
#include "headroom/runtime/process_memory.h"
#include "headroom/runtime/progress.h"
#include "headroom/techniques/technique.h"
#include "headroom/train/numerics.h"

namespace headroom {
namespace {

constexpr double kLookSeconds = 1;  // from one look at the output to the next

int64_t kept(const TrainingRequest& request) {
  return request.keep_checkpoints == 0 ? std::numeric_limits<int32_t>::max() : request.keep_checkpoints;
}

// Of a result of one element.
double number_of(const Executor& executor, const std::string& name) {
  const Graph& graph = executor.graph();
  return graph.value(graph.find(name)).type.dtype == DType::f64 ? *executor.result<double>(name)
                                                                : static_cast<double>(*executor.result<float>(name));
}

// Of what decides the numbers: all of a config.json, but nothing else in a GGUF file.
uint64_t fingerprint_of_config(const std::string& model) {
  if (!GgufFile::is_gguf(model)) return fingerprint_of_file((std::filesystem::path(model) / "config.json").string());
  Fingerprint print;
  print.add(read_config(model).json().dump());
  return print.value();
}

// Flags that a resumed run goes on with where it is told nothing else.
RunSettings course_of(const TrainingRequest& request) {
  return {{"--steps", fmt::format("{}", request.asked_steps)},
          {"--save-every", request.save_every.text},
          {"--keep-checkpoints", fmt::format("{}", request.keep_checkpoints)},
          {"--eval-every", fmt::format("{}", request.eval_every)},
          {"--ignore-unknown-fields", request.ignore_unknown_fields ? "on" : "off"}};
}

// To `sum`, of all ranks in their order.
void add_losses(Communicator* ranks, std::span<const float> own, double& sum) {
  std::vector<float> all(own.begin(), own.end());
  if (ranks != nullptr) {
    all.resize(own.size() * static_cast<size_t>(ranks->size()));
    all_gather(*ranks, std::as_bytes(own), std::as_writable_bytes(std::span(all)));
  }
  for (const float loss : all) sum += static_cast<double>(loss);
}

int64_t total_of(Communicator* ranks, int64_t own) {
  if (ranks == nullptr) return own;
  const std::vector<int64_t> all = all_gather_of(*ranks, own);
  return std::accumulate(all.begin(), all.end(), int64_t{0});
}

// "memory 189 of 256 MiB": of the budget.
std::string describe_memory(int64_t resident_bytes, int64_t budget_bytes) {
  const auto in = [](int64_t bytes, int64_t unit) { return static_cast<double>(bytes) / static_cast<double>(unit); };
  if (budget_bytes < 10 * kGiB) {
    return fmt::format("memory {:.0f} of {:.0f} MiB", in(resident_bytes, kMiB), in(budget_bytes, kMiB));
  }
  return fmt::format("memory {:.1f} of {:.1f} GiB", in(resident_bytes, kGiB), in(budget_bytes, kGiB));
}

}  // namespace

RunSettings numbers_of(const TrainingRequest& request, const TrainingSettings& settings, const Model& model) {
  const UpdateSettings& updates = settings.updates;
  RunSettings numbers = {{"--batch-size", fmt::format("{}", settings.shape.batch_rows())},
                         {"--seq-len", fmt::format("{}", request.seq_len)},
                         {"--lr", fmt::format("{}", request.lr.lr)},
                         {"--lr-schedule", std::string(name_of(request.lr.schedule))},
                         {"--warmup-steps", fmt::format("{}", request.lr.warmup_steps)},
                         {"--weight-decay", fmt::format("{}", updates.weight_decay)},
                         {"--beta1", fmt::format("{}", updates.beta1)},
                         {"--beta2", fmt::format("{}", updates.beta2)},
                         {"--eps", fmt::format("{}", updates.eps)},
                         {"--grad-clip", fmt::format("{}", updates.grad_clip)},
                         {"--seed", fmt::format("{}", request.seed)}};
  for (const Technique* technique : techniques()) technique->add_numbers(settings, model, numbers);
  if (!request.labels.empty()) numbers.emplace_back("--labels", request.labels);
  numbers.emplace_back("a config.json of fingerprint", fmt::format("{:016x}", fingerprint_of_config(request.model)));
  return numbers;
}

Trainer::Trainer(const TrainingRequest& request, const Model& model, const Model& files,
                 const TrainingSettings& settings, const Dataset& data, Workspace& workspace)
    : request_(request),
      model_(model),
      files_(files),
      settings_(settings),
      data_(data),
      workspace_(workspace),
      ranks_(workspace.ranks()),
      is_first_(ranks_ == nullptr || ranks_->rank() == 0),
      update_(workspace.plan().schedule("update")),
      inputs_(workspace, model, settings.shape),
      checkpoints_(request.output),
      weights_(saved_weights(workspace)),
      saved_(saved_tensors(workspace)),
      optimizer_(workspace.stored(Role::optimizer_state)),
      loss_scaler_(settings.loss_scale.value_or(LossScaleSettings{})) {
  if (ranks_ != nullptr) vote_.emplace(*ranks_);
}

RunSettings Trainer::run_settings() const {
  RunSettings numbers = numbers_of(request_, settings_, model_);
  for (auto& fingerprint : data_.fingerprints()) numbers.push_back(std::move(fingerprint));
  return numbers;
}

LoadStatistics Trainer::load(const InterruptGuard& interrupt) {
  Progress progress("loading", request_.quiet);
  const auto show = [&](int64_t done, int64_t total) {
    interrupt.check();
    progress.show(done, total);
  };
  const std::optional<int64_t> newest = checkpoints_.newest();
  if (newest) {
    const CheckpointState saved = checkpoints_.read_state(*newest);
    check_settings(checkpoints_.path_of(*newest), saved.settings, run_settings());
    if (scales_loss()) loss_scaler_.restore(saved.carried, checkpoints_.path_of(*newest));
    done_steps_ = *newest;
    if (!settings_.shape.lora.is_on()) return checkpoints_.load(*newest, state(), show);
    const LoadStatistics base = load_weights(request_.model, model_, workspace_, show);
    const LoadStatistics state_use = checkpoints_.load(*newest, state());
    return {base.bytes + state_use.bytes, base.seconds + state_use.seconds};
  }
  const LoadStatistics use = load_weights(request_.model, files_, workspace_, show);
  if (&files_ != &model_) fill_new_weights(files_, workspace_, request_.seed);
  if (request_.flags.is("--adapter", "")) {
    initialize_values(workspace_, Source::adapter, request_.seed, workspace_.threads());
    return use;
  }
  const LoadStatistics adapter = load_adapter(request_.flags.text("--adapter"), model_, workspace_);
  return {use.bytes + adapter.bytes, use.seconds + adapter.seconds};
}

void Trainer::require_disk_space(double step_seconds) const {
  if (!is_first_) return;
  const SaveEvery& every = request_.save_every;
  const int64_t steps = request_.lr.steps - done_steps_;
  int64_t saves = every.steps > 0 ? steps / every.steps + 1 : 1;
  // A run is longer than predicted, but hardly by so much.
  const double longest_seconds = 3 * step_seconds * static_cast<double>(steps);
  if (every.seconds > 0 && (step_seconds <= 0 || longest_seconds > every.seconds)) saves = steps;
  checkpoints_.require_space(state(), std::min(kept(request_), saves), final_bytes());
}

bool Trainer::is_due(int64_t step, double seconds) const {
  const SaveEvery& every = request_.save_every;
  return (every.steps > 0 && step % every.steps == 0) || (every.seconds > 0 && seconds >= every.seconds);
}

Trainer::StepLoss Trainer::step(int64_t step, const std::function<void()>& on_graph) {
  const TrainingShape& shape = settings_.shape;
  const float loss_scale = scales_loss() ? loss_scaler_.scale() : 1.0f;
  const int64_t predictions = inputs_.begin_update(data_.train(), step - 1, loss_scale);
  const int64_t update = step - loss_scaler_.skipped();
  inputs_.set_update_scalars(
      update_scalars(learning_rate(request_.lr, step), settings_.updates.beta1, settings_.updates.beta2, update));
  inputs_.set_random_key(request_.seed, step);
  std::map<std::string, double> results;
  int64_t micro_batch = 0;
  for_each_run(update_, [&](const Row& row) {
    if (!row.fills.empty()) {
      inputs_.fill(data_.train(), step - 1, shape.place.rank * shape.rows() + micro_batch * shape.micro_rows);
      inputs_.set_micro_batch(micro_batch++);
    }
    Executor& graph = workspace_.at(row);
    graph.run();
    on_graph();
    for (const std::string& name : row.reads) results[name] = number_of(graph, name);
  });
  return {.mean = results.at("loss_sum") / static_cast<double>(std::max<int64_t>(predictions, 1)),
          .predictions = predictions,
          .gradient_norm = static_cast<float>(results.at("gradient_norm"))};
}

// Ranks take the batches in turn; losses are added in the order of the rows.
double Trainer::evaluate(const std::function<void()>& on_graph) {
  const TokenBatches* batches = data_.evaluation();
  if (batches == nullptr) return std::numeric_limits<double>::quiet_NaN();
  const RankPlace& place = settings_.shape.place;
  const int64_t steps = batches->steps().value_or(0);
  double sum = 0;
  int64_t predictions = 0;
  for (int64_t round = 0; round < steps; round += place.ranks) {
    for_each_run(workspace_.plan().schedule("evaluation"), [&](const Row& row) {
      int64_t own = 0;
      if (!row.fills.empty()) own = inputs_.fill(*batches, round + place.rank, 0);
      Executor& graph = workspace_.at(row);
      graph.run();
      on_graph();
      for (const std::string& name : row.reads) {
        add_losses(ranks_, graph.result<float>(name).all(), sum);
      }
      predictions += total_of(ranks_, own);
    });
  }
  return sum / static_cast<double>(predictions);
}

void Trainer::save(int64_t step) {
  if (!is_first_) return Checkpoints::send_parts(state());
  const RunSettings carried = scales_loss() ? loss_scaler_.state() : RunSettings();
  checkpoints_.save({step, run_settings(), carried, course_of(request_)}, state(), kept(request_));
}

void Trainer::require_output(MetricsLog& metrics) {
  if (metrics.is_there()) return;
  if (ranks_ != nullptr) {
    throw MachineFailure("--output {}: was deleted or moved while training; try --resume from a copy of it",
                         request_.output);
  }
  create_directories(request_.output);
  metrics.restore();
  metrics.sync();
  save(done_steps_);
  throw MachineFailure(
      "--output {}: was deleted or moved while training; all that was done until step {} is saved there again; try "
      "--resume to go on",
      request_.output, done_steps_);
}

void Trainer::save_with(std::optional<MetricsLog>& metrics) {
  if (!metrics) return save(done_steps_);
  require_output(*metrics);
  metrics->sync();
  try {
    save(done_steps_);
  } catch (const Error&) {
    require_output(*metrics);  // deleted in this moment
    throw;
  }
}

int Trainer::agree(int signal, bool wants_to_save) {
  const int own = is_first_ && wants_to_save ? kSaves : signal;
  return vote_ ? vote_->ask(own) : own;
}

Trainer::Outcome Trainer::run(const InterruptGuard& interrupt, int64_t budget_bytes) {
  std::optional<MetricsLog> metrics;
  if (is_first_) metrics.emplace(request_.output + "/metrics.jsonl", done_steps_);
  Progress progress = Progress::of_steps("training", done_steps_, request_.quiet);
  Outcome result;
  result.eval_loss = std::numeric_limits<double>::quiet_NaN();
  const int64_t steps = request_.lr.steps;
  const int64_t first = done_steps_;
  const auto tokens_until = [&](int64_t step) { return data_.train().rows_before(step) * request_.seq_len; };
  int64_t saved = done_steps_;
  double saved_at = 0;
  double looked_at = 0;
  const auto show = [&] {
    if (!progress.is_due()) return;
    std::vector<std::string> notes;
    if (done_steps_ > first) notes.push_back(fmt::format("loss {:.4f}", result.loss));
    notes.push_back(describe_memory(resident_bytes(), budget_bytes));
    const double tokens = static_cast<double>(tokens_until(done_steps_) - tokens_until(first));
    if (done_steps_ > first) notes.push_back(fmt::format("{:.0f} tokens/s", tokens / progress.elapsed_seconds()));
    progress.show(done_steps_, steps, notes);
  };
  double before = progress.elapsed_seconds();
  int signal = agree(interrupt.signal(), false);
  while (done_steps_ < steps && signal == 0) {
    const int64_t step = done_steps_ + 1;
    const Traffic traffic = ranks_ == nullptr ? Traffic{} : ranks_->traffic();
    const StepLoss loss = this->step(step, show);
    if (ranks_ != nullptr) result.step_traffic = ranks_->traffic() - traffic;
    result.loss = loss.mean;
    const float norm = loss.gradient_norm;
    const bool is_skipped = scales_loss() && loss_scaler_.is_dynamic() && !std::isfinite(norm);
    if (!std::isfinite(result.loss) || (!std::isfinite(norm) && !is_skipped)) {
      throw InvalidInput(
          "{}: the loss of step {} is {} and the gradient's norm {}; the checkpoints before it are kept; try a smaller "
          "--lr or a --grad-clip",
          request_.output, step, std::abs(result.loss), norm);
    }
    done_steps_ = step;
    const double now = progress.elapsed_seconds();
    std::string line =
        fmt::format(R"({{"step": {}, "loss": {}, "lr": {}, "grad_norm": {}, "tokens": {}, "predictions": {}, )"
                    R"("seconds": {:.6f})",
                    step, result.loss, learning_rate(request_.lr, step), is_skipped ? "null" : fmt::format("{}", norm),
                    tokens_until(step), loss.predictions, now - before);
    if (const std::string numerics = describe_numerics(workspace_.at(last_row(update_))); !numerics.empty()) {
      line += fmt::format(R"(, "numerics": {})", numerics);
    }
    if (scales_loss()) {
      line += fmt::format(R"(, "loss_scale": {}, "skipped": {})", loss_scaler_.scale(), is_skipped);
      loss_scaler_.update(is_skipped);
    }
    before = now;
    if (request_.eval_every > 0 && (step % request_.eval_every == 0 || step == steps)) {
      result.eval_loss = evaluate(show);
      if (!std::isnan(result.eval_loss)) line += fmt::format(R"(, "eval_loss": {})", result.eval_loss);
      before = progress.elapsed_seconds();
    }
    if (metrics) metrics->append(line + "}");
    show();
    if (metrics && now - looked_at >= kLookSeconds) {
      require_output(*metrics);
      looked_at = now;
    }
    signal = agree(interrupt.signal(), is_due(step, progress.elapsed_seconds() - saved_at));
    if (signal == kSaves) {
      save_with(metrics);
      saved = step;
      saved_at = progress.elapsed_seconds();
      signal = agree(interrupt.signal(), false);
    }
  }
  if (metrics) require_output(*metrics);
  if (agree(0, saved != done_steps_ || !checkpoints_.newest()) == kSaves) save_with(metrics);
  result.step = done_steps_;
  result.stopped_by_signal = done_steps_ < steps ? signal : 0;
  if (result.stopped_by_signal == 0 && std::isnan(result.eval_loss)) result.eval_loss = evaluate(show);
  if (metrics && done_steps_ == first) metrics->for_each_loss([&](int64_t, double loss) { result.loss = loss; });
  result.seconds = progress.elapsed_seconds();
  result.tokens_per_second = static_cast<double>(tokens_until(done_steps_) - tokens_until(first)) / result.seconds;
  return result;
}

// What rank 0 writes, in its order.
void Trainer::send_weights() const {
  if (settings_.shape.lora.is_on()) return send_tensors(saved_, all_saved(), weights_);
  const WeightWriter weights = final_weights();
  for (const std::vector<size_t>& members : weights.shards()) send_tensors(saved_, members, weights_);
}

WeightWriter Trainer::final_weights() const { return WeightWriter(declarations_of(saved_), request_.shard_bytes); }

std::vector<size_t> Trainer::all_saved() const {
  std::vector<size_t> members(saved_.size());
  std::iota(members.begin(), members.end(), size_t{0});
  return members;
}

int64_t Trainer::final_bytes() const {
  return settings_.shape.lora.is_on() ? SafetensorsWriter::file_bytes(declarations_of(saved_))
                                      : final_weights().file_bytes();
}

void Trainer::save_adapter() const {
  write_adapter_config(settings_.shape.lora.config, request_.model, request_.output);
  SafetensorsWriter file(request_.output + "/" + kAdapterWeights, declarations_of(saved_));
  write_tensors(file, saved_, all_saved(), weights_);
  file.finish();
}

void Trainer::save_weights() const {
  if (!is_first_) return send_weights();
  if (settings_.shape.lora.is_on()) return save_adapter();
  final_weights().write(request_.output, [&](SafetensorsWriter& file, std::span<const size_t> members) {
    write_tensors(file, saved_, members, weights_);
  });
}

}  // namespace headroom
