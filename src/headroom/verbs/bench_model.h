// `headroom bench MODEL`: rates of prefill, decode and training steps, inside a budget as every job.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "headroom/headroom.h"

namespace headroom {

struct ModelBenchOptions : RunOptions {
  std::string model;      // a directory or file with weights; or a config .json or a preset, whose weights are random
  int64_t prompt = 512;   // tokens that prefill reads, of each sequence; 0: not measured
  int64_t generate = 64;  // tokens that decoding adds to an empty cache, to each sequence; 0: not measured
  int64_t batch = 1;      // sequences; rows of a training step
  bool train = false;     // measure training steps, too
  int64_t seq_len = 512;  // tokens of a row
  std::string compute = "auto";        // of products with quantised weights: f32, int8, or auto
  std::string kv_cache_dtype = "f32";  // what keys and values are kept in: f32, bf16, f16, q8 or q4
  int64_t repeat = 5;                  // measured after one that warms up
};

// One of the measurements, of a whole batch.
struct ModelRate {
  std::string test;  // "prefill", "decode", "train"
  int64_t batch = 0;
  int64_t tokens = 0;  // of a sequence
  int64_t runs = 0;    // that were measured
  double seconds = 0;  // the median
  double spread = 0;   // slowest against fastest: 0.1 is a tenth
  double tokens_per_second = 0;
  double flops_per_second = 0;  // prefill, train: by the prices of the ops (docs/profile.md)
  double bytes_per_second = 0;  // decode: weights and the keys and values so far
  double share = 0;             // of the peak of multiply-adds, or of reading memory, measured beside it; 0: unknown
  double file_bytes_per_second = 0;  // decode: of weights that stay in the model's files
  double experts_in_memory = 0;      // decode: of those that tokens needed, where the others are read from files
  double file_share = 0;             // of reading such a file from one end to the other, measured before; 0: unknown
};

// `on_rate`, if set, hears of each measurement as it comes. Returns all of it as one object, with the fields of a
// report. Throws InvalidInput naming the flag that is out of range or does not fit the model, BudgetExceeded as every
// job.
nlohmann::ordered_json bench_model(const ModelBenchOptions& options,
                                   const std::function<void(const ModelRate&)>& on_rate);

}  // namespace headroom
