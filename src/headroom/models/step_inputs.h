// What a step's graph reads beside the weights of its model: declared here for every kind of step, so that names and
// their order are the same everywhere. tasks/step_filler.h fills it.
#pragma once

#include <string>
#include <string_view>

#include "headroom/base/cache_kind.h"
#include "headroom/graph/builder.h"

namespace headroom {

class Model;

// Its name in every graph.
inline constexpr std::string_view kRotaryTable = "rotary_table";

// The ports of a model's forward, as graph inputs. T tokens, B sequences, P positions of the rotary table, D head size.
struct StepInputs {
  ValueId tokens = kNoValue;        // i32[T]
  ValueId positions = kNoValue;     // i32[T], of each token in its sequence
  ValueId sequences = kNoValue;     // i32[B, 4], as attention takes them
  ValueId rotary_table = kNoValue;  // f32[P, D], a constant of the model
  // With a KV cache: keys and values of this step are written to rows cache_range[0].. of caches of `cache_rows` rows,
  // which attention then reads. kNoValue: attention reads this step's own keys and values.
  ValueId cache_range = kNoValue;  // i32[2]: first row, rows; of several sequences i32[B, 2]
  int64_t cache_rows = 0;
  CacheKind cache_kind = CacheKind::f32;  // what is read is what was rounded, in the step that writes it, too

  bool has_cache() const { return cache_range != kNoValue; }
};

struct StepShape {
  int64_t tokens = 0;      // T
  int64_t sequences = 1;   // B
  int64_t positions = 0;   // P
  int64_t cache_rows = 0;  // 0: no KV cache
  CacheKind cache_kind = CacheKind::f32;
  // Where a job has steps of several T, what stands before the names of their own tokens and positions: "decode."; and
  // where they differ in B, too, before those of sequences and cache_range.
  std::string of_tokens = {};
  std::string of_sequences = {};
};

StepInputs declare_step_inputs(Builder& build, const Model& model, const StepShape& shape);

}  // namespace headroom
