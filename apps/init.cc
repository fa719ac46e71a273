#include <fmt/core.h>

#include "commands.h"
#include "headroom/models/presets.h"

namespace headroom {
namespace {

std::string preset_list() {
  std::string text = "Presets:\n";
  for (const Preset& preset : presets()) text += fmt::format("  {:<30} {}\n", preset.name, preset.about);
  return text;
}

}  // namespace

void add_init_command(CLI::App& app) {
  auto options = std::make_shared<InitOptions>();
  CLI::App* command =
      app.add_subcommand("init", "Write a new model with random weights, and a tokenizer trained on text");
  command->footer(preset_list() + "Example: headroom init tiny-4m --output model --tokenizer-data books/*.txt");
  command->add_option("model", options->model, "A preset's name, a config.json or a model directory")->required();
  command->add_option("--output", options->output, "Directory for the new model")->required();
  command->add_option("--seed", options->seed, "Seed of the weights");
  command->add_option("--dtype", options->dtype, "f32, bf16 or f16; default: the config's");
  command->add_option("--shard-size", options->shard_size, "Cut the weights into files of at most this size: 5GB");
  command->add_option("--tokenizer-data", options->tokenizer_data, "Text files to train a byte-level BPE tokenizer on")
      ->group("Tokenizer");
  command->add_option("--vocabulary", options->vocabulary, "Its entries; 0: the preset's. The model gets as many")
      ->group("Tokenizer");
  add_unknown_fields_flag(*command, options->ignore_unknown_fields);
  command->add_flag("--quiet", options->quiet, "Nothing on standard error but errors");
  command->callback([options] { init_model(*options); });
}

}  // namespace headroom
