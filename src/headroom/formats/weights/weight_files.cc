#include "headroom/formats/weights/weight_files.h"

#include <algorithm>
#include <filesystem>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/gguf/gguf_names.h"
#include "headroom/formats/gguf/gguf_parts.h"
#include "headroom/formats/gguf/gguf_weights.h"
#include "headroom/formats/json/json_reader.h"
#include "headroom/formats/weights/foreign_weights.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;

// Calls visit(tensor, shard) for each pair of the index's weight_map.
template <class Visit>
void read_weight_map(const File& index, Visit&& visit) {
  JsonReader json(index, 0, index.size_bytes(), index.path());
  bool found = false;
  std::string key, tensor;
  for (json.begin_object(); json.next_key(key);) {
    if (key != "weight_map") {
      json.skip();
      continue;
    }
    if (found) json.fail("weight_map occurs twice");
    found = true;
    for (json.begin_object(); json.next_key(tensor);) visit(json, tensor, json.text(255));
  }
  json.finish();
  if (!found) throw InvalidInput("{}: has no weight_map; expected the index of a sharded model", index.path());
}

// A name inside the model's directory, not a way out of it.
bool is_plain_name(const std::string& name) {
  return name.ends_with(".safetensors") && name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
}

// Weights in other forms, the first that is there.
[[noreturn]] void refuse_without_weights(const std::string& directory) {
  constexpr const char* kPickles[] = {"pytorch_model.bin.index.json", "pytorch_model.bin"};
  constexpr const char* kPickleEndings[] = {".bin", ".pth", ".pt", ".ckpt"};
  std::string pickle;
  std::error_code error;
  for (const char* name : kPickles) {
    if (pickle.empty() && fs::exists(fs::path(directory) / name, error)) pickle = name;
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    const bool is_pickle = std::any_of(std::begin(kPickleEndings), std::end(kPickleEndings),
                                       [&](const char* ending) { return name.ends_with(ending); });
    if (is_pickle && name != "training_args.bin" && (pickle.empty() || name < pickle) &&
        !pickle.starts_with("pytorch_")) {
      pickle = name;
    }
  }
  if (!pickle.empty()) {
    throw InvalidInput(
        "{}: its weights are in {}, a pickle of PyTorch, which can run any program and is not read; expected "
        "model.safetensors; try, where transformers and torch are installed: python -c \"from transformers import "
        "AutoModelForCausalLM as M; M.from_pretrained('{}', torch_dtype='auto').save_pretrained('{}')\"",
        directory, pickle, directory, directory);
  }
  if (const std::string gguf = gguf_file_in(directory); !gguf.empty()) {
    throw InvalidInput("{}: has no model.safetensors, but a GGUF file; try that itself as the model: {}", directory,
                       gguf);
  }
  throw InvalidInput("{}: has no weights; expected model.safetensors or model.safetensors.index.json in it", directory);
}

}  // namespace

bool is_before(const WeightTensor& a, const WeightTensor& b) {
  if (a.file != b.file) return a.file->path() < b.file->path();
  return std::pair(a.stored.part, a.stored.offset_bytes) < std::pair(b.stored.part, b.stored.offset_bytes);
}

WeightFiles::WeightFiles(const std::string& path) : path_(path) {
  std::error_code error;
  std::string single = path;
  std::optional<QuantizationConfig> quantization;
  if (fs::is_directory(path, error)) {
    single = path + "/model.safetensors";
    quantization = quantization_of_model(path);
    const std::string index = path + "/model.safetensors.index.json";
    if (!fs::exists(single, error)) {
      if (!fs::exists(index, error)) refuse_without_weights(path);
      open_sharded(path, index);
      if (quantization) assemble_foreign_weights(*quantization);
      return;
    }
  }
  std::unique_ptr<TensorFile> file;
  is_gguf_ = GgufFile::is_gguf(single);
  if (is_gguf_) {
    file = std::make_unique<GgufWeights>(single);
  } else {
    file = std::make_unique<SafetensorsFile>(single);
  }
  take_file(std::move(file));
  if (quantization) assemble_foreign_weights(*quantization);
}

WeightFiles::WeightFiles(std::unique_ptr<TensorFile> file) : path_(file->path()) { take_file(std::move(file)); }

void WeightFiles::take_file(std::unique_ptr<TensorFile> file) {
  shards_.push_back({fs::path(file->path()).filename().string(), std::move(file)});
  for (int64_t index = 0; index < shards_[0].file->count(); ++index)
    places_.push_back({0, static_cast<uint32_t>(index)});
  sort_places();
}

void WeightFiles::open_sharded(const std::string& directory, const std::string& index_path) {
  const File index = File::open(index_path);
  if (index.size_bytes() > kMaxIndexBytes) {
    throw InvalidInput("{}: has {} bytes; expected at most {}", index_path, format_count(index.size_bytes()),
                       format_count(kMaxIndexBytes));
  }
  collect_shards(index, directory);
  check_listing(index);
  sort_places();
}

std::vector<WeightFiles::Shard>::iterator WeightFiles::lower_bound(const std::string& name) {
  return std::lower_bound(shards_.begin(), shards_.end(), name,
                          [](const Shard& shard, const std::string& wanted) { return shard.name < wanted; });
}

void WeightFiles::collect_shards(const File& index, const std::string& directory) {
  read_weight_map(index, [&](const JsonReader& json, const std::string&, const std::string& name) {
    const auto place = lower_bound(name);
    if (place != shards_.end() && place->name == name) return;
    if (!is_plain_name(name)) {
      json.fail(
          fmt::format("{} is no shard; expected the name of a .safetensors file beside the index", printable(name)));
    }
    if (static_cast<int64_t>(shards_.size()) == kMaxShards) json.fail(fmt::format("more than {} shards", kMaxShards));
    shards_.insert(place, Shard{name, nullptr});
  });
  int64_t header_bytes = 0;
  for (Shard& shard : shards_) {
    auto file = std::make_unique<SafetensorsFile>(directory + "/" + shard.name);
    header_bytes += file->header_bytes();
    shard.file = std::move(file);
    if (header_bytes > kMaxHeaderBytes) {
      throw InvalidInput("{}: the headers of its shards have more than {} bytes together", index.path(),
                         format_count(kMaxHeaderBytes));
    }
  }
}

void WeightFiles::check_listing(const File& index) {
  read_weight_map(index, [&](const JsonReader& json, const std::string& tensor, const std::string& name) {
    const auto shard = lower_bound(name);
    const int64_t place = shard->file->find(tensor);
    if (place < 0) json.fail(fmt::format("tensor {} is not in {}", printable(tensor), printable(name)));
    places_.push_back({static_cast<uint32_t>(shard - shards_.begin()), static_cast<uint32_t>(place)});
  });
}

void WeightFiles::sort_places() {
  std::sort(places_.begin(), places_.end(), [this](Place a, Place b) { return name_at(a) < name_at(b); });
  const auto twice =
      std::adjacent_find(places_.begin(), places_.end(), [this](Place a, Place b) { return name_at(a) == name_at(b); });
  if (twice == places_.end()) return;
  throw InvalidInput("{}: tensor {} is listed twice in the index", path_, printable(name_at(*twice)));
}

// Weights take the places of their tensors.
void WeightFiles::assemble_foreign_weights(const QuantizationConfig& config) {
  if (count() == 0) return;
  ForeignWeights found = find_foreign_weights(*this, config);
  std::erase_if(places_, [&](Place place) { return found.parts.contains(name_at(place)); });
  const auto shard = static_cast<uint32_t>(shards_.size());
  coded_ = found.weights->count();
  for (int64_t index = 0; index < found.weights->count(); ++index) {
    places_.push_back({shard, static_cast<uint32_t>(index)});
  }
  shards_.push_back({"", std::move(found.weights)});
  sort_places();
}

WeightTensor WeightFiles::at(Place place) const {
  const TensorFile* file = shards_[place.shard].file.get();
  return {file, file->tensor(place.tensor)};
}

std::optional<WeightTensor> WeightFiles::find(std::string_view name) const {
  const auto place = std::lower_bound(places_.begin(), places_.end(), name,
                                      [this](Place a, std::string_view wanted) { return name_at(a) < wanted; });
  if (place == places_.end() || name_at(*place) != name) return std::nullopt;
  return at(*place);
}

WeightTensor WeightFiles::require(std::string_view name, const Shape& shape) const {
  const std::optional<WeightTensor> tensor = find(name);
  const std::string in_file = is_gguf_ ? gguf_name(name).value_or(std::string(name)) : std::string(name);
  if (!tensor) {
    throw InvalidInput("{}: tensor {} is missing; the weights do not belong to {}", path_, in_file, config_words());
  }
  if (tensor->stored.shape != shape) {
    throw InvalidInput("{}: tensor {} has shape {} (expected {}); it does not belong to {}", tensor->file->path(),
                       in_file, to_string(tensor->stored.shape), to_string(shape), config_words());
  }
  return *tensor;
}

}  // namespace headroom
