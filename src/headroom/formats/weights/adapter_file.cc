#include "headroom/formats/weights/adapter_file.h"

#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/formats/json/json_reader.h"

namespace headroom {
namespace {

constexpr std::string_view kPrefix = "base_model.model.";
constexpr std::string_view kMagnitude = ".lora_magnitude_vector";

// What PEFT puts between the name of a module and that of its tensor.
constexpr std::string_view kWrappers[] = {".modules_to_save", ".base_layer"};

std::string name_in_model(std::string name) {
  if (name.starts_with(kPrefix)) name.erase(0, kPrefix.size());
  for (const std::string_view wrapper : kWrappers) {
    const size_t begin = name.rfind(wrapper);
    if (begin != std::string::npos) name.erase(begin, name.rfind('.') - begin);
  }
  return name;
}

std::string name_in_peft(std::string_view stored) {
  std::string name(stored);
  if (name.find(".lora_") == std::string::npos) return name_in_model(std::move(name));
  const size_t magnitude = name.rfind(kMagnitude);
  if (magnitude != std::string::npos) {
    name.erase(magnitude + kMagnitude.size());
    if (!name.starts_with(kPrefix)) name.insert(0, kPrefix);
  }
  for (const std::string_view factor : {".lora_A.", ".lora_B."}) {
    const size_t begin = name.rfind(factor);
    if (begin == std::string::npos) continue;
    const size_t first = begin + factor.size();  // of "default.weight"
    const size_t last = name.rfind('.');
    if (last > first) name.erase(first, last + 1 - first);
    if (!name.starts_with(kPrefix)) name.insert(0, kPrefix);
  }
  return name;
}

}  // namespace

AdapterFile::AdapterFile(const std::string& path) : file_(path) {
  for (int64_t i = 0; i < file_.count(); ++i) names_.push_back(name_in_peft(file_.tensor(i).name));
  std::vector<std::string_view> sorted(names_.begin(), names_.end());
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) throw InvalidInput("{}: tensor {} is there under two names", path, printable(*twice));
}

StoredTensor AdapterFile::tensor(int64_t index) const {
  StoredTensor stored = file_.tensor(index);
  stored.name = names_.at(static_cast<size_t>(index));
  return stored;
}

int64_t AdapterFile::find(std::string_view name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  return found == names_.end() ? -1 : found - names_.begin();
}

}  // namespace headroom
