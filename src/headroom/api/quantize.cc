// quantize(): a model's matrices in few bits, as a stream.
#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>

#include "headroom/api/calibrate.h"
#include "headroom/api/conversion.h"
#include "headroom/api/loss_page.h"
#include "headroom/api/model_source.h"
#include "headroom/api/output_paths.h"
#include "headroom/api/quantize_choice.h"
#include "headroom/base/atomic_file.h"
#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/base/page.h"
#include "headroom/data/data_file.h"
#include "headroom/formats/gguf/gguf_file.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/formats/weights/weight_writer.h"
#include "headroom/runtime/process_memory.h"

namespace headroom {
namespace {

constexpr int64_t kHeapBytesPerTensor = 1024;    // names, declarations, the output's header and index
constexpr int64_t kCompanionBytes = 1 * kMiB;    // the buffer that copies the tokenizer's files, and the config's text
constexpr int64_t kSlackBytes = 2 * kPageBytes;  // of a thread's memory: the place in a page, the file's last page
constexpr int64_t kLeastSlotBytes = 64 * kKiB;   // of a thread
constexpr int64_t kRunsPerThread = 4;            // of a tensor, so that threads end together

// What one thread needs for one panel: its elements in f32, and what they become.
int64_t panel_memory(const GroupedLayout& layout) {
  return kPanelRows * layout.columns * size_of(DType::f32) + layout.panel_bytes();
}

// Runs of one tensor on several threads, each on whichever is free; throws the first run's error of those that failed.
class Runs {
 public:
  explicit Runs(int64_t count) : count_(count) {}

  template <class Work>
  void on(Threads& threads, int64_t most_threads, Work&& work) {
    threads.run([&](int thread) {
      if (thread >= most_threads) return;
      for (int64_t run = next_++; run < count_ && run < first_failed_; run = next_++) {
        try {
          work(run, thread);
        } catch (...) {
          take_error(run);
        }
      }
    });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void take_error(int64_t run) {
    const std::lock_guard lock(mutex_);
    if (run > first_failed_) return;
    first_failed_ = run;
    error_ = std::current_exception();
  }

  const int64_t count_;
  std::atomic<int64_t> next_{0};
  std::atomic<int64_t> first_failed_{std::numeric_limits<int64_t>::max()};
  std::mutex mutex_;
  std::exception_ptr error_;
};

class Quantization final : public Conversion {
 public:
  // `calibrated`: files that hold some of the weights in their new formats already.
  Quantization(const QuantizeOptions& options, const Model& model, const std::vector<std::string>& calibrated)
      : options_(options),
        dtype_(model.stored_dtype()),
        source_(options.model),
        weights_(choose_formats(options, model, source_)),
        writer_(declarations(), parse_shard_size(options.shard_size)),
        threads_(threads_to_use(options.threads)) {
    for (const std::string& path : calibrated) calibrated_.emplace_back(path);
    for (const QuantizedWeight& weight : weights_) {
      read_bytes_ = add_sizes(read_bytes_, weight.source.stored.size_bytes, "the weights");
      if (is_scalar(weight.type.dtype)) continue;
      const GroupedLayout layout(*as_grouped(weight.type.dtype), weight.type.shape);
      slot_bytes_ = std::max(slot_bytes_, round_up(panel_memory(layout) + kSlackBytes, kPageBytes));
    }
  }

  int64_t read_bytes() const override { return read_bytes_; }
  int64_t written_bytes() const override { return writer_.file_bytes(); }
  int64_t heap_bytes() const override {
    return kCompanionBytes + kHeapBytesPerTensor * (tensors() + source_.count()) + tokenizer_bytes_ +
           source_.coded_heap_bytes();
  }
  int64_t tensors() const override { return static_cast<int64_t>(weights_.size()); }
  int64_t files() const override { return writer_.shard_count(); }
  int threads() const override { return threads_; }
  int64_t least_staging_bytes() const override { return slot_bytes_; }
  const std::vector<QuantizedWeight>& weights() const { return weights_; }

  void run(std::span<std::byte> staging, Threads& threads, const Progress& progress) override {
    if (!options_.quiet) say_choice();
    AtomicDirectory output(options_.output);
    write_config(config_of_model(options_.model, open_settings(options_)), dtype_, output.temporary_path(),
                 {{"quant_method", "headroom"},
                  {"bits", options_.bits},
                  {"group_size", options_.group_size},
                  {"symmetric", !options_.asymmetric}});
    copy_tokenizer(options_.model, output.temporary_path());
    const auto bytes = static_cast<int64_t>(staging.size());
    slots_ = std::clamp<int64_t>(bytes / slot_bytes_, 1, threads.count());
    const int64_t slot = bytes / slots_ / kPageBytes * kPageBytes;
    done_bytes_ = 0;
    writer_.write(output.temporary_path(), [&](SafetensorsWriter& file, std::span<const size_t> members) {
      for (size_t place = 0; place < members.size(); ++place) {
        const QuantizedWeight& weight = weights_[members[place]];
        const Target target{weight, file, place, staging, slot, progress};
        const std::optional<WeightTensor> made = find_calibrated(weight);
        is_scalar(weight.type.dtype) ? copy(target, threads)
        : made                       ? copy_blocks(target, *made)
                                     : quantize(target, threads);
      }
    });
    output.commit();
  }

 private:
  // One tensor on its way.
  struct Target {
    const QuantizedWeight& weight;
    SafetensorsWriter& file;
    size_t place;  // in the file
    std::span<std::byte> staging;
    int64_t slot_bytes;  // of it, for each thread
    const Progress& progress;

    std::byte* memory(int thread) const { return staging.data() + thread * slot_bytes; }
  };

  std::vector<TensorDeclaration> declarations() const {
    std::vector<TensorDeclaration> declarations;
    for (const QuantizedWeight& weight : weights_) {
      declarations.push_back({std::string(weight.source.stored.name), weight.type});
    }
    return declarations;
  }

  // "44 in int4_g128, 1 in int8_g128 (lm_head.weight), 25 in f32".
  void say_choice() const {
    std::string words;
    for (const auto& [name, format] : formats_of(weights_)) {
      words += fmt::format("{}{} in {}", words.empty() ? "" : ", ", format_count(format.weights), name);
      for (const QuantizedWeight& weight : weights_) {
        const bool is_alone = format.weights == 1 && name_of(weight.type.dtype) == name;
        if (is_alone) words += fmt::format(" ({})", weight.source.stored.name);
      }
    }
    print_note("weights: {}\n{} become {}, {:.2f} bits per weight\n", words, format_bytes(read_bytes_),
               format_bytes(written_bytes()), bits_per_weight(weights_));
  }

  void note_done(const Target& target, int64_t elements, int thread) {
    const StoredTensor& stored = target.weight.source.stored;
    const double share = static_cast<double>(elements) / static_cast<double>(stored.shape.elements());
    done_bytes_ += static_cast<int64_t>(share * static_cast<double>(stored.size_bytes));
    if (thread == 0) target.progress(done_bytes_);
  }

  // What keeps its dtype.
  void copy(const Target& target, Threads& threads) {
    const Type& type = target.weight.type;
    const int64_t elements = type.shape.elements();
    const int64_t step = (target.slot_bytes - kSlackBytes) / size_of(type.dtype);
    Runs((elements + step - 1) / step).on(threads, slots_, [&](int64_t run, int thread) {
      const int64_t first = run * step;
      const int64_t count = std::min(step, elements - first);
      std::byte* bytes = place_in_page(target.memory(thread), target.file.offset_of(target.place, first));
      target.weight.source.read(first, count, type.dtype, bytes, NanCheck::refuse);
      target.file.write_at(target.place, first, bytes, count);
      note_done(target, count, thread);
    });
  }

  std::optional<WeightTensor> find_calibrated(const QuantizedWeight& weight) const {
    for (const WeightFiles& files : calibrated_) {
      if (const auto found = files.find(weight.source.stored.name)) return found;
    }
    return std::nullopt;
  }

  // What calibration has made of a weight.
  void copy_blocks(const Target& target, const WeightTensor& made) {
    const int64_t most = target.slot_bytes - kSlackBytes;
    for (int64_t first = 0; first < made.stored.size_bytes; first += most) {
      const int64_t count = std::min(most, made.stored.size_bytes - first);
      std::byte* bytes = place_in_page(target.memory(0), target.file.offset_of(target.place, first));
      made.file->file(made.stored).read(made.stored.offset_bytes + first, bytes, count);
      target.file.write_at(target.place, first, bytes, count);
    }
    note_done(target, made.stored.shape.elements(), 0);
  }

  void quantize(const Target& target, Threads& threads) {
    const GroupedLayout layout(*as_grouped(target.weight.type.dtype), target.weight.type.shape);
    const int64_t fitting = (target.slot_bytes - kSlackBytes) / panel_memory(layout);
    const int64_t fair = (layout.panels + kRunsPerThread * slots_ - 1) / (kRunsPerThread * slots_);
    const int64_t step = std::min(fitting, fair);
    Runs((layout.panels + step - 1) / step).on(threads, slots_, [&](int64_t run, int thread) {
      quantize_panels(target, layout, run * step, std::min(step, layout.panels - run * step), thread);
    });
  }

  void quantize_panels(const Target& target, const GroupedLayout& layout, int64_t panel, int64_t count, int thread) {
    const GroupedFormat& format = *as_grouped(target.weight.type.dtype);
    const int64_t first_row = panel * kPanelRows;
    const Shape shape = {std::min(count * kPanelRows, layout.rows - first_row), layout.columns};
    const int64_t first = first_row * layout.columns;
    const int64_t first_byte = panel * layout.panel_bytes();
    const std::span numbers(reinterpret_cast<float*>(target.memory(thread)), static_cast<size_t>(shape.elements()));
    std::byte* bytes =
        place_in_page(target.memory(thread) + numbers.size_bytes(), target.file.offset_of(target.place, first_byte));
    target.weight.source.read(first, shape.elements(), DType::f32, numbers.data(), NanCheck::refuse);
    if (const int64_t over = format.encode(shape, 0, numbers, bytes, {}); over >= 0) {
      throw InvalidInput(
          "{}: tensor {} holds an infinity, or a number beyond the scales of {}, from element {} on; try "
          "--keep with its name",
          target.weight.source.file->path(), printable(target.weight.source.stored.name), format.name(), first + over);
    }
    format.finish(shape, bytes, {});
    int64_t size_bytes = count * layout.panel_bytes();
    if (panel + count == layout.panels) {
      const int64_t end = size_bytes;
      size_bytes = target.weight.type.bytes() - first_byte;
      std::fill(bytes + end, bytes + size_bytes, std::byte{0});
    }
    target.file.write_at(target.place, first_byte, bytes, size_bytes);
    note_done(target, shape.elements(), thread);
  }

  const QuantizeOptions options_;
  const DType dtype_;  // of the config
  const WeightFiles source_;
  const std::vector<QuantizedWeight> weights_;
  const WeightWriter writer_;
  const int threads_;
  std::vector<WeightFiles> calibrated_;
  int64_t slot_bytes_ = kLeastSlotBytes;
  int64_t slots_ = 1;
  int64_t read_bytes_ = 0;
  std::atomic<int64_t> done_bytes_{0};
  const int64_t tokenizer_bytes_ = GgufFile::is_gguf(options_.model) ? tokenizer_bytes_of(options_.model) : 0;
};

// Blocks and codes of other programs are read as the numbers that they mean.
void note_second_rounding(const std::string& model) {
  const WeightFiles files(model);
  for (int64_t i = 0; i < files.count(); ++i) {
    const StoredTensor tensor = files.tensor(i).stored;
    if (tensor.type != StoredType::encoded || tensor.format != nullptr) continue;  // those are refused
    print_note("{} is quantised already ({} as {}): its numbers are rounded once more\n", model, printable(tensor.name),
               tensor.type_name);
    return;
  }
}

void finish_calibration(const QuantizeOptions& options, const Calibrated& calibrated, QuantizeResult& result) {
  if (calibrated.memory.predicted_peak_bytes > result.predicted_peak_bytes) {
    static_cast<MemoryUse&>(result) = calibrated.memory;
  }
  remove_tree(calibration_directory(options));
  if (!options.quiet) print_losses(calibrated);
}

// What it cost, on text that the calibration has not seen; into the report as well.
void compare(const QuantizeOptions& options, QuantizeResult& result) {
  EvalOptions evaluation;
  static_cast<RunOptions&>(evaluation) = options;
  evaluation.report = evaluation.html = evaluation.disk = "";
  evaluation.quiet = true;
  evaluation.model = options.output;
  evaluation.reference = options.model;
  evaluation.data = options.eval_data;
  evaluation.seq_len = options.seq_len;
  result.evaluation = evaluate(evaluation);
  const EvalResult& cost = *result.evaluation;
  result.stopped_by_signal = cost.stopped_by_signal;
  if (result.stopped_by_signal != 0) return;
  if (!options.quiet) {
    print_note(
        "perplexity {:.4f}, where the whole model has {:.4f} ({:+.3f} %); divergence {:.6f} nats; the same token is "
        "the likeliest in {:.3f} % of predictions\n",
        cost.perplexity, cost.reference_perplexity, 100 * (cost.perplexity / cost.reference_perplexity - 1),
        cost.kl_divergence, 100 * cost.top1_agreement);
  }
  if (options.report.empty()) return;
  const File file = File::open(options.report);
  std::string text(static_cast<size_t>(file.size_bytes()), '\0');
  file.read(0, text.data(), file.size_bytes());
  nlohmann::ordered_json report = nlohmann::ordered_json::parse(text);
  report["evaluation"] = {{"perplexity", cost.perplexity},
                          {"reference_perplexity", cost.reference_perplexity},
                          {"kl_divergence", cost.kl_divergence},
                          {"top1_agreement", cost.top1_agreement},
                          {"predictions", cost.predictions}};
  write_json(options.report, report);
}

}  // namespace

QuantizeResult quantize(const QuantizeOptions& options) {
  restart_peak();
  if (options.output.empty()) throw InvalidInput("--output: expected a directory for the quantised model");
  check_calibration(options);
  std::vector<InputPath> inputs = {{"MODEL", options.model}};
  for (const std::string& path : options.calibration) inputs.push_back({"--calibration", path});
  for (const std::string& path : options.eval_data) inputs.push_back({"--eval-data", path});
  check_output_paths(outputs_of(options, {{"--output", options.output}}), inputs);
  check_data_files(options.calibration);
  check_data_files(options.eval_data);
  const std::unique_ptr<Model> model = open_model_directory(options.model, open_settings(options));
  expect_new_directory(options.output);
  if (!options.quiet) note_second_rounding(options.model);
  Calibrated calibrated;
  if (is_calibrated(options)) {
    calibrated = calibrate(options, *model, choose_formats(options, *model, WeightFiles(options.model)));
    restart_peak();
  }
  QuantizeResult result;
  if (calibrated.stopped_by_signal != 0) {
    result.stopped_by_signal = calibrated.stopped_by_signal;
    return result;
  }
  Quantization job(options, *model, calibrated.files);
  result.formats = formats_of(job.weights());
  result.bits_per_weight = bits_per_weight(job.weights());
  result.calibration_seconds = calibrated.seconds;
  for (const WeightLoss& loss : calibrated.losses)
    result.losses.push_back({loss.weight, loss.loss, loss.rounding_loss});
  static_cast<ConvertResult&>(result) =
      run_conversion(job, options, {options.model, options.output},
                     {"quantising", "quantisation", "the quantised model"}, [&](nlohmann::ordered_json& report) {
                       for (const auto& [name, format] : result.formats) {
                         report["weights"][name] = {{"count", format.weights}, {"bytes", format.bytes}};
                       }
                       report["bits_per_weight"] = result.bits_per_weight;
                       if (is_calibrated(options)) add_calibration(report, calibrated);
                     });
  if (result.stopped_by_signal != 0) return result;
  if (is_calibrated(options)) finish_calibration(options, calibrated, result);
  if (!options.eval_data.empty()) compare(options, result);
  if (!options.html.empty() && result.stopped_by_signal == 0) write_loss_page(options.html, options, result);
  return result;
}

}  // namespace headroom
