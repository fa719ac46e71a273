#include "headroom/models/weights.h"

#include <algorithm>
#include <array>
#include <bit>
#include <deque>
#include <set>
#include <unordered_set>

#include "headroom/base/errors.h"
#include "headroom/base/fingerprint.h"
#include "headroom/base/grouped_format.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/formats/weights/assembled_tensor.h"
#include "headroom/formats/weights/weight_files.h"
#include "headroom/models/stack.h"

namespace headroom {
namespace {

constexpr int64_t kPrintedElements = 64;

// What holds the tensor exactly, or null.
const BlockFormat* block_format_of(const StoredTensor& tensor) {
  return tensor.format != nullptr ? tensor.format : tensor.exact_format;
}

// `keeps_blocks`: the weight can be in the block format that the tensor is in.
DType format_of(const StoredTensor& tensor, bool keeps_blocks) {
  if (const BlockFormat* format = block_format_of(tensor); format != nullptr && keeps_blocks) return format->dtype();
  switch (tensor.type) {
    case StoredType::bf16: return DType::bf16;
    case StoredType::f16: return DType::f16;
    default: return DType::f32;
  }
}

// Those of one layer are in one format, in which all of them are multiplied at once.
void expect_one_format(const WeightTensor& first, const WeightTensor& tensor) {
  if (tensor.stored.type == first.stored.type && tensor.stored.type_name == first.stored.type_name) return;
  throw InvalidInput("{}: tensor {} is stored as {}; expected {}, as {} beside it; try files in one format for them",
                     tensor.file->path(), printable(tensor.stored.name), tensor.stored.type_name,
                     first.stored.type_name, printable(first.stored.name));
}

// What the files hold the weight in, as far as it can be kept so; nothing where they lack it.
std::optional<DType> format_in_files(const WeightFiles& files, const Parameter& parameter) {
  const std::vector<Slice>& slices = parameter.binding->slices;
  const bool in_stack = is_stack(*parameter.binding, parameter.shape);
  std::optional<WeightTensor> first;
  std::optional<DType> format;
  for (const Slice& slice : slices) {
    const std::optional<WeightTensor> tensor = files.find(slice.tensor);
    if (!tensor) continue;
    bool keeps_blocks = slices.size() == 1 && tensor->stored.shape == parameter.shape;
    if (in_stack && tensor->stored.shape == slice.shape) {
      if (!first) first = tensor;
      expect_one_format(*first, *tensor);
      const BlockFormat* blocks = block_format_of(tensor->stored);
      keeps_blocks = blocks != nullptr && blocks->stack_stride(slice.shape) > 0;
    }
    const DType of_slice = format_of(tensor->stored, keeps_blocks);
    format = !format || *format == of_slice ? of_slice : DType::f32;
  }
  return format;
}

// Whether each tensor of a stack goes to its place by itself, in the order of the files.
bool loads_by_tensors(const StoredValue& value, std::span<const TensorPart> parts) {
  if (value.data == nullptr || value.parts) return false;
  if (is_scalar(value.type.dtype)) return true;
  return std::all_of(parts.begin(), parts.end(), [&](const TensorPart& part) {
    const BlockFormat* format = block_format_of(part.source.stored);
    return format != nullptr && format->dtype() == value.type.dtype &&
           format->stack_stride(part.source.stored.shape) > 0;
  });
}

// Loads values of many tensors some at a time, because what is known of a tensor on its way adds up.
class Loader {
 public:
  Loader(const WeightFiles& files, const LoadProgress& progress) : files_(files), progress_(progress) {}

  // All values come first, so that progress knows how much there is.
  void announce(const PersistentValue& value) {
    for (const Slice& slice : value.binding->slices)
      total_ += files_.require(slice.tensor, slice.shape).stored.size_bytes;
  }

  void load(const Workspace& workspace, const PersistentValue& value) {
    std::vector<TensorPart> parts;
    for (const Slice& slice : value.binding->slices) {
      parts.push_back({files_.require(slice.tensor, slice.shape), slice.from, slice.to});
    }
    if (loads_.size() + parts.size() > kMostTensors) flush();
    const StoredValue stored = workspace.stored(value.name);
    if (is_stack(*value.binding, stored.type.shape) && loads_by_tensors(stored, parts)) {
      const auto count = static_cast<int64_t>(parts.size());
      for (int64_t i = 0; i < count; ++i) loads_.push_back({parts[static_cast<size_t>(i)].source, stored, {i, count}});
      return;
    }
    const bool is_whole = parts.size() == 1 && parts[0].source.stored.shape == stored.type.shape;
    if (!is_whole) assembled_.emplace_back(value.name, stored.type.shape, parts);
    loads_.push_back({is_whole ? parts[0].source : assembled_.back().value(), stored});
  }

  LoadStatistics finish() {
    flush();
    return done_;
  }

 private:
  static constexpr size_t kMostTensors = 4096;

  void flush() {
    const LoadStatistics some = load_values(loads_, NanCheck::refuse, [&](int64_t done, int64_t) {
      if (progress_) progress_(done_.bytes + done, total_);
    });
    done_.bytes += some.bytes;
    done_.seconds += some.seconds;
    loads_.clear();
    assembled_.clear();
  }

  const WeightFiles& files_;
  const LoadProgress& progress_;
  std::vector<ValueLoad> loads_;
  std::deque<AssembledTensor> assembled_;
  LoadStatistics done_;
  int64_t total_ = 0;
};

}  // namespace

void check_weights(const WeightFiles& files, const Model& model) {
  std::unordered_set<std::string> names;
  for (const ModelTensor& tensor : model.tensors()) {
    files.require(tensor.name, tensor.shape);
    names.insert(tensor.name);
  }
  for (const Alias& alias : model.aliases()) names.insert(alias.name);
  for (int64_t i = 0; i < files.count(); ++i) {
    const std::string name(files.name(i));
    if (names.contains(name) || name.ends_with("rotary_emb.inv_freq") || model.passes_over(name)) continue;
    throw InvalidInput("{}: tensor {} is none of the model's; the weights do not belong to {}", files.path(), name,
                       files.config_words());
  }
}

int64_t count_passed_over(const WeightFiles& files, const Model& model) {
  int64_t count = 0;
  for (int64_t i = 0; i < files.count(); ++i) count += model.passes_over(files.name(i)) ? 1 : 0;
  return count;
}

void take_stored_formats(const WeightFiles& files, Model& model) {
  std::unordered_map<std::string, DType> formats;
  for (const Parameter& parameter : model.parameters()) {
    const std::optional<DType> format = format_in_files(files, parameter);
    if (format && *format != model.stored_dtype()) formats.emplace(parameter.name, *format);
  }
  model.set_stored_formats(std::move(formats));
}

std::vector<KeptWeights> kept_weights(const WeightFiles& files, const Model& model) {
  const WeightFormats formats = model.stored_formats();
  std::vector<KeptWeights> all;
  for (const Parameter& parameter : model.parameters()) {
    const std::vector<Slice>& slices = parameter.binding->slices;
    if (slices.size() > 1 && !is_stack(*parameter.binding, parameter.shape)) continue;
    const std::optional<WeightTensor> first = files.find(slices.front().tensor);
    if (!first || first->stored.type != StoredType::encoded) continue;
    const DType kept = formats(parameter.name);
    const std::string_view stored = first->stored.type_name;
    auto place = std::find_if(all.begin(), all.end(),
                              [&](const KeptWeights& one) { return one.stored == stored && one.kept == kept; });
    if (place == all.end()) place = all.insert(all.end(), KeptWeights{std::string(stored), kept});
    place->bytes += Type{kept, parameter.shape}.bytes();
    for (const Slice& slice : slices) {
      ++place->tensors;
      place->file_bytes += files.require(slice.tensor, slice.shape).stored.size_bytes;
    }
  }
  return all;
}

std::string names_of_formats(const Model& model) {
  const WeightFormats formats = model.stored_formats();
  std::set<DType> all;
  for (const Parameter& parameter : model.parameters()) all.insert(formats(parameter.name));
  std::string names;
  for (const DType one : all) names += fmt::format("{}{}", names.empty() ? "" : " and ", name_of(one));
  return names;
}

void take_formats_of_q8(Model& model) {
  const GroupedFormat& format = *find_grouped(8, false, 32);
  std::unordered_map<std::string, DType> formats;
  for (const Parameter& parameter : model.parameters()) {
    const Shape& shape = parameter.shape;
    const bool in_blocks = shape.rank() > 1 && shape[shape.rank() - 1] % format.group() == 0;
    DType held = shape.rank() < 2 ? DType::f32 : in_blocks ? format.dtype() : DType::f16;
    if (shape.rank() == 3 && in_blocks && format.stack_stride({shape[1], shape[2]}) == 0) held = DType::f32;
    if (held != model.stored_dtype()) formats.emplace(parameter.name, held);
  }
  model.set_stored_formats(std::move(formats));
}

uint64_t fingerprint_of_weights(const std::string& path, const Model& model) {
  const WeightFiles files(path);
  Fingerprint print;
  for (const ModelTensor& tensor : model.tensors()) {
    print.add(tensor.name);
    for (const int64_t dim : tensor.shape) print.add(dim);
    std::array<float, kPrintedElements> first = {};
    const int64_t count = std::min(kPrintedElements, tensor.shape.elements());
    files.require(tensor.name, tensor.shape).read(0, count, DType::f32, first.data());
    for (const float element : first) print.add(int64_t{std::bit_cast<int32_t>(element)});
  }
  return print.value();
}

LoadStatistics load_bound(const WeightFiles& files, Source source, const Workspace& workspace,
                          const LoadProgress& progress) {
  Loader loader(files, progress);
  const auto visit = [&](const auto& use) {
    for (const PersistentValue& value : workspace.plan().persistent) {
      if (value.binding == nullptr || value.binding->source != source || value.tier == Tier::model) continue;
      const std::vector<Slice>& slices = value.binding->slices;
      if (std::none_of(slices.begin(), slices.end(), [&](const Slice& one) { return files.find(one.tensor); }))
        continue;
      use(value);
    }
  };
  visit([&](const PersistentValue& value) { loader.announce(value); });
  visit([&](const PersistentValue& value) { loader.load(workspace, value); });
  return loader.finish();
}

LoadStatistics load_weights(const std::string& path, const Model& model, const Workspace& workspace,
                            const LoadProgress& progress, Source source) {
  const WeightFiles files(path);
  check_weights(files, model);
  return load_bound(files, source, workspace, progress);
}

}  // namespace headroom
