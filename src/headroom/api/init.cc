// init_model(): a model directory from a shape and, if asked for, a tokenizer trained on text.
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "headroom/api/model_source.h"
#include "headroom/base/atomic_file.h"
#include "headroom/base/bytes.h"
#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/data/data_file.h"
#include "headroom/data/text_source.h"
#include "headroom/formats/tokenizer/bpe_trainer.h"
#include "headroom/formats/tokenizer/tokenizer.h"
#include "headroom/formats/weights/weight_writer.h"
#include "headroom/headroom.h"
#include "headroom/models/initialize.h"
#include "headroom/runtime/interrupt.h"
#include "headroom/runtime/progress.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;

DType dtype_of_weights(const InitOptions& options, const Model& model) {
  if (options.dtype.empty()) return model.stored_dtype();
  const DType dtype = parse_dtype(options.dtype, "--dtype");
  if (dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16) return dtype;
  throw InvalidInput("--dtype {}: no model is held in it; expected f32, bf16 or f16", options.dtype);
}

// The texts of records, each on its own.
class RecordTexts final : public DocumentSink {
 public:
  RecordTexts(BpeTrainer& trainer, const std::function<void(int64_t done_bytes)>& progress)
      : trainer_(trainer), progress_(progress) {}

  void text(std::string_view piece) override {
    trainer_.text(piece);
    bytes_ += static_cast<int64_t>(piece.size());
    progress_(bytes_);
  }
  void end_text(bool /*open_ended*/) override { trainer_.end_text(); }
  void prompt_completion(const std::string& prompt, const std::string& completion) override {
    add(prompt + completion);
  }
  void instruction(const Instruction& one) override {
    for (const std::string& part : {one.system, one.instruction, one.input, one.output}) add(part);
  }
  void conversation(const ChatExample& example) override {
    for (const auto& message : example.messages) {
      const auto content = message.find("content");
      if (content != message.end() && content->is_string()) add(content->get<std::string>());
    }
  }
  void left_out() override {}

 private:
  void add(const std::string& one) {
    text(one);
    trainer_.end_text();
  }

  BpeTrainer& trainer_;
  const std::function<void(int64_t)>& progress_;
  int64_t bytes_ = 0;
};

// Plain text is taken as it is, whether or not it is UTF-8.
void add_texts(const std::string& path, BpeTrainer& trainer, const std::function<void(int64_t)>& progress) {
  const DataFile file(path);
  if (file.form() == DataForm::text && !file.is_packed()) return trainer.add_file(path, progress);
  RecordTexts texts(trainer, progress);
  read_documents(path, texts);
}

// Trains a tokenizer on the texts and returns the config of a model with its vocabulary.
JsonObject make_tokenizer(const InitOptions& options, const JsonObject& config, const InterruptGuard& interrupt) {
  BpeTrainingOptions training;
  training.vocab_size =
      static_cast<int32_t>(options.vocabulary > 0 ? options.vocabulary : make_model(config)->vocabulary());
  BpeTrainer trainer(training);
  {
    Progress progress("counting words", options.quiet);
    int64_t total = 0, before = 0;
    for (const std::string& path : options.tokenizer_data) total += DataFile(path).text_bytes();
    for (const std::string& path : options.tokenizer_data) {
      add_texts(path, trainer, [&](int64_t done) {
        interrupt.check();
        progress.show(before + done, total);
      });
      before += DataFile(path).text_bytes();
    }
  }
  Progress progress("training the tokenizer", options.quiet);
  const TrainedBpe trained = trainer.train([&](int32_t pieces, int32_t size) {
    interrupt.check();
    progress.show(pieces, size);
  });
  write_tokenizer(trained, {}, options.output);
  const Tokenizer tokenizer(options.output);
  const auto id = [](std::optional<int32_t> token) { return token ? nlohmann::ordered_json(*token) : nullptr; };
  return config.with("vocab_size", trained.pieces.size())
      .with("bos_token_id", id(tokenizer.bos_id()))
      .with("eos_token_id", id(tokenizer.eos_id()))
      .with("pad_token_id", id(tokenizer.pad_id()));
}

void init_until_signal(const InitOptions& options) {
  if (options.output.empty()) throw InvalidInput("--output: expected a directory for the new model");
  if (fs::exists(options.output) && !(fs::is_directory(options.output) && fs::is_empty(options.output))) {
    throw InvalidInput("--output {}: it exists and is not an empty directory; choose another", options.output);
  }
  const int64_t shard_bytes = parse_shard_size(options.shard_size);
  if (options.vocabulary < 0 || (options.vocabulary > 0 && options.tokenizer_data.empty())) {
    throw InvalidInput(
        "--vocabulary {}: it is the size of the tokenizer that --tokenizer-data trains; expected that flag too, and "
        "260 or more",
        options.vocabulary);
  }
  const OpenSettings settings = {options.ignore_unknown_fields, options.quiet};
  JsonObject config = config_of_model(options.model, settings);
  std::unique_ptr<Model> model = make_model_and_note(config, options.model, settings);
  const DType dtype = dtype_of_weights(options, *model);
  const InterruptGuard interrupt;
  AtomicDirectory output(options.output);
  InitOptions inside = options;
  inside.output = output.temporary_path();
  if (!options.tokenizer_data.empty()) {
    config = make_tokenizer(inside, config, interrupt);
    model = make_model(config);
  }
  write_config(config, dtype, inside.output);
  {
    Progress progress("writing weights", options.quiet);
    write_initial_weights(*model, inside.output, dtype, options.seed, shard_bytes, [&](int64_t done, int64_t total) {
      interrupt.check();
      progress.show(done, total);
    });
  }
  output.commit();
  if (!options.quiet) {
    print_note("{}: {} parameters, {} as {}, vocabulary {}\n", options.output, format_count(parameter_count(*model)),
               format_bytes(parameter_count(*model) * size_of(dtype)), name_of(dtype),
               format_count(model->vocabulary()));
  }
}

}  // namespace

void init_model(const InitOptions& options) {
  try {
    init_until_signal(options);
  } catch (const Interrupted& interrupted) {
    std::raise(interrupted.signal);  // all is cleared away: now it does what it did before
  }
}

}  // namespace headroom
