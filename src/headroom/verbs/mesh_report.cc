// A plan of a mesh in words and as JSON, and the refusal of one that does not fit.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/base/quantity.h"
#include "headroom/runtime/progress.h"
#include "headroom/verbs/mesh_plan.h"

namespace headroom {
namespace {

std::string line(std::string_view what, int64_t bytes, std::string_view note = "") {
  return fmt::format("  {:<18} {:>11}  {:>11}  {:>22}{}{}\n", what, format_bytes(bytes),
                     fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9), format_count(bytes) + " B",
                     note.empty() ? "" : "  ", note);
}

std::string rule() { return "  " + std::string(67, '-') + "\n"; }

std::string title_of(const MeshJob& job) {
  std::string title = fmt::format("{} {} on {}", job.model, job.trains ? "train" : "generate", name_of(job.mesh));
  title += job.mesh.ranks() == 1 ? " (one rank)" : fmt::format(" ({} ranks)", job.mesh.ranks());
  if (job.trains && job.mesh.data > 1) title += fmt::format(", ZeRO stage {}", job.zero);
  if (!job.device.empty()) title += fmt::format(", {}", job.device);
  return title;
}

// "12 x 7, 11": layers of the stages, in their order.
std::string layers_of(const std::vector<StagePlan>& stages) {
  std::string text;
  for (size_t first = 0; first < stages.size();) {
    size_t end = first;
    while (end < stages.size() && stages[end].layers == stages[first].layers) ++end;
    text += fmt::format("{}{}", text.empty() ? "" : ", ", stages[first].layers);
    if (end - first > 1) text += fmt::format(" x {}", end - first);
    first = end;
  }
  return text;
}

int64_t needed_bytes(const MeshPlan& plan, const MeshJob& job) {
  return plan.fullest_stage().planned_bytes() + job.context_bytes;
}

// Meshes to say when one does not fit, those that change least first.
std::vector<MeshJob> larger_meshes(const MeshJob& job) {
  std::vector<MeshJob> larger;
  const auto add = [&](int64_t tensor, int64_t pipe, int zero) {
    larger.push_back(job);
    larger.back().mesh.tensor = tensor;
    larger.back().mesh.pipe = pipe;
    larger.back().zero = zero;
  };
  int zero = job.zero;
  if (job.trains && job.mesh.data > 1) {
    while (zero < 3) add(job.mesh.tensor, job.mesh.pipe, ++zero);
  }
  for (int64_t tensor = 2 * job.mesh.tensor; tensor <= 8; tensor *= 2) add(tensor, job.mesh.pipe, zero);
  for (int64_t pipe = 2 * job.mesh.pipe; pipe <= 64; pipe *= 2) {
    add(std::max<int64_t>(8, job.mesh.tensor), pipe, zero);
  }
  return larger;
}

bool fits(const MeshPlan& plan, const MeshJob& job) {
  return job.memory_bytes == 0 || needed_bytes(plan, job) <= job.memory_bytes;
}

std::optional<MeshJob> mesh_that_fits(const MeshJob& job) {
  const std::vector<MeshJob> meshes = larger_meshes(job);
  Progress progress("trying larger meshes", job.train.quiet);
  for (size_t i = 0; i < meshes.size(); ++i) {
    const MeshJob& larger = meshes[i];
    progress.show(static_cast<int64_t>(i), static_cast<int64_t>(meshes.size()));
    try {
      if (fits(plan_mesh(larger, true), larger)) return larger;
    } catch (const InvalidInput&) {
      // The model does not divide so.
    } catch (const BudgetExceeded&) {
    }
  }
  return std::nullopt;
}

}  // namespace

std::string describe(const MeshPlan& plan, const MeshJob& job) {
  const StagePlan& stage = plan.fullest_stage();
  std::string text = title_of(job) + "\n";
  text += format_parameters(plan.parameters);
  if (stage.parameters != plan.parameters) {
    text += fmt::format(", {} on the fullest rank", format_parameters(stage.parameters));
  }
  if (job.trains) {
    text += fmt::format("; bytes of each: {} weight, {} gradient, {} optimizer state\n", plan.bytes.weights,
                        plan.bytes.gradients, plan.bytes.optimizer);
  } else {
    text += fmt::format("; {:.5g} byte{} each\n", plan.bytes.weights, plan.bytes.weights == 1 ? "" : "s");
  }
  if (stage.layers > 0 && plan.stages.size() > 1) {
    text += fmt::format("layers of the {} stages: {}; the fullest is stage {}\n", plan.stages.size(),
                        layers_of(plan.stages), plan.fullest + 1);
  }
  text += line("weights", stage.states.weights);
  if (job.trains) {
    text += line("gradients", stage.states.gradients);
    text += line("optimizer state", stage.states.optimizer);
  }
  if (stage.gathered_bytes > 0) text += line("gathered for use", stage.gathered_bytes, "the two largest blocks, whole");
  if (stage.cache_bytes > 0) text += line("keys and values", stage.cache_bytes);
  if (stage.layers > 0) {
    const std::string flight = stage.in_flight > 1 ? fmt::format(", {} micro-batches in flight", stage.in_flight) : "";
    text += line("working memory", stage.working_bytes, stage.choice + flight);
  } else {
    text += "  working memory     not counted: a number of parameters has no shapes\n";
  }
  if (stage.process_bytes > 0)
    text += line("process", stage.process_bytes, "code, threads, tokenizer, the plan itself");
  if (job.context_bytes > 0) text += line("context", job.context_bytes, "of the driver and its libraries");
  text += rule() + line("needed", needed_bytes(plan, job));
  if (job.memory_bytes > 0) text += line(job.device.empty() ? "budget" : "memory", job.memory_bytes, job.device);
  const SentBytes& sent = plan.sent;
  if (sent.states + sent.tensor + sent.pipe > 0) {
    text += fmt::format("sent by a rank for each {}\n", job.trains ? "step" : "token");
    if (sent.states > 0) text += line("weights, gradients", sent.states, "between data ranks");
    if (sent.tensor > 0) text += line("activations", sent.tensor, "between tensor ranks");
    if (sent.pipe > 0) text += line("activations", sent.pipe, "to the next stages");
  }
  return text;
}

nlohmann::ordered_json json_of(const MeshPlan& plan, const MeshJob& job) {
  nlohmann::ordered_json json = {
      {"model", job.model},
      {"task", job.trains ? "train" : "generate"},
      {"mesh", {{"data", job.mesh.data}, {"pipe", job.mesh.pipe}, {"tensor", job.mesh.tensor}}},
      {"zero", job.zero},
      {"ranks", job.mesh.ranks()},
      {"parameters", plan.parameters},
      {"bytes_per_parameter",
       {{"weights", plan.bytes.weights}, {"gradients", plan.bytes.gradients}, {"optimizer", plan.bytes.optimizer}}},
      {"fullest_stage", plan.fullest},
      {"needed_bytes", needed_bytes(plan, job)},
      {"context_bytes", job.context_bytes},
      {"sent_bytes", {{"states", plan.sent.states}, {"tensor", plan.sent.tensor}, {"pipe", plan.sent.pipe}}}};
  if (job.memory_bytes > 0) json["memory_bytes"] = job.memory_bytes;
  json["stages"] = nlohmann::ordered_json::array();
  for (const StagePlan& stage : plan.stages) {
    json["stages"].push_back({{"layers", stage.layers},
                              {"parameters", stage.parameters},
                              {"weight_bytes", stage.states.weights},
                              {"gradient_bytes", stage.states.gradients},
                              {"optimizer_bytes", stage.states.optimizer},
                              {"gathered_bytes", stage.gathered_bytes},
                              {"cache_bytes", stage.cache_bytes},
                              {"working_bytes", stage.working_bytes},
                              {"process_bytes", stage.process_bytes},
                              {"planned_bytes", stage.planned_bytes()},
                              {"micro_batches_in_flight", stage.in_flight},
                              {"choice", stage.choice}});
  }
  return json;
}

void require_fit(const MeshPlan& plan, const MeshJob& job) {
  if (fits(plan, job)) return;
  const std::optional<MeshJob> better = mesh_that_fits(job);
  const std::string advice =
      better ? fmt::format("--mesh {}{} would fit", name_of(better->mesh),
                           job.trains && better->mesh.data > 1 ? fmt::format(" --zero {}", better->zero) : "")
             : "no mesh of up to 8 tensor ranks and 64 stages fits with these settings; reduce the batch or the length";
  throw BudgetExceeded(needed_bytes(plan, job), "the fullest rank of {} needs {}, but has {}; {}", name_of(job.mesh),
                       format_bytes_exactly(needed_bytes(plan, job)), format_bytes_exactly(job.memory_bytes), advice);
}

}  // namespace headroom
