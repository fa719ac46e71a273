#include <cstdlib>

#include "commands.h"

namespace headroom {

void add_convert_command(CLI::App& app) {
  auto options = std::make_shared<ConvertOptions>();
  CLI::App* command = app.add_subcommand("convert", "Write a model's weights in another format, dtype or file size");
  command->footer(
      "Examples:\n"
      "  headroom convert model --output half --dtype bf16\n"
      "  headroom convert model --output shards --shard-size 5GB\n"
      "  headroom convert model --format gguf --dtype q8_0 --output model.gguf\n"
      "Weights go through as a stream: a model of any size takes a few tens of MiB.");
  command->add_option("model", options->model, "Model directory, or a .gguf file")->required();
  command
      ->add_option("--output", options->output, "Directory for the converted model, new or empty; with gguf a new file")
      ->required();
  command
      ->add_option("--format", options->format,
                   "hf: a Hugging Face directory; gguf: one file for llama.cpp; gptq, awq: a directory whose layers "
                   "keep the codes "
                   "of `headroom quantize`, packed as those programs do")
      ->check(CLI::IsMember({"hf", "gguf", "gptq", "awq"}));
  command->add_option("--dtype", options->dtype,
                      "f32, bf16 or f16, with gguf also q8_0; default: each tensor keeps its own");
  command->add_option("--adapter", options->adapter, "Merge this PEFT adapter (LoRA) into the weights");
  command->add_option("--shard-size", options->shard_size, "Cut the weights into files of at most this size: 5GB");
  add_memory_and_report_flags(*command, *options);
  command->callback([options] {
    const ConvertResult result = convert(*options);
    if (result.stopped_by_signal != 0) throw Interrupted{result.stopped_by_signal};
  });
}

}  // namespace headroom
