#include "headroom/train/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "headroom/base/atomic_file.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/json/json_object.h"
#include "headroom/formats/weights/safetensors.h"
#include "headroom/formats/weights/safetensors_writer.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "checkpoint-";
constexpr const char* kWeightsFile = "/model.safetensors";
constexpr const char* kOptimizerFile = "/optimizer.safetensors";
constexpr const char* kStateFile = "/state.json";
constexpr int64_t kFormat = 1;
constexpr int64_t kSmallFilesBytes = 64 * kKiB;  // state.json, directories and the file system's own blocks

std::vector<TensorDeclaration> declarations(std::span<const StoredValue> tensors) {
  std::vector<TensorDeclaration> result;
  for (const StoredValue& tensor : tensors) result.push_back({tensor.name, tensor.type});
  return result;
}

void write_tensors(const std::string& path, std::span<const StoredValue> tensors) {
  SafetensorsWriter writer(path, declarations(tensors));
  for (const StoredValue& tensor : tensors) {
    tensor.for_each_piece([&](int64_t, const std::byte* data, int64_t elements) {
      writer.write(tensor.name, tensor.type.dtype, data, elements);
    });
  }
  writer.finish();
}

// Where the tensors of `file` go, which must be exactly `tensors`.
void add_loads(std::vector<ValueLoad>& loads, const SafetensorsFile& file, std::span<const StoredValue> tensors) {
  for (const StoredValue& tensor : tensors) {
    const int64_t index = file.find(tensor.name);
    if (index < 0) {
      throw InvalidInput("{}: tensor {} is missing; the checkpoint is of another model", file.path(), tensor.name);
    }
    const StoredTensor stored = file.tensor(index);
    if (stored.type != stored_type_of(tensor.type.dtype) || stored.shape != tensor.type.shape) {
      throw InvalidInput("{}: tensor {} is {} {} (expected {}); the checkpoint is of another model", file.path(),
                         tensor.name, name_of(stored.type), to_string(stored.shape), to_string(tensor.type));
    }
    loads.push_back({{&file, stored}, tensor});
  }
  if (file.count() != static_cast<int64_t>(tensors.size())) {
    throw InvalidInput("{}: has {} tensors, expected {}; the checkpoint is of another model", file.path(), file.count(),
                       tensors.size());
  }
}

const std::string* find_setting(const RunSettings& settings, const std::string& name) {
  const auto found =
      std::find_if(settings.begin(), settings.end(), [&](const auto& setting) { return setting.first == name; });
  return found == settings.end() ? nullptr : &found->second;
}

void check_setting(const std::string& path, const RunSettings& saved, const RunSettings& wanted,
                   const std::string& name) {
  const std::string* was = find_setting(saved, name);
  const std::string* is = find_setting(wanted, name);
  if (was != nullptr && is != nullptr && *was == *is) return;
  throw InvalidInput("{}: this run was trained with {} {}, got {}; what changes the numbers cannot change on --resume",
                     path, name, was != nullptr ? *was : "absent", is != nullptr ? *is : "absent");
}

// The step of "checkpoint-STEP", spelled as path_of() does, -1 for any other name.
int64_t step_of(const std::string& name) {
  if (!name.starts_with(kPrefix)) return -1;
  const std::string_view digits = std::string_view(name).substr(kPrefix.size());
  int64_t step = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  const bool is_whole = error == std::errc() && end == digits.data() + digits.size();
  return is_whole && step >= 0 && std::to_string(step) == digits ? step : -1;
}

}  // namespace

void check_settings(const std::string& path, const RunSettings& saved, const RunSettings& wanted) {
  check_those_settings(path, saved, wanted);
  for (const auto& [name, value] : saved) check_setting(path, saved, wanted, name);
}

void check_those_settings(const std::string& path, const RunSettings& saved, const RunSettings& wanted) {
  for (const auto& [name, value] : wanted) check_setting(path, saved, wanted, name);
}

std::string Checkpoints::path_of(int64_t step) const { return fmt::format("{}/{}{}", directory_, kPrefix, step); }

bool Checkpoints::is_complete(int64_t step) const {
  try {
    (void)read_state(step);
    (void)SafetensorsFile(path_of(step) + kWeightsFile);
    (void)SafetensorsFile(path_of(step) + kOptimizerFile);
    return true;
  } catch (const InvalidInput&) {
    return false;
  }
}

std::vector<int64_t> Checkpoints::list() const {
  std::vector<int64_t> steps;
  std::error_code error;
  for (fs::directory_iterator entry(directory_, error), end; !error && entry != end; entry.increment(error)) {
    const int64_t step = step_of(entry->path().filename().string());
    if (step >= 0 && is_complete(step)) steps.push_back(step);
  }
  if (error) throw_file_error(directory_, "list", error.value());
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::optional<int64_t> Checkpoints::newest() const {
  const std::vector<int64_t> steps = list();
  if (steps.empty()) return std::nullopt;
  return steps.back();
}

int64_t Checkpoints::bytes_of(const StateTensors& tensors) {
  const int64_t weights = SafetensorsWriter::file_bytes(declarations(tensors.weights));
  const int64_t optimizer = SafetensorsWriter::file_bytes(declarations(tensors.optimizer));
  return add_sizes(add_sizes(weights, optimizer, "a checkpoint"), kSmallFilesBytes, "a checkpoint");
}

void Checkpoints::require_space(const StateTensors& tensors, int64_t keep, int64_t other_bytes) const {
  const int64_t missing = std::max(keep + 1 - static_cast<int64_t>(list().size()), int64_t{1});
  const int64_t needed = multiply_sizes(bytes_of(tensors), missing, "checkpoints");
  require_disk_space(directory_, add_sizes(needed, other_bytes, "checkpoints"), "training with its checkpoints");
}

void Checkpoints::save(const CheckpointState& state, const StateTensors& tensors, int64_t keep) const {
  ensure(keep >= 1, "keeping {} checkpoints", keep);
  if (!is_complete(state.step)) {
    drop(state.step);
    require_disk_space(directory_, bytes_of(tensors), "a checkpoint");
    AtomicDirectory output(path_of(state.step));
    write_tensors(output.temporary_path() + kWeightsFile, tensors.weights);
    write_tensors(output.temporary_path() + kOptimizerFile, tensors.optimizer);
    const auto object_of = [](const RunSettings& entries) {
      nlohmann::ordered_json object = nlohmann::ordered_json::object();
      for (const auto& [name, value] : entries) object[name] = value;
      return object;
    };
    write_json(output.temporary_path() + kStateFile, {{"format", kFormat},
                                                      {"headroom", HEADROOM_VERSION},
                                                      {"step", state.step},
                                                      {"settings", object_of(state.settings)},
                                                      {"carried", object_of(state.carried)},
                                                      {"course", object_of(state.course)}});
    output.commit();
  }
  std::vector<int64_t> steps = list();
  while (static_cast<int64_t>(steps.size()) > keep) {
    drop(steps.front());
    steps.erase(steps.begin());
  }
}

void Checkpoints::send_parts(const StateTensors& tensors) {
  for (const auto& group : {tensors.weights, tensors.optimizer}) {
    for (const StoredValue& tensor : group) {
      if (tensor.parts) tensor.for_each_piece(nullptr);
    }
  }
}

// Renamed first, so that a kill in the middle leaves a leftover and not half a checkpoint.
void Checkpoints::drop(int64_t step) const {
  const std::string path = path_of(step);
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error))) return;
  const std::string leftover = path + std::string(kTemporarySuffix);
  remove_tree(leftover);
  if (std::rename(path.c_str(), leftover.c_str()) != 0) throw_file_error(path, "remove", errno);
  remove_tree(leftover);
}

CheckpointState Checkpoints::read_state(int64_t step) const {
  const JsonObject json = JsonObject::read(path_of(step) + kStateFile);
  if (json.integer("format", 1, INT64_MAX) != kFormat) {
    throw InvalidInput("{}: is of format {}, expected {}; it was written by another version of headroom", path_of(step),
                       json.show("format"), kFormat);
  }
  CheckpointState state;
  state.step = json.integer("step", step, step);
  const auto entries_of = [&](const char* key) {
    RunSettings entries;
    const JsonObject object = json.object(key);
    for (const std::string& name : object.keys()) entries.emplace_back(name, object.text(name));
    return entries;
  };
  state.settings = entries_of("settings");
  if (json.has("carried")) state.carried = entries_of("carried");
  if (json.has("course")) state.course = entries_of("course");
  return state;
}

LoadStatistics Checkpoints::load(int64_t step, const StateTensors& tensors, const LoadProgress& progress) const {
  const SafetensorsFile weights(path_of(step) + kWeightsFile);
  const SafetensorsFile optimizer(path_of(step) + kOptimizerFile);
  std::vector<ValueLoad> loads;
  add_loads(loads, weights, tensors.weights);
  add_loads(loads, optimizer, tensors.optimizer);
  return load_values(loads, NanCheck::allow, progress);
}

}  // namespace headroom
