#include "headroom/formats/weights/weight_writer.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>
#include <tuple>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/page.h"
#include "headroom/formats/weights/weight_files.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSingleName = "model.safetensors";
constexpr const char* kIndexName = "model.safetensors.index.json";

// A directory for files in the making, which goes with its scope.
class TemporaryTree {
 public:
  explicit TemporaryTree(std::string path) : path_(std::move(path)) {
    remove_tree(path_);
    create_directories(path_);
  }
  ~TemporaryTree() {
    std::error_code ignored;  // a leftover that cannot be removed harms nobody
    fs::remove_all(path_, ignored);
  }
  TemporaryTree(const TemporaryTree&) = delete;
  TemporaryTree& operator=(const TemporaryTree&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void move_over(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) throw_file_error(to, "put the finished output in place of", errno);
}

// "model-00001-of-00003.safetensors", whatever the numbers.
bool is_shard_name(const std::string& name) {
  constexpr std::string_view kPattern = "model-00000-of-00000.safetensors";
  return std::equal(name.begin(), name.end(), kPattern.begin(), kPattern.end(),
                    [](char c, char p) { return p == '0' ? c >= '0' && c <= '9' : c == p; });
}

}  // namespace

int64_t parse_shard_size(std::string_view flag) {
  const int64_t bytes = parse_bytes(flag, "--shard-size");
  if (bytes < 1) throw InvalidInput("--shard-size {}: expected a size of one byte or more", flag);
  return bytes;
}

WeightWriter::WeightWriter(std::vector<TensorDeclaration> tensors, int64_t shard_bytes) : tensors_(std::move(tensors)) {
  int64_t filled = 0;
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const int64_t bytes = tensors_[i].type.bytes();
    if (shards_.empty() || (filled > 0 && bytes > shard_bytes - filled)) {
      if (shards_.size() == static_cast<size_t>(WeightFiles::kMaxShards)) {
        throw InvalidInput("--shard-size {}: makes more than {} files; expected a larger size", shard_bytes,
                           WeightFiles::kMaxShards);
      }
      shards_.emplace_back();
      filled = 0;
    }
    shards_.back().push_back(i);
    filled += bytes;
    tensor_bytes_ = add_sizes(tensor_bytes_, bytes, "the weights");
  }
  if (shards_.empty()) shards_.emplace_back();
  for (std::vector<size_t>& members : shards_) {
    std::stable_sort(members.begin(), members.end(), [this](size_t a, size_t b) {
      const auto rank = [this](size_t i) {
        const Type type = tensors_[i].type_in_file();
        return std::tuple(type.bytes() % kPageBytes != 0, -size_of(type.dtype));
      };
      return rank(a) < rank(b);
    });
    file_bytes_ = add_sizes(file_bytes_, SafetensorsWriter::file_bytes(declarations_of(members)), "the weights");
  }
}

std::vector<TensorDeclaration> WeightWriter::declarations_of(std::span<const size_t> members) const {
  std::vector<TensorDeclaration> declarations;
  for (const size_t i : members) declarations.push_back(tensors_[i]);
  return declarations;
}

std::string WeightWriter::name_of_shard(size_t shard) const {
  if (shards_.size() == 1) return kSingleName;
  return fmt::format("model-{:05}-of-{:05}.safetensors", shard + 1, shards_.size());
}

void WeightWriter::write(const std::string& directory, const Fill& fill) const {
  const TemporaryTree files(directory + "/weights" + std::string(kTemporarySuffix));
  for (size_t shard = 0; shard < shards_.size(); ++shard) {
    SafetensorsWriter writer(files.path() + "/" + name_of_shard(shard), declarations_of(shards_[shard]));
    fill(writer, shards_[shard]);
    writer.finish();
  }
  if (shards_.size() > 1) write_index(files.path() + "/" + kIndexName);
  publish(files.path(), directory);
}

// Line by line and by name, so that a large index is never held whole.
void WeightWriter::write_index(const std::string& path) const {
  std::vector<std::pair<size_t, size_t>> places;  // tensor, shard
  int64_t elements = 0;
  for (size_t shard = 0; shard < shards_.size(); ++shard) {
    for (const size_t i : shards_[shard]) {
      places.emplace_back(i, shard);
      elements += tensors_[i].type.shape.elements();
    }
  }
  std::sort(places.begin(), places.end(),
            [this](const auto& a, const auto& b) { return tensors_[a.first].name < tensors_[b.first].name; });
  AtomicFile output(path);
  int64_t offset = 0;
  const auto emit = [&](const std::string& text) {
    output.file().write(offset, text.data(), static_cast<int64_t>(text.size()));
    offset += static_cast<int64_t>(text.size());
  };
  emit(fmt::format("{{\n  \"metadata\": {{\n    \"total_parameters\": {},\n    \"total_size\": {}\n  }},\n", elements,
                   tensor_bytes_));
  emit("  \"weight_map\": {");
  const char* separator = "\n";
  for (const auto& [tensor, shard] : places) {
    emit(
        fmt::format("{}    {}: \"{}\"", separator, nlohmann::json(tensors_[tensor].name).dump(), name_of_shard(shard)));
    separator = ",\n";
  }
  emit("\n  }\n}\n");
  output.commit();
}

// A reader takes model.safetensors where it is, and otherwise what the index names. So an old single file is the model
// until the new index is complete, and without an index shards are no model.
void WeightWriter::publish(const std::string& from, const std::string& directory) const {
  const std::string single = directory + "/" + kSingleName;
  const std::string index = directory + "/" + kIndexName;
  std::error_code error;
  if (shards_.size() > 1) {
    remove_tree(index);
    sync_directory(directory);
  }
  std::vector<std::string> names;
  for (size_t shard = 0; shard < shards_.size(); ++shard) {
    names.push_back(name_of_shard(shard));
    move_over(from + "/" + names.back(), directory + "/" + names.back());
  }
  sync_directory(directory);
  if (shards_.size() > 1) {
    move_over(from + "/" + kIndexName, index);
    sync_directory(directory);
    remove_tree(single);
  } else {
    remove_tree(index);
  }
  std::vector<std::string> stale;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (is_shard_name(name) && std::find(names.begin(), names.end(), name) == names.end()) stale.push_back(name);
  }
  for (const std::string& name : stale) remove_tree(directory + "/" + name);
  sync_directory(directory);
}

}  // namespace headroom
