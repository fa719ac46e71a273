#include "headroom/train/training_graphs.h"

#include <algorithm>

#include "headroom/ops/random_key.h"
#include "headroom/ops/sum.h"
#include "headroom/ops/write_rows.h"
#include "headroom/passes/accumulate_gradients.h"
#include "headroom/passes/balance_experts.h"
#include "headroom/passes/differentiate.h"
#include "headroom/passes/fuse_embedding_gradient.h"
#include "headroom/passes/updates_in_backward.h"
#include "headroom/tasks/task.h"

namespace headroom {
namespace {

struct Forward {
  Graph graph;
  ValueId losses = kNoValue;  // f32[T]
};

Forward build_forward(const Model& model, const TrainingShape& shape, const char* name) {
  Forward forward;
  forward.graph.name = name;
  Builder build(forward.graph);
  const Task& task = task_of(model);
  const TaskInputs inputs = task.declare(build, model, shape.step());
  const WeightFormats formats = shape.lora.is_on() ? shape.lora.formats(model) : all_in(shape.weights);
  const ValueId h = model.forward(build, inputs.step, formats);
  forward.losses = task.losses(build, h, model.head_weight(build, formats), inputs);
  return forward;
}

Graph build_evaluation(const Model& model, const TrainingShape& shape, const Rewrites& rewrites, PassTrace* trace) {
  Forward forward = build_forward(model, shape, "evaluation");
  forward.graph.value(forward.losses).name = "losses";
  forward.graph.results.push_back(forward.losses);
  return run_passes(std::move(forward.graph), in_order(rewrites.evaluation), trace);
}

struct Trained {
  Graph graph;
  ValueId losses = kNoValue;
  ValueId seed = kNoValue;  // the gradient of each loss
};

// The forward with the losses, what gates add to them included, gathered over the micro-batches of the update.
Trained build_step_forward(const Model& model, const TrainingShape& shape) {
  Forward forward = build_forward(model, shape, "step");
  if (shape.balance_loss != 0) {
    forward.losses = balance_experts(forward.graph, forward.losses, shape.balance_loss);
  }
  Builder build(forward.graph);
  build.set_segment({"loss"});
  const ValueId seed = build.input("loss_gradient", f32({1}), Role::input);
  const ValueId range = build.input("loss_range", i32({2}), Role::input);
  const ValueId all_losses = build.input("token_losses", f32({shape.predictions()}), Role::input);
  const ValueId written = write_rows(build, all_losses, forward.losses, range);
  build.carry(all_losses, written);
  const ValueId total = sum(build, written);
  forward.graph.value(total).name = "loss_sum";
  build.result(total);
  return {std::move(forward.graph), forward.losses, seed};
}

// The update of one graph. What the host fills before each micro-batch, and before the first.
Schedule one_graph_update() {
  return {.name = "update",
          .given = {"rotary_table", "loss_gradient", "update_scalars"},
          .rows = {{.graph = 0,
                    .fills = {"tokens", "targets", "positions", "sequences", "loss_range"},
                    .reads = {"loss_sum", "gradient_norm"}}}};
}

// What not every update has.
void give_optional_inputs(Job& job) {
  for (const std::string_view name : {std::string_view("loss_scale"), kRandomKeyName}) {
    const bool is_used = std::any_of(job.graphs.begin(), job.graphs.end(), [&](const Graph& graph) {
      return std::any_of(graph.inputs.begin(), graph.inputs.end(),
                         [&](ValueId id) { return graph.value(id).name == name; });
    });
    if (is_used) job.schedule("update").given.emplace_back(name);
  }
}

void add_evaluation(Job& job, Graph evaluation) {
  job.schedules.push_back({.name = "evaluation",
                           .given = {"rotary_table"},
                           .rows = {{.graph = static_cast<int32_t>(job.graphs.size()),
                                     .fills = {"tokens", "targets", "positions", "sequences"},
                                     .reads = {"losses"}}}});
  job.graphs.push_back(std::move(evaluation));
}

void rewrite_job(Job& job, const TrainingWay& way, JobPhase phase, PassTrace* trace) {
  for (const JobRewrite& one : way.rewrites.job) {
    if (one.phase == phase) one.rewrite(job, trace);
  }
}

// Of what the graph computes. In graphs of nothing else there is no backward for updates to move into.
bool has_updates(const Graph& graph) {
  const auto updates = std::count_if(graph.nodes.begin(), graph.nodes.end(),
                                     [](const Node& node) { return node.phase == Phase::update; });
  return updates > 0 && updates < std::ssize(graph.nodes);
}

}  // namespace

Job build_resident_job(const Model& model, const TrainingWay& way, const UpdateSettings& updates, bool evaluation,
                       PassTrace* trace) {
  const TrainingShape& shape = way.shape;
  Trained trained = build_step_forward(model, shape);
  const bool accumulates = shape.micro_batches > 1;
  const auto backward = [&](Graph graph) { return differentiate(std::move(graph), trained.losses, trained.seed); };
  std::vector<PhasedPass> step_passes = way.rewrites.step;
  step_passes.push_back({PassPhase::differentiation, {"differentiate", backward, false}});
  step_passes.push_back({PassPhase::sums, accumulates ? Pass{"accumulate_gradients", accumulate_gradients, false}
                                                      : Pass{"fuse_embedding_gradient", fuse_embedding_gradient}});
  Job job{.graphs = {}, .schedules = {one_graph_update()}};
  job.graphs.push_back(run_passes(std::move(trained.graph), in_order(std::move(step_passes)), trace));
  const auto rewrite = [&](Graph& graph, const Pass& pass) { graph = run_passes(std::move(graph), {pass}, trace); };
  if (accumulates) {
    Graph sums = run_passes(job.graphs.back(), {{"keep_only_sums", keep_only_sums, false}}, trace);
    add_micro_batches(job, std::move(sums), shape.micro_batches);
  }
  rewrite_job(job, way, JobPhase::shards, trace);
  const auto append = [&](Graph graph) { return append_updates(std::move(graph), updates); };
  rewrite(job.graphs.back(), {"append_updates", append, false});
  rewrite_job(job, way, JobPhase::ranks, trace);
  rewrite_job(job, way, JobPhase::clipping, trace);
  for (Graph& graph : job.graphs) {
    if (has_updates(graph)) rewrite(graph, {"updates_in_backward", updates_in_backward});
  }
  give_optional_inputs(job);
  if (evaluation) add_evaluation(job, build_evaluation(model, shape, way.rewrites, trace));
  return job;
}

void settle_residence(Job& job, const TrainingWay& way, PassTrace* trace) {
  rewrite_job(job, way, JobPhase::residence, trace);
}

Job build_training_job(const Model& model, const TrainingWay& way, const UpdateSettings& updates, bool evaluation,
                       PassTrace* trace) {
  Job job = build_resident_job(model, way, updates, evaluation, trace);
  settle_residence(job, way, trace);
  return job;
}

}  // namespace headroom
