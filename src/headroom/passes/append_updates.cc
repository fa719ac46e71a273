#include "headroom/passes/append_updates.h"

#include <string>
#include <vector>

#include "headroom/graph/interned.h"
#include "headroom/ops/adamw8bit.h"
#include "headroom/ops/clip_scale.h"
#include "headroom/ops/sgd.h"
#include "headroom/ops/sum.h"
#include "headroom/passes/differentiate.h"

namespace headroom {
namespace {

// Vectors do not decay.
AdamwSettings settings_for(const Type& weight, const UpdateSettings& settings) {
  return {settings.beta1, settings.beta2, settings.eps, weight.shape.rank() >= 2 ? settings.weight_decay : 0.0};
}

void append_adamw(Builder& build, const TrainedWeight& trained, ValueId scalars, ValueId gradient_scale,
                  const UpdateSettings& settings) {
  const std::string name = build.graph().value(trained.weight).name;
  const Type type = f32(build.type(trained.weight).shape);
  const AdamwState old = {trained.weight, build.input(name + ".adam_m", type, Role::optimizer_state),
                          build.input(name + ".adam_v", type, Role::optimizer_state)};
  const AdamwState next = adamw(build, old, trained.gradient, scalars, gradient_scale, settings_for(type, settings));
  build.carry(old.weight, next.weight);
  build.carry(old.m, next.m);
  build.carry(old.v, next.v);
}

void append_adamw8bit(Builder& build, const TrainedWeight& trained, ValueId scalars, ValueId gradient_scale,
                      const UpdateSettings& settings) {
  const std::string name = build.graph().value(trained.weight).name;
  const Type type = build.type(trained.weight);
  const auto state = [&](const char* part, const Type& part_type) {
    return build.input(name + part, part_type, Role::optimizer_state);
  };
  const Adamw8bitState old = {trained.weight, state(".adam_m", codes_type(type.shape)),
                              state(".adam_m_scale", scales_type(type.shape)), state(".adam_v", codes_type(type.shape)),
                              state(".adam_v_scale", scales_type(type.shape))};
  const Adamw8bitState next =
      adamw8bit(build, old, trained.gradient, scalars, gradient_scale, settings_for(type, settings));
  build.carry(old.weight, next.weight);
  build.carry(old.m, next.m);
  build.carry(old.m_scale, next.m_scale);
  build.carry(old.v, next.v);
  build.carry(old.v_scale, next.v_scale);
}

}  // namespace

Graph append_updates(Graph graph, const UpdateSettings& settings) {
  const std::vector<TrainedWeight> trained = trained_weights(graph);
  std::erase_if(graph.results, [&](ValueId id) { return graph.value(id).role == Role::gradient; });
  Builder build(graph);
  build.set_phase(Phase::update);
  const ValueId scalars = build.input("update_scalars", f32({3}), Role::input);

  std::vector<ValueId> squared_norms;
  for (const TrainedWeight& one : trained) {
    build.set_segment({interned(graph.value(one.weight).name)});
    squared_norms.push_back(squared_norm(build, one.gradient));
  }
  build.set_segment({"clip"});
  const double norm_of_all = settings.clip_tensors ? 0.0 : settings.grad_clip;
  const ValueId loss_scale = settings.loss_scaled ? build.input("loss_scale", f32({1}), Role::input) : kNoValue;
  const ClipScaleResult clip = clip_scale(build, squared_norms, norm_of_all, loss_scale);
  graph.value(clip.norm).name = "gradient_norm";
  build.result(clip.norm);

  for (size_t place = 0; place < trained.size(); ++place) {
    const TrainedWeight& one = trained[place];
    build.set_segment({interned(graph.value(one.weight).name)});
    ValueId scale = kNoValue;
    if (settings.grad_clip > 0 || settings.loss_scaled) {
      scale = settings.clip_tensors ? clip_scale(build, {squared_norms[place]}, settings.grad_clip).scale : clip.scale;
    }
    const bool is_small = build.type(one.weight).shape.elements() < kLeast8bitElements;
    if (settings.optimizer == Optimizer::sgd) {
      build.carry(one.weight, sgd(build, one.weight, one.gradient, scalars, scale));
    } else if (settings.optimizer == Optimizer::adamw8bit && !is_small) {
      append_adamw8bit(build, one, scalars, scale, settings);
    } else {
      append_adamw(build, one, scalars, scale, settings);
    }
  }
  return graph;
}

}  // namespace headroom
