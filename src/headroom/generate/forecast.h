// What generation will take on a machine whose rates are known (plan/cost_model.h): said by plans, never decides a
// text.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "headroom/generate/generation_graphs.h"
#include "headroom/plan/cost_model.h"
#include "headroom/plan/job.h"

namespace headroom {

struct Forecast {
  int64_t sequences = 1;                // side by side
  double tokens_per_second = 0;         // new ones of all sequences together, with the contexts empty
  double full_tokens_per_second = 0;    // and full
  double prompt_tokens_per_second = 0;  // in the largest chunks, as if the context were half full
  // What one step reads, that is one new token of each sequence: of weights and full caches in memory, and from files.
  double memory_bytes = 0;
  int64_t file_bytes = 0;
  std::string rates;  // whose rates that is by, in words
};

// `plan` is the one of `job`, whose graphs are those of `shape`.
Forecast forecast(const Job& job, const Plan& plan, const GenerationShape& shape, const MachineRates& rates);

// Two lines for people.
std::string describe(const Forecast& forecast);
// Adds predicted_tokens_per_second, predicted_full_tokens_per_second, predicted_prompt_tokens_per_second,
// bytes_per_token and file_bytes_per_token (of a step, over its sequences) and rates.
void add_forecast(nlohmann::ordered_json& report, const Forecast& forecast);

// Bytes that a step must read: every weight (of a table only the rows that are picked), and `filled` of the caches.
double bytes_read_by(const Graph& graph, double filled);

}  // namespace headroom
