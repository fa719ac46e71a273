// convert --format gguf: a model as one GGUF file, with names, order of rows and metadata as llama.cpp's converter
// writes them.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>

#include "headroom/api/adapter_merge.h"
#include "headroom/api/adapter_notes.h"
#include "headroom/api/convert_format.h"
#include "headroom/api/gguf_tensors.h"
#include "headroom/api/model_source.h"
#include "headroom/api/prompt.h"
#include "headroom/base/bytes.h"
#include "headroom/base/convert.h"
#include "headroom/base/errors.h"
#include "headroom/formats/chat/chat_template_source.h"
#include "headroom/formats/gguf/gguf_config.h"
#include "headroom/formats/gguf/gguf_deepseek2.h"
#include "headroom/formats/gguf/gguf_end_tokens.h"
#include "headroom/formats/gguf/gguf_names.h"
#include "headroom/formats/gguf/gguf_parts.h"
#include "headroom/formats/gguf/gguf_vocabulary.h"
#include "headroom/formats/gguf/gguf_vocabulary_writer.h"
#include "headroom/formats/gguf/gguf_writer.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/formats/tokenizer/tokenizer_parts.h"
#include "headroom/formats/weights/weight_files.h"
#include "headroom/models/decoder.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kGgufHeapBytesPerTensor = 1024;  // names, declarations
constexpr int64_t kBufferBytes = 1 * kMiB;         // of files, and the chat template
constexpr int64_t kStepUnit = 256;                 // elements: whole blocks of any format
constexpr int64_t kBytesPerElement = 8;            // of staging: f32 as it is read, and at most as much as is written

// What --dtype may be, and what llama.cpp calls a file whose matrices are so (general.file_type).
struct FileType {
  std::string_view dtype;
  uint32_t type;
  int64_t file_type;
};
constexpr FileType kFileTypes[] = {
    {"f32", kGgmlF32, 0}, {"f16", kGgmlF16, 1}, {"q8_0", kGgmlQ8_0, 7}, {"bf16", kGgmlBf16, 32}};

const FileType& file_type_of(const std::string& flag, DType stored) {
  const std::string_view wanted = flag.empty() ? name_of(stored) : flag;
  for (const FileType& type : kFileTypes) {
    if (type.dtype == wanted) return type;
  }
  throw InvalidInput("--dtype {}: expected f32, f16, bf16 or q8_0", wanted);
}

DecoderConfig decoder_of(const JsonObject& config, const GgufArchitecture& architecture) {
  DecoderConfig decoder = read_decoder_config(config);
  if (!architecture.has_latents) read_heads(config, decoder);
  return decoder;
}

LatentRows latent_rows_of(const GgufArchitecture& architecture, const JsonObject& config) {
  if (!architecture.has_latents) return {};
  const auto field = [&](const char* name) { return config.integer(name, 1, GgufKeys::kLargest); };
  return {field("num_attention_heads"), field("qk_nope_head_dim"), field("v_head_dim")};
}

class GgufConversion final : public Conversion {
 public:
  explicit GgufConversion(const ConvertOptions& options)
      : options_(options),
        model_(open_model_directory(options.model, open_settings(options))),
        config_(config_of_model(options.model, open_settings(options))),
        architecture_(find_gguf_architecture(model_->architecture(), options.model)),
        decoder_(decoder_of(config_, architecture_)),
        latent_rows_(latent_rows_of(architecture_, config_)),
        type_(file_type_of(options.dtype, model_->stored_dtype())),
        source_(options.model),
        merge_(options.adapter, *model_) {
    note_adapter(options.adapter, *model_, options.quiet);
    declare();
    open_vocabulary();
  }

  int64_t read_bytes() const override { return read_bytes_; }
  int64_t written_bytes() const override {
    if (written_bytes_ > 0) return written_bytes_;
    return GgufWriter::data_bytes(declarations_) + kBufferBytes + vocabulary_bytes_;
  }
  int64_t heap_bytes() const override {
    return kBufferBytes + kGgufHeapBytesPerTensor * tensors() + vocabulary_bytes_ +
           (vocabulary_ ? vocabulary_->heap_bytes() : 0) + merge_.heap_bytes() +
           kGgufHeapBytesPerTensor * source_.count() + source_.coded_heap_bytes();
  }
  int64_t tensors() const override { return static_cast<int64_t>(declarations_.size()); }
  int64_t files() const override { return 1; }

  void run(std::span<std::byte> staging, Threads&, const Progress& progress) override {
    GgufWriter writer(options_.output, declarations_);
    write_metadata(writer);
    if (!divisors_.empty()) writer.write(divisors_.data(), static_cast<int64_t>(divisors_.size() * sizeof(float)));
    int64_t done_bytes = 0;
    for (size_t i = 0; i < sources_.size(); ++i) {
      write_tensor(writer, sources_[i], types_[i], staging, progress, done_bytes);
    }
    written_bytes_ = writer.finish();
  }

 private:
  void declare() {
    refuse_yarn_that_llamacpp_lacks();
    if (architecture_.has_latents) expect_deepseek2_fields(config_);
    if (decoder_.rotary.scaling == RotaryScaling::llama3) {
      const RotarySettings& rotary = decoder_.rotary;
      divisors_ = llama3_divisors(
          {rotary.factor, rotary.low_frequency_factor, rotary.high_frequency_factor, rotary.original_positions},
          rotary.theta, decoder_.head_dim);
      declarations_.push_back({std::string(kRopeFactors), {decoder_.head_dim / 2}, kGgmlF32});
    }
    std::vector<std::string> names;
    for (const ModelTensor& tensor : model_->tensors()) {
      const std::optional<std::string> name = gguf_name(tensor.name);
      ensure(name.has_value(), "{}: has no name in GGUF files", tensor.name);
      add_gguf_sources(merge_.merged(source_.require(tensor.name, tensor.shape)), *name, architecture_,
                       decoder_.head_dim, latent_rows_, sources_, names);
    }
    for (size_t i = 0; i < sources_.size(); ++i) {
      types_.push_back(type_for(names[i], sources_[i].shape()));
      declarations_.push_back({names[i], sources_[i].shape(), types_.back()});
      read_bytes_ += sources_[i].size_bytes();
    }
  }

  // llama.cpp's converter writes no more of YaRN than the factor and the original positions.
  void refuse_yarn_that_llamacpp_lacks() const {
    const RotarySettings& rotary = decoder_.rotary;
    const RotarySettings plain;
    if (rotary.scaling != RotaryScaling::yarn || architecture_.has_latents) return;
    if (rotary.beta_fast == plain.beta_fast && rotary.beta_slow == plain.beta_slow && rotary.truncate &&
        rotary.magnitude == yarn_magnitude(rotary.factor)) {
      return;
    }
    throw InvalidInput(
        "{}: rope_scaling: GGUF files hold YaRN by its factor and original_max_position_embeddings only; expected the "
        "defaults of beta_fast, beta_slow, truncate, attention_factor and mscale",
        options_.model);
  }

  // Norms, biases and what chooses experts stay f32; rows that are no whole blocks stay f16.
  uint32_t type_for(std::string_view name, const Shape& shape) const {
    if (shape.rank() < 2 || name.ends_with(".ffn_gate_inp.weight")) return kGgmlF32;
    return shape[shape.rank() - 1] % find_ggml_type(type_.type)->block_elements == 0 ? type_.type : kGgmlF16;
  }

  void open_vocabulary() {
    vocabulary_bytes_ = tokenizer_bytes_of(options_.model);
    if (vocabulary_bytes_ == 0) return;
    if (GgufFile::is_gguf(options_.model)) {
      gguf_ = std::make_unique<GgufFile>(options_.model);
      vocabulary_source_ = std::make_unique<GgufVocabulary>(*gguf_);
    } else {
      vocabulary_source_ = tokenizer_json_source((fs::path(options_.model) / "tokenizer.json").string());
    }
    vocabulary_ = std::make_unique<GgufVocabularyWriter>(*vocabulary_source_, decoder_.vocabulary);
    if (std::optional<ChatTemplateSource> chat = chat_template_of(options_.model))
      chat_template_ = std::move(chat->text);
  }

  void write_metadata(GgufWriter& writer) const {
    writer.text("general.architecture", architecture_.name);
    writer.text("general.type", "model");
    writer.text("general.name", fs::path(options_.model).lexically_normal().stem().string());
    writer.integer("general.file_type", type_.file_type);
    if (type_.type == kGgmlQ8_0) writer.integer("general.quantization_version", 2);
    const auto key = [&](const char* name) { return fmt::format("{}.{}", architecture_.name, name); };
    writer.integer(key("vocab_size"), decoder_.vocabulary);
    writer.integer(key("context_length"), decoder_.max_positions);
    writer.integer(key("embedding_length"), decoder_.features);
    writer.integer(key("block_count"), decoder_.layers);
    writer.integer(key("feed_forward_length"), decoder_.mlp_features);
    writer.real(key("attention.layer_norm_rms_epsilon"), decoder_.norm_eps);
    writer.real(key("rope.freq_base"), decoder_.rotary.theta);
    architecture_.has_latents ? write_deepseek2_fields(config_, writer) : write_heads(writer);
    write_vocabulary(writer);
  }

  void write_heads(GgufWriter& writer) const {
    const auto key = [&](const char* name) { return fmt::format("{}.{}", architecture_.name, name); };
    writer.integer(key("attention.head_count"), decoder_.heads);
    writer.integer(key("attention.head_count_kv"), decoder_.kv_heads);
    writer.integer(key("attention.key_length"), decoder_.head_dim);
    writer.integer(key("attention.value_length"), decoder_.head_dim);
    writer.integer(key("rope.dimension_count"), decoder_.head_dim);
    if (decoder_.rotary.scaling == RotaryScaling::linear) {
      writer.text(key("rope.scaling.type"), "linear");
      writer.real(key("rope.scaling.factor"), decoder_.rotary.factor);
    }
    if (decoder_.rotary.scaling == RotaryScaling::yarn) {
      writer.text(key("rope.scaling.type"), "yarn");
      writer.real(key("rope.scaling.factor"), decoder_.rotary.factor);
      writer.integer(key("rope.scaling.original_context_length"),
                     static_cast<int64_t>(decoder_.rotary.original_positions));
    }
  }

  void write_vocabulary(GgufWriter& writer) const {
    if (vocabulary_) {
      vocabulary_->write(writer);
      const std::optional<int32_t> end = vocabulary_->end_id();
      write_gguf_end_ids(end_ids_of(options_.model, *model_, end), end.has_value(), writer);
      if (!chat_template_.empty()) writer.text("tokenizer.chat_template", chat_template_);
      return;
    }
    writer.text("tokenizer.ggml.model", "none");
    if (decoder_.bos) writer.integer("tokenizer.ggml.bos_token_id", *decoder_.bos);
    write_gguf_end_ids(end_ids_of(options_.model, *model_, std::nullopt), false, writer);
  }

  void write_tensor(GgufWriter& writer, const GgufSource& source, uint32_t type, std::span<std::byte> staging,
                    const Progress& progress, int64_t& done_bytes) const {
    const int64_t elements = source.shape().elements();
    const int64_t step = static_cast<int64_t>(staging.size()) / kBytesPerElement / kStepUnit * kStepUnit;
    auto* numbers = reinterpret_cast<float*>(staging.data());
    std::byte* encoded = staging.data() + step * static_cast<int64_t>(sizeof(float));
    for (int64_t first = 0; first < elements; first += step) {
      const int64_t count = std::min(step, elements - first);
      source.read(first, count, numbers);
      writer.write(encoded, encode(source, type, first, numbers, count, encoded));
      const double share = static_cast<double>(first + count) / static_cast<double>(elements);
      progress(done_bytes + static_cast<int64_t>(share * static_cast<double>(source.size_bytes())));
    }
    done_bytes += source.size_bytes();
  }

  // Bytes written to `out`.
  int64_t encode(const GgufSource& source, uint32_t type, int64_t first, const float* numbers, int64_t count,
                 std::byte* out) const {
    if (const BlockFormat* blocks = find_ggml_type(type)->blocks()) {
      const int64_t over = blocks->encode({count}, 0, {numbers, static_cast<size_t>(count)}, out, {});
      if (over >= 0) refuse_overflow(source, first + over);
      return blocks->bytes({count});
    }
    const DType dtype = type == kGgmlF16 ? DType::f16 : type == kGgmlBf16 ? DType::bf16 : DType::f32;
    convert_elements(DType::f32, numbers, dtype, out, count);
    const int64_t over = find_overflow(DType::f32, numbers, dtype, out, count);
    if (over >= 0) refuse_overflow(source, first + over);
    return count * size_of(dtype);
  }

  [[noreturn]] void refuse_overflow(const GgufSource& source, int64_t element) const {
    const int64_t one = source.tensors.front().stored.shape.elements();
    const WeightTensor& tensor = source.tensors[static_cast<size_t>(element / one)];
    throw InvalidInput("{}: tensor {} holds at element {} a number that {} cannot; try --dtype bf16",
                       tensor.file->path(), printable(tensor.stored.name), element % one, type_.dtype);
  }

  const ConvertOptions options_;
  const std::unique_ptr<Model> model_;
  const JsonObject config_;
  const GgufArchitecture& architecture_;
  const DecoderConfig decoder_;
  const LatentRows latent_rows_;
  const FileType& type_;
  const WeightFiles source_;
  AdapterMerge merge_;
  std::vector<float> divisors_;  // of rotary frequencies, by llama3 scaling
  std::vector<GgufSource> sources_;
  std::vector<uint32_t> types_;                // of them
  std::vector<GgufDeclaration> declarations_;  // the divisors first, if there are any, then the sources
  int64_t read_bytes_ = 0;
  int64_t written_bytes_ = 0;  // once it is done
  std::unique_ptr<GgufFile> gguf_;
  std::unique_ptr<TokenizerSource> vocabulary_source_;
  std::unique_ptr<GgufVocabularyWriter> vocabulary_;
  int64_t vocabulary_bytes_ = 0;
  std::string chat_template_;
};

std::unique_ptr<Conversion> open_gguf(const ConvertOptions& options) {
  if (!has_gguf_ending(options.output)) {
    throw InvalidInput("--output {}: expected the name of a file that ends in .gguf", options.output);
  }
  std::error_code error;
  if (fs::exists(options.output, error)) throw InvalidInput("--output {}: it exists; choose another", options.output);
  return std::make_unique<GgufConversion>(options);
}

}  // namespace

const ConvertFormat kGgufFormat = {"gguf", open_gguf};

}  // namespace headroom
