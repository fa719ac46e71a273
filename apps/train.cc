#include <csignal>
#include <cstdlib>

#include "commands.h"

namespace headroom {

void add_train_flags(CLI::App& command, TrainOptions& options) {
  command.add_option("--data", options.data, "Text files, or JSONL: `text`, `prompt` and `completion`, or `messages`")
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
  command.add_option("--save-every", options.save_every, "Write a checkpoint every N steps; 0: at the end")
      ->group("Checkpoints");
  command
      .add_option("--shard-size", options.shard_size, "Cut the trained model's weights into files of this size: 5GB")
      ->group("Checkpoints");
  command.add_option("--keep-checkpoints", options.keep_checkpoints, "Keep the newest N; 0: all")->group("Checkpoints");
  command.add_flag("--resume", options.resume, "Continue from the newest complete checkpoint in --output")
      ->group("Checkpoints");
  command
      .add_option("--seq-len", options.seq_len, "Tokens of a row; it has one prediction fewer. --tokens brings its own")
      ->group("Batch");
  command.add_option("--batch-size", options.batch_size, "Rows of an update. --tokens brings its own")->group("Batch");
  command
      .add_option(
          "--grad-accum", options.grad_accum,
          "Cut the batch into this many micro-batches: less memory, the same bits; 0: as many as the budget asks for")
      ->group("Batch");
  command
      .add_option("--data-shards", options.data_shards,
                  "Add the gradients of this many equal parts of the batch as a balanced tree: the order that as many "
                  "machines would add them in. Other numbers, and a few more sets of gradients")
      ->group("Batch");
  command
      .add_option("--optimizer", options.optimizer,
                  "adamw; adamw8bit (2 bytes of state a parameter instead of 8, other numbers); sgd (plain w -= lr * "
                  "gradient)")
      ->check(CLI::IsMember({"adamw", "adamw8bit", "sgd"}))
      ->group("Optimizer");
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
  command
      .add_option(
          "--checkpointing", options.checkpointing,
          "Recompute activations in the backward: none, full (every layer), auto (only if the budget asks for it)")
      ->check(CLI::IsMember({"none", "full", "auto"}))
      ->group("Memory");
  command
      .add_option("--compress-activations", options.compress_activations,
                  "What the backward will read again is kept in bf16, or in 8 or 4 bits rounded at random: 2, 3.9 or "
                  "7.8 times less. Gradients become other numbers; losses of a step stay exact")
      ->check(CLI::IsMember({"none", "bf16", "8", "4", "sparse"}))
      ->group("Memory");
  command
      .add_option("--clip-mode", options.clip_mode,
                  "How --grad-clip gets its norm: one-pass (all gradients wait for it), two-pass (a second forward and "
                  "backward instead, so that gradients die at once; the same bits), auto (two-pass only if the budget "
                  "asks for it), or tensor (each gradient by its own norm: gradients die at once, other numbers)")
      ->check(CLI::IsMember({"auto", "one-pass", "two-pass", "tensor"}))
      ->group("Memory");
  command
      .add_option("--precision", options.precision,
                  "Activations and products in f32, bf16 or f16: less memory and time, other numbers; weights stay f32")
      ->check(CLI::IsMember({"f32", "bf16", "f16"}))
      ->group("Lossy");
  command
      .add_option("--master-weights", options.master_weights,
                  "bf16: weights in bf16 alone, updated by stochastic rounding; half their memory, other numbers")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->group("Lossy");
  command
      .add_option(
          "--loss-scale", options.loss_scale,
          "With --precision f16, the factor on the loss: dynamic (steps that overflow are skipped), or a number")
      ->group("Lossy");
  command
      .add_option("--loss-scale-hysteresis", options.loss_scale_hysteresis,
                  "Overflows before a dynamic scale falls: 1 is PyTorch's GradScaler, more DeepSpeed's rules")
      ->group("Lossy");
  command
      .add_flag(
          "--watch-numerics", options.watch_numerics,
          "Shares of NaN, infinities, underflow and zeros among activations and gradients, by layer, in the metrics")
      ->group("Output");
  command
      .add_option("--lora-rank", options.lora_rank,
                  "Train adapters of this rank beside the linear layers, and nothing else; 0: all weights. The output "
                  "is a PEFT adapter")
      ->group("Adapter (LoRA)");
  command.add_option("--lora-alpha", options.lora_alpha, "The adapter's product counts times alpha / rank")
      ->group("Adapter (LoRA)");
  command.add_option("--lora-dropout", options.lora_dropout, "Share of the adapters' inputs that a step leaves out")
      ->group("Adapter (LoRA)");
  command.add_option("--lora-targets", options.lora_targets, "Linear layers that get one, by name, with commas")
      ->group("Adapter (LoRA)");
  command
      .add_option("--base-bits", options.base_bits,
                  "Keep the linear layers of the model that adapters are trained for in 4 (NF4, doubly quantised) or 8 "
                  "bits; without it as they are stored")
      ->check(CLI::IsMember({"4", "8"}))
      ->group("Adapter (LoRA)");
  command
      .add_option("--adapter", options.adapter, "Continue this PEFT adapter, with its rank, alpha, dropout and targets")
      ->group("Adapter (LoRA)");
  command
      .add_option(
          "--offload", options.offload,
          "What moves to --disk while nobody needs it: none, all of weights, optimizer (state, and gradients that "
          "wait), activations or all; auto: as much of all as the budget asks for")
      ->check(CLI::IsMember({"none", "weights", "optimizer", "activations", "all", "auto"}))
      ->group("Memory");
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
  command->add_option("model", options->model, "Model directory: config.json, weights, tokenizer.json")->required();
  command->add_option("--output", options->output, "Directory for checkpoints, metrics.jsonl and the trained model")
      ->required();
  command->add_option("--seed", options->seed, "Seed of the order of the data");
  add_train_flags(*command, *options);
  add_run_flags(*command, *options);
  add_disk_flags(*command, *options);
  command->callback([options] {
    const TrainResult result = train(*options);
    if (result.stopped_by_signal != 0) std::_Exit(128 + result.stopped_by_signal);
  });
}

}  // namespace headroom
