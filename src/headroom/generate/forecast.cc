#include "headroom/generate/forecast.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"

namespace headroom {
namespace {

size_t place_of(const Job& job, const std::string& name) {
  const auto found = std::find_if(job.graphs.begin(), job.graphs.end(), [&](const Graph& g) { return g.name == name; });
  ensure(found != job.graphs.end(), "no step is called {}", name);
  return static_cast<size_t>(found - job.graphs.begin());
}

}  // namespace

double bytes_read_by(const Graph& graph, double filled) {
  double bytes = 0;
  for (const Node& node : graph.nodes) {
    if (node.op->lane() != Lane::compute) continue;  // of files
    const double touched = price_of(graph, node).bytes;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (std::find(node.inputs.begin(), node.inputs.begin() + static_cast<std::ptrdiff_t>(i), id) !=
          node.inputs.begin() + static_cast<std::ptrdiff_t>(i)) {
        continue;  // keys that are values, too, are read once
      }
      const Value& value = graph.value(id);
      const double size = static_cast<double>(value.bytes());
      if (value.role == Role::weight) bytes += std::min(size, touched);
      if (value.role == Role::kv_cache) bytes += std::min(size * filled, touched);
    }
  }
  return bytes;
}

Forecast forecast(const Job& job, const Plan& plan, const GenerationShape& shape, const MachineRates& rates) {
  const size_t decode = place_of(job, step_name(shape, shape.sequences));
  const Graph& step = job.graphs[decode];
  const int64_t largest = step_rows(shape).front();
  const Graph& prefill = job.graphs[place_of(job, step_name(shape, largest))];
  const auto sequences = static_cast<double>(shape.sequences);
  return {.sequences = shape.sequences,
          .tokens_per_second = sequences / seconds_of(step, rates, 1 / static_cast<double>(shape.context)),
          .full_tokens_per_second = sequences / seconds_of(step, rates),
          .prompt_tokens_per_second = static_cast<double>(largest) / seconds_of(prefill, rates, 0.5),
          .memory_bytes = bytes_read_by(step, 1),
          .file_bytes = plan.graphs[decode].disk_read_bytes,
          .rates = rates.source};
}

std::string describe(const Forecast& forecast) {
  std::string text = fmt::format(
      "Predicted: {:.3g} tokens/s{}, {:.3g} with the context full; {:.4g} of prompts; by {}\n",
      forecast.tokens_per_second, forecast.sequences > 1 ? fmt::format(" of {} sequences", forecast.sequences) : "",
      forecast.full_tokens_per_second, forecast.prompt_tokens_per_second, forecast.rates);
  text += fmt::format("A token{} reads {} of memory", forecast.sequences > 1 ? " of each" : "",
                      format_bytes(static_cast<int64_t>(forecast.memory_bytes)));
  if (forecast.file_bytes > 0) text += fmt::format(" and {} of files", format_bytes(forecast.file_bytes));
  return text + "\n";
}

void add_forecast(nlohmann::ordered_json& report, const Forecast& forecast) {
  report["predicted_tokens_per_second"] = forecast.tokens_per_second;
  report["predicted_full_tokens_per_second"] = forecast.full_tokens_per_second;
  report["predicted_prompt_tokens_per_second"] = forecast.prompt_tokens_per_second;
  report["bytes_per_token"] = forecast.memory_bytes / static_cast<double>(forecast.sequences);
  report["file_bytes_per_token"] = static_cast<double>(forecast.file_bytes) / static_cast<double>(forecast.sequences);
  report["rates"] = forecast.rates;
}

}  // namespace headroom
