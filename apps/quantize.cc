#include "commands.h"

namespace headroom {

void add_quantize_command(CLI::App& app) {
  auto options = std::make_shared<QuantizeOptions>();
  CLI::App* command = app.add_subcommand("quantize", "Write a model's weights in 8, 4, 3 or 2 bits");
  command->footer(
      "Examples:\n"
      "  headroom quantize model --output model-4bit\n"
      "  headroom quantize model --output model-3bit --bits 3 --group-size 64 --keep '*down_proj'\n"
      "  headroom quantize model --output model-3bit --bits 3 --method best --calibration text.txt\n"
      "  headroom eval model-4bit --data text.txt --reference model\n"
      "Norms and biases stay as they are, and the output layer gets 8 bits. Smaller groups follow the weights closer "
      "and\n"
      "take more room: each has a scale of 16 bits. What it cost, `eval --reference` says. Weights go through as a "
      "stream;\n"
      "`headroom convert model-4bit --dtype bf16 --output plain` makes plain files again, of the rounded numbers.");
  command->add_option("model", options->model, "Model directory, or a .gguf file")->required();
  command->add_option("--output", options->output, "Directory for the quantised model, new or empty")->required();
  command
      ->add_option(
          "--method", options->method,
          "How codes are chosen. rtn: each number to the nearest code; gptq: column by column, each making good "
          "what those before it lost on the text of --calibration; best: that towards what the whole model "
          "computes, with searched scales, and gone through twice more")
      ->check(CLI::IsMember({"rtn", "gptq", "best"}));
  command->add_option("--bits", options->bits, "Of each number in the matrices of the model: 8, 4, 3 or 2");
  command->add_option("--group-size", options->group_size,
                      "Numbers of a row that share a scale: 32, 64 or 128; 0: the whole row");
  command->add_flag("--asymmetric", options->asymmetric,
                    "Give each group a zero point beside its scale: for weights that are not around zero");
  command->add_option("--head-bits", options->head_bits,
                      "The same of the output layer, which decides the logits; of a tied embedding, too");
  command->add_option("--embedding-bits", options->embedding_bits,
                      "The same of the table of embeddings; 0: as --bits, with gptq and best as --head-bits");
  command->add_option("--keep", options->keep,
                      "Matrices that stay as they are stored, by name, with commas; * is anything: "
                      "lm_head,*down_proj,layers.0.*");
  command
      ->add_option("--calibration", options->calibration,
                   "Text like what the model will read, for gptq and best: files as `train --data` takes them")
      ->group("Calibration");
  command->add_option("--samples", options->samples, "Rows of that text, spread evenly over it")->group("Calibration");
  command
      ->add_option("--seq-len", options->seq_len, "Tokens of a row; 0: 2048, or as many as the model has positions for")
      ->group("Calibration");
  command
      ->add_option("--damping", options->damping,
                   "What is added to the inputs' matrix, of the mean of its diagonal: more where text is short")
      ->group("Calibration");
  command
      ->add_option("--disk", options->disk,
                   "Directory for what the layers pass on of each row, where memory has no room for it")
      ->group("Calibration");
  command
      ->add_option("--eval-data", options->eval_data,
                   "Text that the calibration does not see: when all is written, compare with the whole model on it")
      ->group("Cost");
  command
      ->add_option("--html", options->html, "Write a picture of what each layer loses to this page; for gptq and best")
      ->group("Cost");
  command->add_option("--shard-size", options->shard_size, "Cut the weights into files of at most this size: 5GB");
  add_memory_and_report_flags(*command, *options);
  command->add_option("--threads", options->threads, "Threads; 0: one for each available processor")->group("Memory");
  command->callback([options] {
    const QuantizeResult result = quantize(*options);
    if (result.stopped_by_signal != 0) throw Interrupted{result.stopped_by_signal};
  });
}

}  // namespace headroom
