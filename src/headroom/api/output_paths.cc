#include "headroom/api/output_paths.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "headroom/base/errors.h"
#include "headroom/techniques/flag.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;

// Of a model's or an adapter's directory, or a checkpoint's.
bool is_read(const std::string& name) {
  constexpr std::array<std::string_view, 12> kNames = {"config.json",
                                                       "generation_config.json",
                                                       "tokenizer.json",
                                                       "tokenizer_config.json",
                                                       "special_tokens_map.json",
                                                       "vocab.json",
                                                       "added_tokens.json",
                                                       "merges.txt",
                                                       "tokenizer.model",
                                                       "chat_template.json",
                                                       "adapter_config.json",
                                                       "state.json"};
  constexpr std::array<std::string_view, 5> kEndings = {".safetensors", ".gguf", ".bin", ".index.json", ".jinja"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end() ||
         std::any_of(kEndings.begin(), kEndings.end(), [&](std::string_view end) { return name.ends_with(end); });
}

// Which file a path names: what the kernel says of one that is there, and otherwise where it would lie.
struct Identity {
  explicit Identity(const fs::path& path) {
    struct stat status = {};
    exists = ::stat(path.c_str(), &status) == 0;
    is_directory = exists && S_ISDIR(status.st_mode);
    device = status.st_dev;
    number = status.st_ino;
  }
  bool operator==(const Identity& other) const {
    return exists && other.exists && device == other.device && number == other.number;
  }
  bool exists = false;
  bool is_directory = false;
  dev_t device = 0;
  ino_t number = 0;
};

class Outputs {
 public:
  explicit Outputs(const std::vector<OutputPath>& outputs) {
    for (const OutputPath& output : outputs) {
      if (output.path.empty()) continue;
      std::error_code error;  // a path that cannot be is refused elsewhere
      outputs_.push_back({&output, Identity(output.path), fs::weakly_canonical(fs::absolute(output.path), error)});
    }
  }

  void check_each_other() const {
    for (size_t i = 0; i < outputs_.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (!(outputs_[i].file == outputs_[j].file) && outputs_[i].place != outputs_[j].place) continue;
        throw InvalidInput("{} {}: is what {} writes; expected another file", outputs_[i].path->name,
                           outputs_[i].path->path, outputs_[j].path->name);
      }
    }
  }

  void check(const InputPath& input) const {
    const fs::path path(input.path);
    const Identity file(path);
    check(input, path, file);
    // Beside a file of weights that are cut into several lie the others.
    if (!file.is_directory && path.extension() != ".gguf") return;
    const fs::path directory = file.is_directory ? path : path.has_parent_path() ? path.parent_path() : ".";
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
      const fs::path& one = entry->path();
      const bool counts = file.is_directory ? is_read(one.filename().string()) : one.extension() == path.extension();
      if (counts) check(input, one, Identity(one));
    }
  }

 private:
  struct Output {
    const OutputPath* path;
    Identity file;
    fs::path place;
  };

  void check(const InputPath& input, const fs::path& path, const Identity& file) const {
    for (const Output& output : outputs_) {
      if (output.file.is_directory || !(output.file == file)) continue;  // a directory is refused as one
      throw InvalidInput("{} {}: would overwrite {}, which {} reads; expected another file", output.path->name,
                         output.path->path, path.string(), input.name);
    }
  }

  std::vector<Output> outputs_;
};

}  // namespace

void check_output_paths(const std::vector<OutputPath>& outputs, const std::vector<InputPath>& inputs) {
  const Outputs all(outputs);
  all.check_each_other();
  for (const InputPath& input : inputs) {
    if (!input.path.empty()) all.check(input);
  }
}

std::vector<OutputPath> outputs_of(const RunOptions& options, std::vector<OutputPath> others) {
  others.push_back({"--report", options.report});
  others.push_back({"--html", options.html});
  return others;
}

void check_training_paths(const TrainOptions& options) {
  const std::string adapter = FlagValues(options.techniques).text("--adapter");
  std::vector<InputPath> inputs = {{"MODEL", options.model}, {"--tokens", options.tokens}, {"--adapter", adapter}};
  for (const std::string& path : options.data) inputs.push_back({"--data", path});
  for (const std::string& path : options.eval_data) inputs.push_back({"--eval-data", path});
  std::vector<OutputPath> outputs;
  std::vector<std::string> checkpoints;
  if (!options.output.empty()) {
    const fs::path output = options.output;
    for (const char* name : {"metrics.jsonl", "train.tokens", "eval.tokens", "config.json", "model.safetensors",
                             "tokenizer.json", "adapter_config.json"}) {
      outputs.push_back({"--output " + options.output, (output / name).string()});
    }
    std::error_code error;  // of an output that is not there yet
    for (fs::directory_iterator entry(output, error), end; options.resume && !error && entry != end;
         entry.increment(error)) {
      if (entry->path().filename().string().starts_with("checkpoint-")) checkpoints.push_back(entry->path().string());
    }
  }
  for (const std::string& path : checkpoints) inputs.push_back({"--resume", path});
  if (!options.profile.empty()) {
    const fs::path profile = options.profile;
    for (const char* name : {"ops.json", "nodes.csv", "memory.html", "trace.json"}) {
      outputs.push_back({"--profile " + options.profile, (profile / name).string()});
    }
  }
  check_output_paths(outputs_of(options, std::move(outputs)), inputs);
}

}  // namespace headroom
