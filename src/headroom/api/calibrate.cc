#include "headroom/api/calibrate.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "headroom/api/model_source.h"
#include "headroom/api/output_paths.h"
#include "headroom/api/run_report.h"
#include "headroom/base/console.h"
#include "headroom/base/directory_lock.h"
#include "headroom/base/errors.h"
#include "headroom/base/expect_count.h"
#include "headroom/base/plural.h"
#include "headroom/base/threads.h"
#include "headroom/data/data_file.h"
#include "headroom/data/encode_files.h"
#include "headroom/data/tokenizer_encoder.h"
#include "headroom/models/weights.h"
#include "headroom/runtime/interrupt.h"
#include "headroom/runtime/process_memory.h"
#include "headroom/runtime/progress.h"
#include "headroom/tasks/task.h"

namespace headroom {
namespace {

constexpr int64_t kDefaultRowTokens = 2048;
constexpr int64_t kBufferBytes = 2 * kMiB;    // headers of the model's files and of those that are found
constexpr int64_t kEncodingBytes = 1 * kMiB;  // while text is read, beside the tokenizer

// A method that reads text, and how it chooses codes.
struct CalibratedMethod {
  std::string_view name;
  GptqSettings codes;
  bool corrects;
};
constexpr std::array kCalibratedMethods = {CalibratedMethod{"gptq", {}, false},
                                           CalibratedMethod{"best", {.search = 20, .sweeps = 2}, true}};

const CalibratedMethod* find_method(const std::string& name) {
  for (const CalibratedMethod& method : kCalibratedMethods) {
    if (method.name == name) return &method;
  }
  return nullptr;
}

int64_t row_tokens_of(const QuantizeOptions& options, const Model& model) {
  const int64_t tokens = options.seq_len != 0 ? options.seq_len : std::min(kDefaultRowTokens, model.max_positions());
  if (tokens > model.max_positions()) {
    throw InvalidInput("--seq-len {}: the model has {} positions; expected at most as many", tokens,
                       model.max_positions());
  }
  return tokens;
}

NewFormats new_formats(const std::vector<QuantizedWeight>& weights) {
  NewFormats formats;
  for (const QuantizedWeight& weight : weights) {
    if (!is_scalar(weight.type.dtype)) formats.emplace(weight.source.stored.name, weight.type.dtype);
  }
  return formats;
}

// What decides each number of the result, in words.
std::string settings_text(const QuantizeOptions& options, const Model& model, const CalibrationSettings& settings,
                          const NewFormats& formats, const TokenFileInfo& text) {
  std::string words = fmt::format(
      "headroom calibration 1\nweights {:016x}\ntext {:016x} {:016x}\nmethod {} damping {}\nrows {} of {} tokens\n",
      fingerprint_of_weights(options.model, model), text.source_fingerprint, text.encoder_fingerprint, options.method,
      options.damping, settings.rows, settings.row_tokens);
  for (const auto& [name, format] : formats) words += fmt::format("{} {}\n", name, name_of(format));
  return words;
}

// Begins in the directory, or goes on with what is there.
void take_up(const std::string& directory, const std::string& settings) {
  const std::string path = directory + "/settings.txt";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return write_file_atomically(path, settings);
  const File file = File::open(path);
  std::string before(static_cast<size_t>(std::min<int64_t>(file.size_bytes(), 16 * kMiB)), '\0');
  file.read(0, before.data(), static_cast<int64_t>(before.size()));
  if (before == settings) return;
  throw InvalidInput(
      "{}: holds a calibration that was begun with other flags, text or weights; expected the same, to go on with it; "
      "try another --output, or remove it",
      directory);
}

TokenFileInfo encode_text(const QuantizeOptions& options, const Model& model, int64_t row_tokens,
                          const std::string& output, const InterruptGuard& interrupt) {
  Progress progress("encoding text", options.quiet);
  TokenizerEncoder encoder(options.model, model.vocabulary());
  return tokenize_files(options.calibration, encoder, {row_tokens, false}, output, [&](int64_t done, int64_t total) {
    interrupt.check();
    progress.show(done, total);
  });
}

// What is left to find, in the memory of `job`, which the calibration has been fitted to.
void run_steps(const QuantizeOptions& options, Calibration& calibration, const FittedJob& job,
               const std::string& tokens, const InterruptGuard& interrupt, Calibrated& result) {
  RunOptions shown = options;  // --html is for what is lost
  shown.html = "";
  announce_plan(job, shown, "plan of the calibration's largest step", options.model);
  check_commit(job);
  result.predicted_seconds = calibration.predicted_seconds();
  if (!options.quiet) print_note("Predicted: {}\n", format_duration(result.predicted_seconds));
  Progress progress("calibrating", options.quiet);
  const auto milliseconds = [](double seconds) { return static_cast<int64_t>(1000 * seconds); };
  calibration.run(TokenFile(tokens), [&](double seconds) {
    interrupt.check();
    progress.show(milliseconds(seconds), milliseconds(result.predicted_seconds));
  });
  result.seconds = progress.elapsed_seconds();
  result.memory = memory_use(job);
}

}  // namespace

bool is_calibrated(const QuantizeOptions& options) { return find_method(options.method) != nullptr; }

void check_calibration(const QuantizeOptions& options) {
  if (!is_calibrated(options)) {
    if (!options.calibration.empty()) {
      throw InvalidInput("--calibration: --method {} reads no text; expected gptq or best", options.method);
    }
    return;
  }
  if (options.calibration.empty()) {
    throw InvalidInput("--method {}: expected --calibration FILE, text like what the model will read", options.method);
  }
  expect_count("--samples", options.samples, 1);
  if (options.seq_len != 0) expect_count("--seq-len", options.seq_len, 2);
  if (!(options.damping > 0 && options.damping <= 1)) {
    throw InvalidInput("--damping {}: expected more than 0, and at most 1", options.damping);
  }
}

std::string calibration_directory(const QuantizeOptions& options) { return options.output + ".calibration"; }

Calibrated calibrate(const QuantizeOptions& options, const Model& model, const std::vector<QuantizedWeight>& weights) {
  const std::string directory = calibration_directory(options);
  CalibrationSettings settings;
  const CalibratedMethod& method = *find_method(options.method);
  settings.solve = {.damping = options.damping, .codes = method.codes, .corrects = method.corrects};
  settings.rows = options.samples;
  settings.row_tokens = row_tokens_of(options, model);
  settings.row_sequences =
      task_of(model).sequences_of_row(settings.row_tokens + 1, any_hold_records(options.calibration));
  settings.threads = threads_to_use(options.threads);
  settings.model = options.model;
  settings.directory = directory;
  settings.disk = options.disk;
  const NewFormats formats = new_formats(weights);
  ReserveInputs reserve;
  reserve.threads = settings.threads;
  reserve.buffer_bytes = kBufferBytes;
  reserve.released_bytes = tokenizer_bytes_of(options.model) + kEncodingBytes +
                           example_bound_bytes(options.model, options.calibration, settings.row_tokens);
  reserve.text_bytes = config_bytes(options.model) + named_text_bytes(options.calibration, 1);
  reserve.searched = true;
  const auto fit = [&](Calibration& calibration) {
    return fit_to_run(options, [&] { return calibration.fit(resolve_budget(options.memory), reserve); });
  };
  // Before the text is read, for as many rows as there may be.
  {
    Calibration most(model, formats, settings);
    if (most.files().empty()) {
      throw InvalidInput("--keep {}: keeps all matrices of the layers; expected --method rtn for what is left",
                         options.keep);
    }
    if (!most.is_complete()) fit(most);
  }

  int64_t file_bytes = 0;
  for (const QuantizedWeight& weight : weights) {
    file_bytes = add_sizes(file_bytes, weight.type.bytes(), "the quantised model");
  }
  require_disk_space(options.output, 2 * file_bytes, "the quantised model and its calibration");
  Calibrated result;
  create_directories(directory);
  const DirectoryLock lock(directory);
  const InterruptGuard interrupt;
  try {
    const std::string tokens = directory + "/text.tokens";
    const TokenFileInfo text = encode_text(options, model, settings.row_tokens, tokens, interrupt);
    settings.rows = std::min(settings.rows, text.tokens / settings.row_tokens);
    if (settings.rows == 0) {
      throw InvalidInput(
          "--calibration: the text has {} tokens; expected {} at least, one row; try more text, or --seq-len",
          format_count(text.tokens), format_count(settings.row_tokens));
    }
    if (settings.rows < options.samples && !options.quiet) {
      print_note("the text has {} of {} tokens, fewer than --samples {}\n", count_of(settings.rows, "row"),
                 settings.row_tokens, options.samples);
    }
    take_up(directory, settings_text(options, model, settings, formats, text));
    Calibration calibration(model, formats, settings);
    if (!calibration.is_complete()) run_steps(options, calibration, fit(calibration), tokens, interrupt, result);
    result.rows = settings.rows;
    result.files = calibration.files();
    result.losses = calibration.losses();
  } catch (const Interrupted& interrupted) {
    result.stopped_by_signal = interrupted.signal;
    if (!options.quiet) print_note("{}: the same command goes on from here\n", directory);
  }
  return result;
}

void add_calibration(nlohmann::ordered_json& report, const Calibrated& calibrated) {
  if (calibrated.memory.predicted_peak_bytes > report["predicted_peak_bytes"]) {
    report["predicted_peak_bytes"] = calibrated.memory.predicted_peak_bytes;
    report["measured_peak_bytes"] = calibrated.memory.measured_peak_bytes;
    report["arena_bytes"] = calibrated.memory.arena_bytes;
    report["reserve_bytes"] = calibrated.memory.reserve_bytes;
  }
  nlohmann::ordered_json& made = report["calibration"];
  made = {
      {"rows", calibrated.rows}, {"seconds", calibrated.seconds}, {"predicted_seconds", calibrated.predicted_seconds}};
  for (const WeightLoss& loss : calibrated.losses) {
    made["losses"][loss.weight] = {{"loss", loss.loss}, {"rounding_loss", loss.rounding_loss}};
  }
}

void print_losses(const Calibrated& calibrated) {
  std::vector<WeightLoss> losses = calibrated.losses;
  double sum = 0, rounding_sum = 0;
  for (const WeightLoss& loss : losses) {
    sum += loss.loss / static_cast<double>(losses.size());
    rounding_sum += loss.rounding_loss / static_cast<double>(losses.size());
  }
  std::stable_sort(losses.begin(), losses.end(),
                   [](const WeightLoss& a, const WeightLoss& b) { return a.loss > b.loss; });
  losses.resize(std::min<size_t>(losses.size(), 5));
  print_note("squared error of the layers' outputs, relative: {:.3g} on average, {:.3g} by rounding alone; most in\n",
             sum, rounding_sum);
  for (const WeightLoss& loss : losses)
    print_note("  {:<48} {:.3g} ({:.3g})\n", loss.weight, loss.loss, loss.rounding_loss);
}

}  // namespace headroom
