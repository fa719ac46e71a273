#include <fmt/format.h>

#include <csignal>
#include <cstdlib>

#include "commands.h"
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

CLI::Option* add_valued(CLI::App& command, std::string& value, const Flag& flag) {
  const std::string name(flag.name);
  const std::string help(flag.help);
  switch (flag.kind) {
    case FlagKind::on_off:
      return command.add_flag_callback(
          name, [&] { value = "on"; }, help);
    case FlagKind::integer:
      return command.add_option_function<int64_t>(
          name, [&](int64_t given) { value = fmt::format("{}", given); }, help);
    case FlagKind::number:
      return command.add_option_function<double>(
          name, [&](double given) { value = fmt::format("{}", given); }, help);
    case FlagKind::text: break;
  }
  return command.add_option(name, value, help);
}

void add_flag(CLI::App& command, std::map<std::string, std::string>& values, const Flag& flag) {
  std::string& value = values.emplace(flag.name, flag.standard).first->second;
  CLI::Option* option = add_valued(command, value, flag);
  option->group(std::string(flag.group));
  if (flag.kind == FlagKind::on_off) return;
  option->default_str(std::string(flag.standard));
  if (!flag.choices.empty())
    option->check(CLI::IsMember(std::vector<std::string>(flag.choices.begin(), flag.choices.end())));
}

// The flags of that group of all techniques: what is given goes into options.techniques.
void add_technique_flags(CLI::App& command, TrainOptions& options, std::string_view group) {
  for (const Technique* technique : techniques()) {
    for (const Flag& flag : technique->flags()) {
      if (flag.group == group) add_flag(command, options.techniques, flag);
    }
  }
}

}  // namespace

std::vector<std::string> unset_flags(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() == 0) names.push_back(option->get_name());
  }
  return names;
}

void add_train_flags(CLI::App& command, TrainOptions& options) {
  command
      .add_option(
          "--data", options.data,
          "Text, or records as JSON lines, a JSON list or CSV: `text`, `prompt` and `completion`, `messages` and "
          "others (docs/data.md); of a classifier `text` and `label`; also packed with gzip")
      ->group("Data");
  command
      .add_option("--labels", options.labels,
                  "Make a classifier of a language model: how many labels, or their names with commas")
      ->group("Data");
  command
      .add_flag("--isolate-documents", options.isolate_documents,
                "Texts that share a row do not see each other; examples never do")
      ->group("Data");
  command
      .add_option("--tokens", options.tokens,
                  "Train on exactly these batches: {\"batches\": [[[ids of a row], ...], ...]}")
      ->group("Data");
  command.add_option("--eval-data", options.eval_data, "Held-out text to measure the loss on")->group("Data");
  command.add_option("--eval-every", options.eval_every, "Measure it every N steps; 0: at the end")->group("Data");
  command.add_option("--steps", options.steps, "Updates; 0: one pass over the data");
  command
      .add_option("--save-every", options.save_every,
                  "Write a checkpoint every so many steps (500) or so often (90s, 30m, 2h); 0: only at the end")
      ->group("Checkpoints");
  command
      .add_option("--shard-size", options.shard_size, "Cut the trained model's weights into files of this size: 5GB")
      ->group("Checkpoints");
  command.add_option("--keep-checkpoints", options.keep_checkpoints, "Keep the newest N; 0: all")->group("Checkpoints");
  command
      .add_flag("--resume", options.resume,
                "Continue from the newest complete checkpoint in --output, with its flags where none are given")
      ->group("Checkpoints");
  command
      .add_option("--seq-len", options.seq_len, "Tokens of a row; it has one prediction fewer. --tokens brings its own")
      ->group("Batch");
  command.add_option("--batch-size", options.batch_size, "Rows of an update. --tokens brings its own")->group("Batch");
  add_technique_flags(command, options, "Batch");
  add_technique_flags(command, options, "Optimizer");
  command.add_option("--lr", options.lr, "Learning rate")->group("Optimizer");
  command.add_option("--lr-schedule", options.lr_schedule, "cosine or linear (to a tenth of --lr), or constant")
      ->check(CLI::IsMember({"cosine", "linear", "constant"}))
      ->group("Optimizer");
  command.add_option("--warmup-steps", options.warmup_steps, "Steps in which the learning rate rises")
      ->group("Optimizer");
  command.add_option("--weight-decay", options.weight_decay, "AdamW's decay of tensors of two or more dimensions")
      ->group("Optimizer");
  command.add_option("--beta1", options.beta1, "AdamW's decay of the first moment")->group("Optimizer");
  command.add_option("--beta2", options.beta2, "AdamW's decay of the second moment")->group("Optimizer");
  command.add_option("--eps", options.eps, "AdamW's epsilon")->group("Optimizer");
  command
      .add_option("--grad-clip", options.grad_clip,
                  "Largest norm of the gradient; 0: no clipping, and gradients die at once")
      ->group("Optimizer");
  for (const std::string_view group : {"Memory", "Ranks", "Lossy", "Output", "Adapter (LoRA)"}) {
    add_technique_flags(command, options, group);
  }
  command
      .add_option("--timeout", options.timeout_seconds,
                  "Give up a rank that is silent for so many seconds, and end the job")
      ->group("Ranks");
  command
      .add_option(
          "--profile", options.profile,
          "Measure what each op takes, time and memory: tables, ops.json, nodes.csv, memory.html and trace.json "
          "(for ui.perfetto.dev) in this directory")
      ->group("Output");
}

void add_train_command(CLI::App& app) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* command = app.add_subcommand("train", "Pretrain or fine-tune a model inside a memory budget");
  command->footer(
      "Example: headroom train model --data books/*.txt --output trained --memory 512MiB --steps 1000 --eval-data "
      "held-out.txt\n"
      "Interrupted (Ctrl-C), it finishes the step, saves and leaves; --resume continues to the same bits.");
  command->add_option("model", options->model, "Model directory, or a .gguf file")->required();
  command->add_option("--output", options->output, "Directory for checkpoints, metrics.jsonl and the trained model")
      ->required();
  command->add_option("--seed", options->seed, "Seed of the order of the data");
  add_train_flags(*command, *options);
  add_run_flags(*command, *options);
  add_disk_flags(*command, *options);
  command->callback([options, command] {
    options->unset = unset_flags(*command);
    const TrainResult result = train(*options);
    if (result.stopped_by_signal == 0) return;
    if (result.step < 0) throw Interrupted{result.stopped_by_signal};
    std::_Exit(128 + result.stopped_by_signal);
  });
}

}  // namespace headroom
