#include "headroom/quantize/calibration.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "headroom/base/errors.h"
#include "headroom/data/marked_token.h"
#include "headroom/formats/weights/safetensors_writer.h"
#include "headroom/measure/op_profile.h"
#include "headroom/models/constants.h"
#include "headroom/models/weights.h"

namespace headroom {
namespace {

// In a file of what has been found: of each weight its losses, as they are summed over its rows, and those of
// WeightLoss.
enum LossPlace : size_t { kChosen, kRounded, kEnergy, kLosses };
std::string losses_name(const std::string& weight) { return weight + ".losses"; }

double sum_of(const Executor& executor, const std::string& result) {
  double sum = 0;
  for (const float loss : executor.result<float>(result).all()) sum += static_cast<double>(loss);
  return sum;
}

}  // namespace

// What passes between the layers: of the model as it is by now, and where that is asked for, of the whole one.
struct Calibration::Stream {
  std::string prefix;  // of its values' names
  std::unique_ptr<HiddenRows> rows;
};

// One job of the calibration: the embedding (no layer), the codes of a group, or a layer as it is then.
struct Calibration::Step {
  enum class Kind : uint8_t { embed, choose, advance };
  Kind kind = Kind::embed;
  int64_t layer = 0;
  size_t group = 0;
};

Calibration::Calibration(const Model& model, NewFormats formats, CalibrationSettings settings)
    : model_(model),
      settings_(std::move(settings)),
      formats_(formats),
      graphs_(model, std::move(formats), {settings_.row_tokens, settings_.row_sequences}, settings_.solve),
      source_(settings_.model),
      rates_(known_rates(choose_backend(), settings_.threads)) {}

std::string Calibration::path_of(size_t group) const {
  return fmt::format("{}/group-{:05}.safetensors", settings_.directory, group);
}

bool Calibration::is_done(size_t group) const {
  std::error_code error;
  return std::filesystem::exists(path_of(group), error);
}

// Files are written in order, so what is left begins at one of them; layers before it are gone through once more.
std::vector<Calibration::Step> Calibration::steps_left() const {
  const std::vector<LinearGroup>& groups = graphs_.groups();
  std::vector<Step> steps;
  size_t done = 0;
  while (done < groups.size() && is_done(done)) ++done;
  if (done == groups.size()) return steps;
  steps.push_back({});
  size_t next = 0;
  for (int64_t layer = 0; layer <= groups.back().layer; ++layer) {
    for (; next < groups.size() && groups[next].layer == layer; ++next) {
      if (next >= done) steps.push_back({Step::Kind::choose, layer, next});
    }
    if (next < groups.size()) steps.push_back({Step::Kind::advance, layer, 0});
  }
  return steps;
}

bool Calibration::is_complete() const { return steps_left().empty(); }

Candidate Calibration::candidate_of(const Step& step) const {
  const auto build = [this, step]() -> Job {
    switch (step.kind) {
      case Step::Kind::embed: return {.graphs = {graphs_.embed()}};
      case Step::Kind::choose: return {.graphs = graphs_.choose(step.group)};
      case Step::Kind::advance: return {.graphs = {graphs_.advance(step.layer)}};
    }
    throw InternalError("no such step");
  };
  return {fmt::format("{} rows of {} tokens{}", settings_.rows, settings_.row_tokens,
                      on_disk_ ? ", between the layers on disk" : ""),
          build};
}

FittedJob Calibration::plan(const Step& step) const { return plan_candidate(candidate_of(step), budget_, reserve_); }

FittedJob Calibration::fit(const Budget& budget, ReserveInputs reserve) {
  budget_ = budget;
  const int64_t buffer_bytes = reserve.buffer_bytes;
  FittedJob largest;
  for (const bool on_disk : {false, true}) {
    if (on_disk && settings_.disk.empty()) break;
    on_disk_ = on_disk;
    reserve_ = reserve;
    reserve_.buffer_bytes =
        buffer_bytes + (settings_.solve.corrects ? 2 : 1) *
                           HiddenRows::memory_bytes(settings_.rows, model_.features() * settings_.row_tokens, on_disk);
    predicted_seconds_ = 0;
    largest = {};
    for (const Step& step : steps_left()) {
      FittedJob job = plan(step);
      for (const Graph& graph : job.graphs) {
        const double runs = graph.name == "solve" ? 1 : static_cast<double>(settings_.rows);
        predicted_seconds_ += runs * seconds_of(graph, rates_);
      }
      if (job.predicted_peak_bytes > largest.predicted_peak_bytes) largest = std::move(job);
    }
    if (largest.predicted_peak_bytes <= budget.bytes) return largest;
  }
  refuse(largest, settings_.disk.empty() ? "\n--disk DIR keeps the rows of the calibration there" : "");
}

// What the graphs of a step read beside the layer's input.
void Calibration::prepare(const Step& step, const Workspace& workspace) const {
  load_bound(source_, Source::model, workspace);
  for (size_t group = 0; group < graphs_.groups().size(); ++group) {
    const bool is_before = step.kind == Step::Kind::advance || group < step.group;
    if (graphs_.groups()[group].layer != step.layer || !is_before || step.kind == Step::Kind::embed) continue;
    load_bound(WeightFiles(path_of(group)), Source::reference, workspace);
  }
  if (workspace.has(kRotaryTable)) fill_constants(model_, workspace);
}

// The documents of a row as its graph sees them.
void Calibration::fill_documents(std::span<const int32_t> marked, const Workspace& workspace) const {
  View<int32_t> positions, sequences;
  if (workspace.has("positions")) positions = workspace.view<int32_t>("positions");
  if (workspace.has("sequences")) sequences = workspace.view<int32_t>("sequences");
  const auto tokens = static_cast<int64_t>(marked.size());
  int64_t begin = 0, count = 0;
  const auto end_sequence = [&](int64_t end) {
    if (sequences.is_bound() && end > begin) {
      ensure(4 * count < sequences.size(), "more documents in a row than were planned for");
      const std::array<int64_t, 4> numbers = {begin, end - begin, begin, 0};
      for (size_t i = 0; i < numbers.size(); ++i) {
        sequences[4 * count + static_cast<int64_t>(i)] = static_cast<int32_t>(numbers[i]);
      }
      ++count;
    }
    begin = end;
  };
  for (int64_t t = 0; t < tokens; ++t) {
    const int32_t token = marked[static_cast<size_t>(t)];
    if (token == kPadding || marked_begins(token)) end_sequence(t);
    if (token == kPadding) begin = t + 1;
    if (positions.is_bound()) positions[t] = static_cast<int32_t>(std::max<int64_t>(t - begin, 0));
  }
  end_sequence(tokens);
  if (sequences.is_bound()) sequences.fill_from(4 * count, 0);
}

void Calibration::run(const TokenFile& text, const Progress& progress) {
  const std::vector<Step> steps = steps_left();
  if (steps.empty()) return;
  double seconds = 0;
  const auto note = [&](const Graph& graph) { progress(seconds += seconds_of(graph, rates_)); };
  Threads one(1);
  const auto rows = [&] {
    return std::make_unique<HiddenRows>(settings_.rows, model_.features() * settings_.row_tokens,
                                        on_disk_ ? settings_.disk : "", one);
  };
  std::vector<Stream> streams;
  streams.push_back({"", rows()});
  if (settings_.solve.corrects) streams.push_back({"original_", rows()});
  std::vector<int32_t> marked(static_cast<size_t>(settings_.row_tokens));
  for (const Step& step : steps) {
    FittedJob job = plan(step);
    Workspace workspace(std::move(job.graphs), std::move(job.plan), choose_backend());
    prepare(step, workspace);
    Executor& each_row = *workspace.executors().front();
    for (int64_t row = 0; row < settings_.rows; ++row) {
      read_row(text, row, marked);
      fill_documents(marked, workspace);
      if (step.kind == Step::Kind::embed) {
        const View<int32_t> tokens = workspace.view<int32_t>("tokens");
        for (size_t t = 0; t < marked.size(); ++t) {
          tokens[static_cast<int64_t>(t)] = marked[t] == kPadding ? 0 : marked_id(marked[t]);
        }
      }
      for (const Stream& stream : streams) {
        if (step.kind == Step::Kind::embed) break;
        stream.rows->read(row, workspace.view<float>(stream.prefix + "hidden").all());
      }
      each_row.run();
      for (const Stream& stream : streams) {
        if (step.kind == Step::Kind::choose) break;
        stream.rows->write(row, each_row.result<float>(stream.prefix + "next_hidden").all());
        if (step.kind == Step::Kind::embed) clear_padding(marked, row, *stream.rows);
      }
      note(each_row.graph());
    }
    if (step.kind == Step::Kind::choose) {
      solve(step, workspace);
      note(workspace.at("solve").graph());
    }
  }
}

// Rows are spread evenly over the text.
void Calibration::read_row(const TokenFile& text, int64_t row, std::span<int32_t> marked) const {
  const auto count = static_cast<int64_t>(marked.size());
  const int64_t rows_of_text = text.info().tokens / count;
  text.read(row * rows_of_text / settings_.rows * count, count, marked.data());
}

// Rows of zeros stay zeros in every layer, and add nothing to a Gram matrix.
void Calibration::clear_padding(std::span<const int32_t> marked, int64_t row, HiddenRows& hidden) const {
  for (size_t t = 0; t < marked.size(); ++t) {
    if (marked[t] == kPadding) hidden.clear(row, static_cast<int64_t>(t) * model_.features(), model_.features());
  }
}

void Calibration::solve(const Step& step, Workspace& workspace) const {
  const LinearGroup& group = graphs_.groups()[step.group];
  Executor& solve = workspace.at("solve");
  solve.run();
  for (const float element : solve.result<float>("diagonal").all()) {
    if (std::isfinite(element)) continue;
    throw InvalidInput("{}: what {} of layer {} reads is no finite number on this text; the weights are damaged",
                       settings_.model, group.weights[0], group.layer);
  }
  std::vector<TensorDeclaration> tensors;
  for (const std::string& weight : group.weights) {
    tensors.push_back({weight, workspace.stored(quantised_name(weight)).type});
    tensors.push_back({losses_name(weight), f32({kLosses})});
  }
  SafetensorsWriter file(path_of(step.group), tensors);
  for (const std::string& weight : group.weights) {
    const StoredValue value = workspace.stored(quantised_name(weight));
    value.for_each_piece(
        [&](int64_t, const std::byte* data, int64_t) { file.write(weight, DType::u8, data, value.type.bytes()); });
    std::array<float, kLosses> losses{};
    losses[kChosen] = static_cast<float>(sum_of(solve, loss_name(weight)));
    losses[kRounded] = static_cast<float>(sum_of(solve, rounding_loss_name(weight)));
    losses[kEnergy] = static_cast<float>(sum_of(solve, energy_name(weight)));
    file.write(losses_name(weight), DType::f32, losses.data(), kLosses);
  }
  file.finish();
}

std::vector<WeightLoss> Calibration::losses() const {
  std::vector<WeightLoss> all;
  for (size_t group = 0; group < graphs_.groups().size(); ++group) {
    const WeightFiles file(path_of(group));
    for (const std::string& weight : graphs_.groups()[group].weights) {
      std::array<float, kLosses> losses{};
      file.require(losses_name(weight), {kLosses}).read(0, kLosses, DType::f32, losses.data());
      const auto energy = static_cast<double>(losses[kEnergy]);
      const auto part = [=](float loss) { return energy > 0 ? static_cast<double>(loss) / energy : 0; };
      all.push_back({weight, part(losses[kChosen]), part(losses[kRounded])});
    }
  }
  return all;
}

std::vector<std::string> Calibration::files() const {
  std::vector<std::string> paths;
  for (size_t group = 0; group < graphs_.groups().size(); ++group) paths.push_back(path_of(group));
  return paths;
}

}  // namespace headroom
