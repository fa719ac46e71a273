#include "headroom/verbs/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "commands.h"
#include "headroom/base/bytes.h"
#include "headroom/base/console.h"

namespace headroom {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kWidest = 96;  // columns of a value; a longer object takes a line for each member

struct InspectOptions {
  std::string path;
  bool json = false;
  bool all_tensors = false;
  bool ignore_unknown_fields = false;
};

bool is_bytes(std::string_view key) { return key == "bytes" || key == "bytes_by_dtype"; }

std::string words_of(std::string_view key, const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) {
    return is_bytes(key) ? format_bytes(value.get<int64_t>()) : format_count(value.get<int64_t>());
  }
  if (value.is_object() && value.contains("piece")) {
    return fmt::format("{} {}", value["id"].get<int64_t>(), value["piece"].dump());
  }
  if (!value.is_structured()) return value.dump();
  std::string all;
  for (const auto& [name, part] : value.items()) {
    const std::string label = value.is_object() ? name + " " : "";
    all += fmt::format("{}{}{}", all.empty() ? "" : ", ", label, words_of(key, part));
  }
  return all;
}

// Tensors that differ in nothing but the numbers in their names, in the order of the first of each.
struct TensorGroup {
  std::string name;  // "model.layers.*.mlp.up_proj.weight"
  Json first;
  int64_t count = 0;
  int64_t bytes = 0;
};

std::string without_numbers(const std::string& name) {
  std::string pattern;
  for (const char c : name) {
    const bool digit = c >= '0' && c <= '9';
    const bool after_dot = !pattern.empty() && (pattern.back() == '.' || pattern.back() == '*');
    if (digit && after_dot) {
      if (pattern.back() != '*') pattern += '*';
    } else {
      pattern += c;
    }
  }
  return pattern;
}

std::vector<TensorGroup> group(const Json& tensors, bool all) {
  std::vector<TensorGroup> groups;
  std::map<std::string, size_t> places;
  for (const Json& tensor : tensors) {
    const std::string name = tensor["name"].get<std::string>();
    const std::string label = all ? name : without_numbers(name);
    const std::string key = label + tensor["dtype"].dump() + tensor["shape"].dump();
    const auto [place, is_new] = places.try_emplace(key, groups.size());
    if (is_new) groups.push_back({label, tensor, 0, 0});
    TensorGroup& same = groups[place->second];
    if (++same.count == 1) same.name = label;
    same.bytes += tensor["bytes"].get<int64_t>();
  }
  for (TensorGroup& same : groups) {
    if (same.count == 1) same.name = same.first["name"].get<std::string>();
  }
  return groups;
}

void print_tensors(const Json& tensors, bool all) {
  const std::vector<TensorGroup> groups = group(tensors, all);
  size_t width = 5;
  for (const TensorGroup& same : groups) width = std::max(width, same.first["dtype"].get<std::string>().size());
  for (const TensorGroup& same : groups) {
    const std::string times = same.count == 1 ? "" : fmt::format("{} x", same.count);
    print_result("  {:<52} {:>6} {:<{}} {:<16} {:>12}\n", same.name, times, same.first["dtype"].get<std::string>(),
                 width, same.first["shape"].dump(), format_bytes(same.bytes));
  }
}

void print_section(const std::string& title, const Json& section, bool all_tensors) {
  print_result("{}\n", title);
  for (const auto& [key, value] : section.items()) {
    if (key == "tensors" || (value.is_structured() && value.empty())) continue;
    const std::string words = words_of(key, value);
    if (words.size() <= kWidest || !value.is_object()) {
      print_result("  {:<20} {}\n", key, words);
      continue;
    }
    print_result("  {}\n", key);
    for (const auto& [name, part] : value.items()) print_result("    {:<18} {}\n", name, words_of(name, part));
  }
  if (section.contains("tensors")) print_tensors(section["tensors"], all_tensors);
}

}  // namespace

void add_inspect_command(CLI::App& app) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command =
      app.add_subcommand("inspect", "Say what is in a model, a checkpoint, a tokenizer or a weights file");
  command->footer(
      "Examples:\n"
      "  headroom inspect model\n"
      "  headroom inspect trained/checkpoint-500 --json");
  command
      ->add_option("path", options->path,
                   "A directory, a config.json, a tokenizer.json, a .safetensors or a .gguf file")
      ->required();
  command->add_flag("--json", options->json, "As JSON on standard output, every tensor by itself");
  command->add_flag("--all-tensors", options->all_tensors, "Print every tensor, not one line for those of all layers");
  add_unknown_fields_flag(*command, options->ignore_unknown_fields);
  command->callback([options] {
    const Json json = inspect(options->path, options->ignore_unknown_fields);
    if (options->json) {
      print_result("{}\n", json.dump(2));
      return;
    }
    for (const auto& [title, section] : json.items()) print_section(title, section, options->all_tensors);
  });
}

}  // namespace headroom
