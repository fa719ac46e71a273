#include "headroom/train/training_graphs.h"

#include "headroom/ops/sum.h"
#include "headroom/ops/write_rows.h"
#include "headroom/passes/accumulate_gradients.h"
#include "headroom/passes/checkpoint.h"
#include "headroom/passes/compress_activations.h"
#include "headroom/passes/data_shards.h"
#include "headroom/passes/decode_per_reader.h"
#include "headroom/passes/differentiate.h"
#include "headroom/passes/fuse_embedding_gradient.h"
#include "headroom/passes/fuse_loss_gradients.h"
#include "headroom/passes/insert_lora.h"
#include "headroom/passes/mixed_precision.h"
#include "headroom/passes/prefetch.h"
#include "headroom/passes/two_pass_clipping.h"
#include "headroom/passes/updates_in_backward.h"
#include "headroom/passes/watch_numerics.h"
#include "headroom/plan/recompute_choice.h"
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

// What is done to a forward graph, with the share of the adapters' inputs that is left out.
std::vector<Pass> forward_passes(const TrainingShape& shape, double dropout) {
  std::vector<Pass> passes;
  if (shape.lora.is_on()) {
    passes.push_back({"lora",
                      [&, dropout](Graph graph) { return insert_lora(std::move(graph), shape.lora.layers, dropout); },
                      false});
  }
  if (shape.precision != DType::f32) {
    passes.push_back(
        {"mixed_precision", [&](Graph graph) { return mixed_precision(std::move(graph), shape.precision); }, false});
  }
  return passes;
}

Graph build_evaluation(const Model& model, const TrainingShape& shape, PassTrace* trace) {
  Forward forward = build_forward(model, shape, "evaluation");
  forward.graph.value(forward.losses).name = "losses";
  forward.graph.results.push_back(forward.losses);
  return run_passes(std::move(forward.graph), forward_passes(shape, 0), trace);
}

bool is_lora(const Value& value) { return is_lora_name(value.name); }

struct Trained {
  Graph graph;
  ValueId losses = kNoValue;
  ValueId seed = kNoValue;  // the gradient of each loss
};

// The forward with the losses gathered over the micro-batches of the update.
Trained build_step_forward(const Model& model, const TrainingShape& shape) {
  Forward forward = build_forward(model, shape, "step");
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

}  // namespace

int64_t runs_of(std::string_view graph, const TrainingShape& shape) {
  if (graph == "micro") return shape.micro_batches - 1;
  if (graph == "zero_gradients") return shape.data_shards;
  if (graph.starts_with("keep_shard")) return (shape.data_shards + 1) / 2;  // at most
  return graph == "evaluation" ? 0 : 1;
}

TrainingGraphs build_training_graphs(const Model& model, const TrainingShape& shape, const UpdateSettings& updates,
                                     const TrainingTechniques& techniques, bool evaluation, PassTrace* trace) {
  Trained trained = build_step_forward(model, shape);
  const bool accumulates = shape.micro_batches > 1;
  std::vector<Pass> backward = forward_passes(shape, shape.lora.config.dropout);
  backward.push_back({"differentiate",
                      [&](Graph graph) {
                        return shape.lora.is_on()
                                   ? differentiate(std::move(graph), trained.losses, trained.seed, is_lora)
                                   : differentiate(std::move(graph), trained.losses, trained.seed);
                      },
                      false});
  if (shape.lora.base_format) backward.push_back({"decode_per_reader", decode_per_reader, false});
  if (accumulates) {
    backward.push_back({"accumulate_gradients", accumulate_gradients, false});
  } else {
    backward.push_back({"fuse_embedding_gradient", fuse_embedding_gradient});
  }
  if (techniques.fuse_loss_gradients) backward.push_back({"fuse_loss_gradients", fuse_loss_gradients});
  if (techniques.checkpoint_layers) {
    backward.push_back({"checkpoint", checkpoint_layers});
  } else if (techniques.recompute_depth > 0) {
    backward.push_back(
        {"checkpoint", [&](Graph graph) {
           const std::vector<bool> again =
               RecomputeChoice(graph, *techniques.processor.kernels).nodes_for(techniques.recompute_depth);
           return recompute(std::move(graph), again);
         }});
  }
  if (techniques.compress_bits > 0) {
    const auto compress = [&](Graph graph) { return compress_activations(std::move(graph), techniques.compress_bits); };
    backward.push_back({"compress_activations", compress, false});
  }
  if (shape.watch_numerics) backward.push_back({"watch_numerics", watch_numerics, false});
  Graph step = run_passes(std::move(trained.graph), backward, trace);

  TrainingGraphs built;
  if (accumulates) {
    built.graphs.push_back(zero_gradient_sums(step));
    Graph micro = run_passes(step, {{"keep_only_sums", keep_only_sums, false}}, trace);
    micro.name = "micro";
    built.graphs.push_back(std::move(micro));
  }
  if (shape.data_shards > 1) {
    for (int level = 0; level < shard_levels(shape.data_shards); ++level) {
      built.graphs.push_back(keep_shard(step, level));
    }
    const auto join = [&](Graph graph) { return join_last_shard(std::move(graph), shape.data_shards); };
    step = run_passes(std::move(step), {{"join_last_shard", join, false}}, trace);
  }
  const Pass append = {"append_updates", [&](Graph graph) { return append_updates(std::move(graph), updates); }, false};
  const Pass early = {"updates_in_backward", updates_in_backward};
  std::vector<Pass> update = {append, early};
  if (techniques.two_pass_clipping) {
    built.graphs.push_back(run_passes(step, {append, {"keep_only_norm", keep_only_norm, false}, early}, trace));
    update = {append, {"take_clip_scale", take_clip_scale, false}, early};
  }
  built.graphs.push_back(run_passes(std::move(step), update, trace));
  const OffloadPlan leaving = plan_offload(built.graphs.back(), techniques.offload);
  if (evaluation) built.graphs.push_back(build_evaluation(model, shape, trace));
  if (leaving.values.empty()) return built;
  for (Graph& graph : built.graphs) {
    std::vector<Pass> passes = {{"offload", [&](Graph whole) { return offload(std::move(whole), leaving); }}};
    if (leaving.overlap) {
      passes.push_back({"prefetch", [&](Graph moved) { return prefetch(std::move(moved), techniques.processor); }});
    }
    graph = run_passes(std::move(graph), passes, trace);
  }
  return built;
}

}  // namespace headroom
