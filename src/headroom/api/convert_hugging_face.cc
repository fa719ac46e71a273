// convert --format hf: a Hugging Face directory out of another one, with other dtypes or other shards.
#include <algorithm>
#include <filesystem>

#include "headroom/api/adapter_merge.h"
#include "headroom/api/adapter_notes.h"
#include "headroom/api/convert_format.h"
#include "headroom/api/model_source.h"
#include "headroom/base/atomic_file.h"
#include "headroom/base/block_reader.h"
#include "headroom/base/bytes.h"
#include "headroom/base/convert.h"
#include "headroom/base/errors.h"
#include "headroom/base/page.h"
#include "headroom/formats/gguf/gguf_file.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/formats/weights/weight_files.h"
#include "headroom/formats/weights/weight_writer.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kHeapBytesPerTensor = 1024;  // names, declarations, ranges, the output's header and index
constexpr int64_t kCompanionBytes = 1 * kMiB;  // the buffer that copies the tokenizer's files, and the config's text

bool is_real(StoredType type) {
  return type == StoredType::f64 || type == StoredType::f32 || type == StoredType::f16 || type == StoredType::bf16;
}

bool is_plain(const StoredTensor& tensor) { return tensor.in_order && is_real(tensor.type); }

// What the reader reads through, and for each of its threads where elements go that are written.
struct StagingParts {
  std::span<std::byte> blocks;
  std::span<std::byte> converted;
  int64_t converted_bytes_a_thread = 0;

  explicit StagingParts(std::span<std::byte> staging) {
    converted = staging.first(staging.size() / 8);
    blocks = staging.subspan(converted.size());
    const int threads = BlockReader::threads_for(static_cast<int64_t>(blocks.size()));
    converted_bytes_a_thread = static_cast<int64_t>(converted.size()) / threads - kPageBytes;
  }

  // Of `thread`, with the place in a page that `file_offset` has, so that writing needs no copy.
  std::byte* place(int thread, int64_t file_offset) const {
    return place_in_page(converted.data() + thread * (converted_bytes_a_thread + kPageBytes), file_offset);
  }
};

class HuggingFaceConversion final : public Conversion {
 public:
  HuggingFaceConversion(const ConvertOptions& options, const Model& model)
      : options_(options),
        source_(options.model),
        merge_(options.adapter, model),
        sources_(in_file_order(source_, merge_)),
        writer_(declare(model), parse_shard_size(options.shard_size)) {}

  int64_t read_bytes() const override { return read_bytes_; }
  int64_t written_bytes() const override { return writer_.file_bytes(); }
  int64_t heap_bytes() const override {
    return kCompanionBytes + kHeapBytesPerTensor * tensors() + tokenizer_bytes_ + merge_.heap_bytes() +
           source_.coded_heap_bytes();
  }
  int64_t tensors() const override { return source_.count(); }
  int64_t files() const override { return writer_.shard_count(); }

  void run(std::span<std::byte> staging, Threads&, const Progress& progress) override {
    const StagingParts parts(staging);
    BlockReader reader(parts.blocks);
    AtomicDirectory output(options_.output);
    copy_config_and_tokenizer(options_.model, output.temporary_path(), dtype_, open_settings(options_));
    int64_t done_before = 0;
    writer_.write(output.temporary_path(), [&](SafetensorsWriter& file, std::span<const size_t> members) {
      std::vector<Target> targets;
      for (size_t place = 0; place < members.size(); ++place) targets.push_back({members[place], place});
      std::sort(targets.begin(), targets.end(), [](Target a, Target b) { return a.source < b.source; });
      const auto scattered = std::stable_partition(
          targets.begin(), targets.end(), [this](Target target) { return is_plain(sources_[target.source].stored); });
      std::vector<ReadRange> ranges;
      int64_t bytes = 0;
      for (auto target = targets.begin(); target != scattered; ++target) {
        const WeightTensor& tensor = sources_[target->source];
        ranges.push_back({&tensor.file->file(tensor.stored), tensor.stored.offset_bytes, tensor.stored.size_bytes,
                          tensor.file->unit_bytes(tensor.stored)});
        bytes += tensor.stored.size_bytes;
      }
      reader.read(
          ranges, [&](const ReadPiece& piece) { write(file, targets[piece.range], piece, parts); },
          [&](int64_t done) { progress(done_before + done); });
      done_before += bytes;
      for (auto target = scattered; target != targets.end(); ++target) {
        write_scattered(file, *target, parts);
        progress(done_before += sources_[target->source].stored.size_bytes);
      }
    });
    output.commit();
  }

 private:
  struct Target {
    size_t source;  // index into sources_ and of the declaration: ascending is the order of the files
    size_t place;   // in the output's file
  };

  static std::vector<WeightTensor> in_file_order(const WeightFiles& files, AdapterMerge& merge) {
    std::vector<WeightTensor> tensors;
    for (int64_t i = 0; i < files.count(); ++i) tensors.push_back(files.tensor(i));
    std::sort(tensors.begin(), tensors.end(), is_before);
    for (WeightTensor& tensor : tensors) tensor = merge.merged(tensor);
    return tensors;
  }

  std::vector<TensorDeclaration> declare(const Model& model) {
    if (!options_.dtype.empty()) {
      dtype_ = parse_dtype(options_.dtype, "--dtype");
      if (*dtype_ == DType::f64 || *dtype_ == DType::i32) {
        throw InvalidInput("--dtype {}: expected f32, bf16 or f16", options_.dtype);
      }
    }
    // Of quantised elements, and of norms that are wider than the matrices beside them, transformers makes one dtype.
    const bool is_quantised = std::any_of(sources_.begin(), sources_.end(), [](const WeightTensor& tensor) {
      return tensor.stored.type == StoredType::encoded;
    });
    if (!dtype_ && is_quantised && !options_.adapter.empty()) {
      throw InvalidInput(
          "{}: its weights are quantised, and an adapter merged into them would be rounded with them; expected --dtype "
          "f32, bf16 or f16, in which the sums are written; try --dtype f32, and headroom quantize behind it",
          options_.model);
    }
    if (!dtype_ && (is_quantised || GgufFile::is_gguf(options_.model))) dtype_ = model.stored_dtype();
    std::vector<TensorDeclaration> declarations;
    for (const WeightTensor& tensor : sources_) {
      if (!is_real(tensor.stored.type) && tensor.stored.type != StoredType::encoded) {
        throw InvalidInput("{}: tensor {} is stored as {}; expected F64, F32, F16 or BF16, which can be converted",
                           tensor.file->path(), printable(tensor.stored.name), tensor.stored.type_name);
      }
      declarations.push_back({std::string(tensor.stored.name), {dtype_in_output(tensor.stored), tensor.stored.shape}});
      read_bytes_ = add_sizes(read_bytes_, tensor.stored.size_bytes, "the weights");
    }
    return declarations;
  }

  // What transformers keeps in its precision: rotary tables that older files carry, which are no weights, and the bias
  // that chooses experts.
  DType dtype_in_output(const StoredTensor& tensor) const {
    const bool is_kept = is_real(tensor.type) && (tensor.name.ends_with("rotary_emb.inv_freq") ||
                                                  tensor.name.ends_with(".e_score_correction_bias"));
    return dtype_ && !is_kept ? *dtype_ : dtype_of(tensor.type);
  }

  static DType dtype_of(StoredType type) {
    for (const DType dtype : {DType::f64, DType::f32, DType::f16, DType::bf16}) {
      if (stored_type_of(dtype) == type) return dtype;
    }
    throw InternalError("a stored type that is not real");
  }

  void write(SafetensorsWriter& file, Target target, const ReadPiece& piece, const StagingParts& parts) const {
    const DType from = dtype_of(sources_[target.source].stored.type);
    const int64_t first = piece.offset_bytes / size_of(from);
    const int64_t count = static_cast<int64_t>(piece.bytes.size()) / size_of(from);
    write_elements(file, target, from, piece.bytes.data(), first, count, piece.thread, parts);
  }

  // What does not lie in the file as it is wanted comes as f32, through the memory of the blocks.
  void write_scattered(SafetensorsWriter& file, Target target, const StagingParts& parts) const {
    const WeightTensor& tensor = sources_[target.source];
    const int64_t elements = tensor.stored.shape.elements();
    const int64_t step = static_cast<int64_t>(parts.blocks.size()) / size_of(DType::f32);
    for (int64_t first = 0; first < elements; first += step) {
      const int64_t count = std::min(step, elements - first);
      tensor.read(first, count, DType::f32, parts.blocks.data());
      write_elements(file, target, DType::f32, parts.blocks.data(), first, count, 0, parts);
    }
  }

  // `count` elements at `bytes`, the first of which is number `first` of the tensor.
  void write_elements(SafetensorsWriter& file, Target target, DType from, const std::byte* bytes, int64_t first,
                      int64_t count, int thread, const StagingParts& parts) const {
    const WeightTensor& tensor = sources_[target.source];
    const DType to = dtype_in_output(tensor.stored);
    const int64_t step = parts.converted_bytes_a_thread / size_of(to);
    for (int64_t done = 0; done < count; done += step) {
      const int64_t run = std::min(step, count - done);
      std::byte* converted = parts.place(thread, file.offset_of(target.place, first + done));
      const std::byte* source = bytes + done * size_of(from);
      convert_elements(from, source, to, converted, run);
      if (const int64_t over = find_overflow(from, source, to, converted, run); over >= 0) {
        double value = 0;
        convert_elements(from, source + over * size_of(from), DType::f64, &value, 1);
        throw InvalidInput("{}: tensor {} holds {} at element {}, which {} cannot; try --dtype {}", tensor.file->path(),
                           printable(tensor.stored.name), value, first + done + over, name_of(to),
                           to == DType::f16 ? "bf16" : "f32");
      }
      file.write_at(target.place, first + done, converted, run);
    }
  }

  const ConvertOptions options_;
  const WeightFiles source_;
  AdapterMerge merge_;
  const std::vector<WeightTensor> sources_;
  std::optional<DType> dtype_;
  int64_t read_bytes_ = 0;
  const WeightWriter writer_;
  const int64_t tokenizer_bytes_ = GgufFile::is_gguf(options_.model) ? tokenizer_bytes_of(options_.model) : 0;
};

std::unique_ptr<Conversion> open_hugging_face(const ConvertOptions& options) {
  // One that headroom knows, with weights.
  const std::unique_ptr<Model> model = open_model_directory(options.model, open_settings(options));
  expect_new_directory(options.output);
  note_adapter(options.adapter, *model, options.quiet);
  return std::make_unique<HuggingFaceConversion>(options, *model);
}

}  // namespace

const ConvertFormat kHuggingFaceFormat = {"hf", open_hugging_face};

}  // namespace headroom
