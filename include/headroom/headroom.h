// The public C++ API of headroom: train and run DeepSeek-architecture language models inside a memory budget.
//
// Every job takes a budget for the whole process, plans all of it before it allocates, and refuses with BudgetExceeded
// when it cannot fit. The same options are the flags of the command line (docs/cli.md), with the same defaults.
// Errors are those of headroom/errors.h.
//
// The budget is the whole program's: what it holds besides headroom counts, and the prediction leaves it a few MiB.
// Run one job at a time in a process: while one runs it notes SIGINT and SIGTERM, and VmHWM begins again with each.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headroom {

// What every job takes.
struct RunOptions {
  std::string memory = "auto";         // bytes for the whole process: "256MiB"; "auto": what is safe now
  int threads = 0;                     // 0: one for each available processor
  std::string report;                  // file for the JSON report; empty: none
  bool ignore_unknown_fields = false;  // of the model's config: passed over instead of refused
  std::string html;                    // file for the picture of the plan; empty: none
  std::string host_memory;             // bytes behind a device that may hold what does not fit in it; empty: none
  std::string disk;                    // directory for what does not fit in memory; empty: nothing leaves memory
  std::string disk_limit;              // bytes that may be written there: "40GB"; empty: what is free
  bool quiet = false;                  // nothing but results and errors
  bool verbose = false;
  std::string dump_passes;                  // directory for the graph after each pass; empty: none
  std::vector<std::string> disable_passes;  // by name; for debugging
};

// What every job reports when it is done, in bytes.
struct MemoryUse {
  int64_t budget_bytes = 0;
  int64_t predicted_peak_bytes = 0;
  int64_t measured_peak_bytes = 0;  // VmHWM
  int64_t arena_bytes = 0;
  int64_t reserve_bytes = 0;
  int64_t huge_page_bytes = 0;  // of measured, what the kernel gave as huge pages
};

// What reading the weights took, at the start of a job.
struct LoadUse {
  int64_t load_bytes = 0;  // of the files
  double load_seconds = 0;
};

struct InitOptions {
  std::string model;  // a preset's name or a config.json
  bool ignore_unknown_fields = false;
  std::string output;
  uint64_t seed = 0;
  std::string dtype;                        // empty: the config's
  std::vector<std::string> tokenizer_data;  // text to train a byte-level BPE tokenizer on; empty: none
  int64_t vocabulary = 0;                   // entries of that tokenizer; 0: the config's. The model's follows.
  std::string shard_size = "50GB";          // weight files hold at most so much
  bool quiet = false;
};
void init_model(const InitOptions& options);

// Of --memory, --report, --quiet and --verbose; the rest of RunOptions has nothing to say here.
struct ConvertOptions : RunOptions {
  std::string model;
  std::string adapter;  // PEFT directory to merge into the weights; empty: none
  std::string output;
  std::string format = "hf";        // or "gguf"
  std::string dtype;                // f32, bf16, f16, for gguf also q8_0; empty: each tensor keeps its own
  std::string shard_size = "50GB";  // weight files hold at most so much
};

struct ConvertResult : MemoryUse {
  int64_t tensors = 0;
  int64_t files = 0;  // of weights
  int64_t read_bytes = 0;
  int64_t written_bytes = 0;
  double seconds = 0;
  int stopped_by_signal = 0;  // 0: all was written; otherwise nothing was
};
ConvertResult convert(const ConvertOptions& options);

struct TrainOptions : RunOptions {
  std::string model;               // directory with config.json, weights, tokenizer.json
  std::vector<std::string> data;   // text or JSONL files (docs/data.md)
  std::string tokens;              // or a token file: exactly these batches in this order
  bool isolate_documents = false;  // no text attends another one in its row
  std::string labels;              // makes a classifier of a language model: their number, or names with commas
  std::string output;
  int64_t steps = 0;  // 0: one pass over the data
  int64_t batch_size = 8;
  int64_t seq_len = 256;
  double lr = 3e-4;
  std::string lr_schedule = "cosine";
  int64_t warmup_steps = 0;
  double weight_decay = 0.1;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double grad_clip = 1.0;
  uint64_t seed = 0;
  std::string save_every =
      "10m";                     // a checkpoint every so many steps ("500") or so often ("90s", "2h"); "0": at the end
  int64_t timeout_seconds = 60;  // of several ranks: one that is silent for so long is given up
  int64_t keep_checkpoints = 2;  // the newest; 0: all
  bool resume = false;
  std::vector<std::string> unset;  // with resume: flags ("--lr") whose value the checkpoint says, where it knows it
  std::vector<std::string> eval_data;
  int64_t eval_every = 0;           // 0: only at the end
  std::string shard_size = "50GB";  // weight files of the trained model hold at most so much
  std::string profile;              // directory for what each op took; empty: nothing is measured

  // Of each technique the flags of the command line (docs/cli.md), as text: {{"--checkpointing", "full"}}. Those that
  // are not there stand at their defaults: what changes no number as the budget asks for, all else off.
  std::map<std::string, std::string> techniques;
};

struct TrainResult : MemoryUse, LoadUse {
  int64_t step = 0;  // -1: stopped by a signal before it began, with nothing written
  double loss = 0;
  double eval_loss = 0;  // NaN without eval data
  double seconds = 0;    // of this run's steps, evaluations and checkpoints
  double tokens_per_second = 0;
  int stopped_by_signal = 0;  // 0: ran to the end
};
TrainResult train(const TrainOptions& options);

struct GenerateOptions : RunOptions {
  std::string model;
  std::string adapter;  // PEFT directory; empty: none
  std::string prompt;
  std::string prompt_file;
  // Many prompts instead of one: a file of records, JSON objects a line or a table, each with a "prompt" or, with chat,
  // "messages" (docs/prompts.md). Answers go to `output`, a JSON object a line, in the order of the prompts; `parallel`
  // of them are written side by side, each with the tokens that it would have alone.
  std::string prompts;
  std::string output;
  std::optional<int64_t> parallel;        // none: as many as there are prompts and the budget allows, at most 16
  std::optional<int64_t> max_new_tokens;  // none: 128, or with chat what the context holds
  double temperature = 0.0;               // 0: greedy
  int64_t top_k = 0;                      // 0: all
  double top_p = 1.0;
  std::vector<std::string> stop;
  uint64_t seed = 0;
  int64_t context = 0;  // 0: what prompt and new tokens need; with chat the model's positions, at most 4096
  std::optional<int64_t> prefill_chunk;                // none: the largest of 512, 128, 32 and 8 that the budget allows
  std::string kv_cache_dtype = "f32";                  // what keys and values are kept in: f32, bf16, f16, q8, q4
  std::string compute = "auto";                        // in products with quantised weights: f32, int8, or auto
  std::string logprobs;                                // file; empty: none
  std::function<void(std::string_view text)> on_text;  // called as text appears, whole characters only
  // With chat the model's chat template is written around messages: one, if there is a prompt, and else as many as
  // next_message gives, answered one after the other; it returns false when the conversation is over.
  bool chat = false;
  std::string system;  // with chat: a message of the system before all others; empty: none
  std::function<bool(std::string& message)> next_message;
};

struct GenerateResult : MemoryUse, LoadUse {
  std::string text;           // of a conversation: the last answer; of many prompts: empty
  int64_t turns = 0;          // answers: of a conversation, or of the prompts of a file
  int64_t prompt_tokens = 0;  // read, without those of earlier turns
  int64_t new_tokens = 0;
  double seconds = 0;  // prompt and text, without loading
  double prefill_tokens_per_second = 0;
  double decode_tokens_per_second = 0;
  std::string finish;         // why the text ends: end (the model ended it), stop, length, context, interrupted
  int stopped_by_signal = 0;  // 0: none
};
GenerateResult generate(const GenerateOptions& options);

struct EvalOptions : RunOptions {
  std::string model;
  std::string adapter;  // PEFT directory; empty: none
  std::vector<std::string> data;
  bool isolate_documents = false;  // no window holds tokens of two texts
  std::string tokens;              // {"ids": [[...], ...]}
  std::string logits;              // with tokens, or a classifier: file for the logits
  std::string reference;           // a second model directory to compare with; empty: none
  std::string compute = "auto";    // of the model in products with quantised weights: f32, int8, or auto
  std::string kv_cache_dtype =
      "f32";  // evaluate through a KV cache of the model in bf16, f16, q8 or q4; f32: without one, the same bits
  int64_t batch_size = 1;
  int64_t seq_len = 0;  // 0: the model's, at most 1024
  int64_t stride = 0;   // 0: seq_len (windows do not overlap)
};

struct EvalResult : MemoryUse, LoadUse {
  double loss = 0;  // mean cross-entropy of the next tokens, or of the labels of a classifier, nats
  double perplexity = 0;
  bool is_classified = false;  // by a classifier: predictions are of labels, and there is no perplexity
  double accuracy = 0;         // of a classifier: the share of texts whose likeliest label is theirs
  int64_t predictions = 0;
  int64_t windows = 0;       // or rows
  int64_t bytes = 0;         // of text; 0 for given tokens, and where there are examples
  double bits_per_byte = 0;  // of text: the loss of all its tokens, spread over its bytes
  // With a reference, over the same predictions: the mean of KL(reference || model) in nats, the largest, and the share
  // of predictions for which both find the same token the likeliest.
  double reference_loss = 0;
  double reference_perplexity = 0;
  double kl_divergence = 0;
  double largest_kl_divergence = 0;
  double top1_agreement = 0;
  int64_t tokens = 0;     // that went through the model
  int64_t truncated = 0;  // examples cut to seq_len, and the tokens lost there
  int64_t truncated_tokens = 0;
  int64_t dropped = 0;            // examples left out: none of their tokens counts
  int64_t preferences = 0;        // answers that were preferred to another
  int64_t without_reasoning = 0;  // conversations whose reasoning the chat template does not write
  int64_t without_tools = 0;      // or whose tools and documents
  double seconds = 0;             // without loading
  double tokens_per_second = 0;
  int stopped_by_signal = 0;  // 0: all was evaluated
};
EvalResult evaluate(const EvalOptions& options);

// Of --memory, --disk, --threads, --report, --html, --quiet and --verbose.
struct QuantizeOptions : RunOptions {
  std::string model;
  std::string output;
  std::string method = "rtn";
  int bits = 4;              // of matrices: 8, 4, 3 or 2
  int64_t group_size = 128;  // elements of a row that share a scale: 32, 64, 128; 0: the whole row
  bool asymmetric = false;   // with a zero point beside each scale
  int head_bits = 8;         // of the output layer, which decides the logits; of a tied table, too
  int embedding_bits = 0;    // of the table of embeddings; 0: as bits, where text is read as head_bits
  std::string keep;          // layers that stay as they are stored: "lm_head,*down_proj"
  std::string shard_size = "50GB";
  // Of methods that look at what weights are multiplied with:
  std::vector<std::string> calibration;  // text, as `train` reads it
  int64_t samples = 128;                 // rows of it, spread evenly
  int64_t seq_len = 0;                   // tokens of a row; 0: 2048, or as many as the model has positions for
  double damping = 0.01;                 // added to the Gram matrix' diagonal, of its mean
  std::vector<std::string> eval_data;    // text on which the result is compared with MODEL; empty: it is not
};

struct QuantizeResult : ConvertResult {
  struct Format {
    int64_t weights = 0;
    int64_t bytes = 0;
  };
  std::map<std::string, Format> formats;  // what weights are stored in: "int4_g128", "f32"
  double bits_per_weight = 0;             // of all weights together
  // Of a calibration: what the codes of each weight lose of what its layer gives, relative squares, and what they
  // would lose if each number went to its nearest code.
  struct Loss {
    std::string weight;
    double loss = 0;
    double rounding_loss = 0;
  };
  std::vector<Loss> losses;
  double calibration_seconds = 0;
  std::optional<EvalResult> evaluation;  // on eval_data, beside MODEL
};
QuantizeResult quantize(const QuantizeOptions& options);

}  // namespace headroom
