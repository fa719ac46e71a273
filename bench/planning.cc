// How close plans come to what no plan can beat, and what planning costs: arena, lower bound, time and heap for every
// preset, training and inference; and what the tuner's search takes. Prints the tables of docs/benchmarks/planning.md.
// Run as bench_planning [PRESET...].
#include <fmt/core.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "headroom/api/job_settings.h"
#include "headroom/backend/backend.h"
#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/models/presets.h"
#include "headroom/ops/embedding.h"
#include "headroom/ops/matmul.h"
#include "headroom/passes/checkpoint.h"
#include "headroom/plan/job.h"
#include "headroom/train/training_graphs.h"
#include "headroom/train/training_job.h"

namespace {

// Bytes on the heap now and at most, counted by the replaced operator new.
int64_t heap_bytes = 0;
int64_t heap_peak_bytes = 0;

void* counted(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  heap_bytes += static_cast<int64_t>(malloc_usable_size(memory));
  heap_peak_bytes = std::max(heap_peak_bytes, heap_bytes);
  return memory;
}

}  // namespace

void* operator new(size_t bytes) { return counted(std::malloc(bytes)); }
void operator delete(void* memory) noexcept {
  heap_bytes -= static_cast<int64_t>(malloc_usable_size(memory));
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept { operator delete(memory); }

namespace headroom {
namespace {

constexpr int kThreads = 2;
constexpr int64_t kContext = 4096;
constexpr int64_t kPrefillChunk = 256;

Job training(const Model& model, int64_t tokens, int64_t micro_batches, bool clips, bool checkpoints) {
  UpdateSettings updates;
  updates.grad_clip = clips ? 1.0 : 0.0;
  TrainingWay way{.shape = {.micro_rows = 1, .micro_batches = micro_batches, .seq_len = tokens + 1}};
  if (checkpoints) way.rewrites.step.push_back({PassPhase::checkpointing, {"checkpoint", checkpoint_layers}});
  return build_training_job(model, way, updates, true);
}

// One chunk of `tokens` tokens over a KV cache of kContext rows, and the logits of one of them.
Graph chunk(const Model& model, const std::string& name, int64_t tokens) {
  Graph graph;
  graph.name = name;
  Builder build(graph);
  const StepInputs inputs = declare_step_inputs(
      build, model, {.tokens = tokens, .positions = kContext, .cache_rows = kContext, .of_tokens = name + "."});
  const ValueId h = model.forward(build, inputs, model.stored_formats());
  const ValueId row = build.input("last_row", i32({1}), Role::input);
  const ValueId weight = model.head_weight(build, model.stored_formats());
  build.result(linear(build, embedding(build, h, row), weight));
  return graph;
}

Job inference(const Model& model) {
  Job job;
  job.graphs.push_back(chunk(model, "prefill", kPrefillChunk));
  job.graphs.push_back(chunk(model, "decode", 1));
  return job;
}

struct JobKind {
  const char* name;
  std::function<Job(const Model&)> build;
};

void measure(const Preset& preset, const JobKind& kind) {
  const auto model = make_model(config_of(preset));
  const int64_t heap_before = heap_bytes;
  heap_peak_bytes = heap_bytes;
  const auto start = std::chrono::steady_clock::now();
  Job job = kind.build(*model);
  const auto built = std::chrono::steady_clock::now();
  job.processor = choose_backend().on(kThreads);
  size_t nodes = 0;
  for (const Graph& graph : job.graphs) nodes += graph.nodes.size();
  const Plan plan = plan_job(job);
  const auto planned = std::chrono::steady_clock::now();
  const std::chrono::duration<double, std::milli> build_ms = built - start;
  const std::chrono::duration<double, std::milli> plan_ms = planned - built;
  const double above = 100 * (static_cast<double>(plan.arena_bytes) / static_cast<double>(plan.lower_bound_bytes) - 1);
  const int64_t moving_bound = plan.lower_bound_bytes - plan.persistent_bytes;
  const double moving = 100 * (static_cast<double>(plan.transient_bytes) / static_cast<double>(moving_bound) - 1);
  fmt::print("| {} | {} | {} | {} | {} | {:.3f} % | {:.3f} % | {:.0f} | {:.0f} | {:.1f} |\n", preset.name, kind.name,
             format_count(static_cast<int64_t>(nodes)), format_bytes(plan.arena_bytes),
             format_bytes(plan.lower_bound_bytes), above, moving, build_ms.count(), plan_ms.count(),
             static_cast<double>(heap_peak_bytes - heap_before) / static_cast<double>(kMiB));
}

// The tuner's search among the lossless ways of an update of 8 x 512 tokens, with clipping, from an ample budget down
// to a refusal (docs/tuner.md).
void search(const Preset& preset) {
  const auto model = make_model(config_of(preset));
  TrainOptions options;
  options.model = preset.name;
  options.threads = kThreads;
  options.batch_size = 8;
  options.seq_len = 512;
  const TrainingRequest request = training_request(options);
  const auto refused_below = [&]() -> int64_t {
    try {
      fit_training(request, *model, {1}, 0);
    } catch (const BudgetExceeded& error) {
      return error.smallest_budget_bytes;
    }
    return 0;
  };
  const int64_t least = refused_below();
  const int64_t ample = fit_training(request, *model, {1000 * 1024 * kGiB}, 0).predicted_peak_bytes;
  fmt::print("\n| {}, 8 x 512 | budget | predicted peak | search ms | choice |\n|---|---:|---:|---:|---|\n",
             preset.name);
  for (const double share : {1.0, 0.75, 0.5, 0.25, 0.0, -0.1}) {
    const auto budget = least + static_cast<int64_t>(share * static_cast<double>(ample - least));
    const auto start = std::chrono::steady_clock::now();
    std::string choice = "refused";
    std::string peak;
    try {
      const FittedTraining job = fit_training(request, *model, {budget}, 0);
      choice = job.choice;
      peak = format_bytes(job.predicted_peak_bytes);
    } catch (const BudgetExceeded&) {
    }
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    fmt::print("| | {} | {} | {:.0f} | {} |\n", format_bytes(budget), peak, elapsed.count(), choice);
  }
}

int run(const std::vector<std::string>& wanted) {
  const std::vector<JobKind> kinds = {
      {"train, 1 x 4096", [](const Model& m) { return training(m, 4095, 1, false, false); }},
      {"train, clipping", [](const Model& m) { return training(m, 4095, 1, true, false); }},
      {"train, checkpointing", [](const Model& m) { return training(m, 4095, 1, false, true); }},
      {"train, clipping, checkpointing, 4 micro-batches",
       [](const Model& m) { return training(m, 1023, 4, true, true); }},
      {"generate, 4096 tokens", inference},
  };
  fmt::print(
      "| model | job | nodes | arena | lower bound | above | above, without what stays | building ms | planning ms | "
      "heap MiB |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
  for (const Preset& preset : presets()) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), preset.name) == wanted.end()) continue;
    for (const JobKind& kind : kinds) measure(preset, kind);
  }
  for (const Preset& preset : presets()) {
    const bool is_asked = std::find(wanted.begin(), wanted.end(), preset.name) != wanted.end();
    if (is_asked || (wanted.empty() && preset.name == "deepseek-llm-7b")) search(preset);
  }
  return 0;
}

}  // namespace
}  // namespace headroom

int main(int count, char** arguments) {
  return headroom::run(std::vector<std::string>(arguments + 1, arguments + count));
}
