#include <fmt/core.h>

#include <cstdlib>

#include "commands.h"
#include "headroom/base/console.h"

namespace headroom {

void add_eval_command(CLI::App& app) {
  auto options = std::make_shared<EvalOptions>();
  CLI::App* command = app.add_subcommand("eval", "Measure the loss and perplexity of text, or write logits");
  command->footer(
      "Examples:\n"
      "  headroom eval trained --data held-out.txt --seq-len 512 --stride 256\n"
      "  headroom eval smaller --data held-out.txt --reference original\n"
      "  headroom eval model --tokens ids.json --logits logits.safetensors");
  command
      ->add_option("model", options->model,
                   "Model directory, or a .gguf file; one that is larger than --memory is read from there as it runs")
      ->required();
  command->add_option("--adapter", options->adapter, "A PEFT adapter (LoRA) to put beside the model's layers");
  command
      ->add_option(
          "--data", options->data,
          "Text, or records as JSON lines, a JSON list or CSV: `text`, `prompt` and `completion`, `messages` and "
          "others (docs/data.md); of a classifier `text` and `label`; also packed with gzip")
      ->group("Data");
  command->add_flag("--isolate-documents", options->isolate_documents, "No window holds tokens of two texts")
      ->group("Data");
  command->add_option("--tokens", options->tokens, "Exactly these ids: {\"ids\": [[ids of a row], ...]}")
      ->group("Data");
  command
      ->add_option("--logits", options->logits,
                   "Write their logits to this safetensors file: f32, rows x length x vocabulary; of a classifier "
                   "those of --data, texts x labels")
      ->group("Output");
  command
      ->add_option("--reference", options->reference,
                   "Compare with this model directory on the same predictions: KL(reference || model), perplexities, "
                   "how often both find the same token the likeliest")
      ->group("Comparison");
  command
      ->add_option("--seq-len", options->seq_len, "Tokens of a window of text; 0: the model's positions, at most 1024")
      ->group("Windows");
  command
      ->add_option("--stride", options->stride,
                   "Tokens from one window to the next, which counts only what is new; 0: --seq-len, no overlap")
      ->group("Windows");
  add_compute_flag(*command, options->compute);
  add_cache_flag(*command, options->kv_cache_dtype);
  command->add_option("--batch-size", options->batch_size, "Rows at a time; the same bits")->group("Memory");
  add_run_flags(*command, *options);
  command->callback([options] {
    const EvalResult result = evaluate(*options);
    if (result.stopped_by_signal != 0) throw Interrupted{result.stopped_by_signal};
    if (result.is_classified) {
      print_result("loss {:.6f}, accuracy {:.4f}, {} texts\n", result.loss, result.accuracy, result.predictions);
    } else if (result.predictions > 0) {
      print_result("loss {:.6f}, perplexity {:.4f}, {} predictions", result.loss, result.perplexity,
                   result.predictions);
      if (result.bytes > 0) {
        print_result(" (windows: {}); {:.4f} bits per byte over {} bytes", result.windows, result.bits_per_byte,
                     result.bytes);
      }
      print_result("\n");
    }
    if (!options->reference.empty()) {
      print_result("reference: loss {:.6f}, perplexity {:.4f} (the model's is {:.4f} times that)\n",
                   result.reference_loss, result.reference_perplexity, result.perplexity / result.reference_perplexity);
      print_result("KL divergence {:.6g} nats (largest {:.6g}), same top token in {:.3f} % of predictions\n",
                   result.kl_divergence, result.largest_kl_divergence, 100 * result.top1_agreement);
    }
  });
}

}  // namespace headroom
