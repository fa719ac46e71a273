#include "headroom/models/rank_part.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/models/model.h"

namespace headroom {
namespace {

constexpr int64_t kLargestSize = int64_t{1} << 24;

// The field, divided by the ranks.
int64_t divided(const JsonObject& config, std::string_view key, int64_t ranks) {
  const int64_t whole = config.integer(key, 1, kLargestSize);
  if (whole % ranks != 0) {
    throw InvalidInput("--mesh: tensor={}, but {}; expected a divisor", ranks,
                       config.where(key) + " is " + config.show(key));
  }
  return whole / ranks;
}

}  // namespace

JsonObject config_of_rank(const JsonObject& config, int64_t tensor_ranks, int64_t layers) {
  const int64_t heads = config.integer("num_attention_heads", 1, kLargestSize);
  const int64_t kv_heads = config.integer_or("num_key_value_heads", heads, 1, kLargestSize);
  if (kv_heads % tensor_ranks != 0 && tensor_ranks % kv_heads != 0) {
    throw InvalidInput(
        "--mesh: tensor={}, but the model has {} heads of keys and values; expected a divisor or a "
        "multiple of that",
        tensor_ranks, kv_heads);
  }
  const int64_t features = config.integer("hidden_size", 1, kLargestSize);
  const int64_t vocabulary = config.integer("vocab_size", 1, kLargestSize);
  const int64_t head_dim = config.integer_or("head_dim", features / heads, 1, kLargestSize);
  return config.with("head_dim", head_dim)
      .with("num_attention_heads", divided(config, "num_attention_heads", tensor_ranks))
      .with("num_key_value_heads", std::max<int64_t>(1, kv_heads / tensor_ranks))
      .with("intermediate_size", divided(config, "intermediate_size", tensor_ranks))
      .with("vocab_size", (vocabulary + tensor_ranks - 1) / tensor_ranks)
      .with("num_hidden_layers", layers);
}

ParameterCounts count_parameters(const JsonObject& config) {
  const std::unique_ptr<Model> one = make_model(config.with("num_hidden_layers", 1));
  const int64_t of_one = parameter_count(*one);
  ParameterCounts counts;
  counts.layer = parameter_count(*make_model(config.with("num_hidden_layers", 2))) - of_one;
  counts.embedding = one->vocabulary() * one->features();
  counts.head = of_one - counts.layer - counts.embedding;
  counts.tied = counts.head < counts.embedding;
  return counts;
}

int64_t parameters_of_stage(const ParameterCounts& counts, int64_t layers, bool is_first, bool is_last) {
  int64_t parameters = counts.layer * layers;
  if (is_first) parameters += counts.embedding;
  if (is_last) parameters += counts.head;
  if (is_last && !is_first && counts.tied) parameters += counts.embedding;
  return parameters;
}

}  // namespace headroom
