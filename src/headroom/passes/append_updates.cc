#include "headroom/passes/append_updates.h"

#include <string>
#include <vector>

#include "headroom/graph/builder.h"
#include "headroom/ops/adamw8bit.h"
#include "headroom/ops/random_key.h"
#include "headroom/passes/differentiate.h"

namespace headroom {
namespace {

// A weight in bf16 is rounded stochastically, by words of its own.
void round_at_random(Builder& build, ValueId weight, std::vector<ValueId>& operands, Attributes& attributes) {
  if (build.type(weight).dtype != DType::bf16) return;
  operands.push_back(random_key(build));
  attributes.set("site", random_site(build.graph().value(weight).name));
}

void append_adamw(Builder& build, const TrainedWeight& trained, std::vector<ValueId> tail,
                  const UpdateSettings& settings) {
  const std::string name = build.graph().value(trained.weight).name;
  const Type type = f32(build.type(trained.weight).shape);
  const ValueId m = build.input(name + ".adam_m", type, Role::optimizer_state);
  const ValueId v = build.input(name + ".adam_v", type, Role::optimizer_state);
  std::vector<ValueId> operands = {trained.weight, m, v, trained.gradient};
  operands.insert(operands.end(), tail.begin(), tail.end());
  Attributes attributes = {{"beta1", settings.beta1},
                           {"beta2", settings.beta2},
                           {"eps", settings.eps},
                           {"weight_decay", type.shape.rank() >= 2 ? settings.weight_decay : 0.0}};
  round_at_random(build, trained.weight, operands, attributes);
  const std::vector<ValueId> next = build.node("adamw", operands, attributes, Role::optimizer_state);
  build.graph().value(next[0]).role = Role::weight;
  build.carry(trained.weight, next[0]);
  build.carry(m, next[1]);
  build.carry(v, next[2]);
}

void append_adamw8bit(Builder& build, const TrainedWeight& trained, const std::vector<ValueId>& tail,
                      const UpdateSettings& settings) {
  const std::string name = build.graph().value(trained.weight).name;
  const Shape shape = build.type(trained.weight).shape;
  const auto state = [&](const char* part, const Type& type) {
    return build.input(name + part, type, Role::optimizer_state);
  };
  const Adamw8bitState old = {trained.weight, state(".adam_m", codes_type(shape)),
                              state(".adam_m_scale", scales_type(shape)), state(".adam_v", codes_type(shape)),
                              state(".adam_v_scale", scales_type(shape))};
  const AdamwSettings own = {settings.beta1, settings.beta2, settings.eps,
                             shape.rank() >= 2 ? settings.weight_decay : 0.0};
  const Adamw8bitState next =
      adamw8bit(build, old, trained.gradient, tail[0], tail.size() > 1 ? tail[1] : kNoValue, own, random_site(name));
  build.carry(old.weight, next.weight);
  build.carry(old.m, next.m);
  build.carry(old.m_scale, next.m_scale);
  build.carry(old.v, next.v);
  build.carry(old.v_scale, next.v_scale);
}

void append_sgd(Builder& build, const TrainedWeight& trained, const std::vector<ValueId>& tail) {
  std::vector<ValueId> operands = {trained.weight, trained.gradient};
  operands.insert(operands.end(), tail.begin(), tail.end());
  Attributes attributes;
  round_at_random(build, trained.weight, operands, attributes);
  build.carry(trained.weight, build.value("sgd", operands, attributes, Role::weight));
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
    build.set_scope(graph.value(one.weight).name);
    squared_norms.push_back(build.value("squared_norm", {one.gradient}));
  }
  build.set_scope("clip");
  const double norm_of_all = settings.clip_tensors ? 0.0 : settings.grad_clip;
  Attributes attributes = {{"max_norm", norm_of_all}};
  std::vector<ValueId> operands = squared_norms;
  if (settings.loss_scaled) {
    operands.push_back(build.input("loss_scale", f32({1}), Role::input));
    attributes.set("unscales", int64_t{1});
  }
  const std::vector<ValueId> clip = build.node("clip_scale", operands, attributes);
  graph.value(clip[0]).name = "gradient_norm";
  build.result(clip[0]);

  for (size_t place = 0; place < trained.size(); ++place) {
    const TrainedWeight& one = trained[place];
    build.set_scope(graph.value(one.weight).name);
    std::vector<ValueId> tail = {scalars};
    if (settings.grad_clip > 0 || settings.loss_scaled) {
      tail.push_back(settings.clip_tensors
                         ? build.node("clip_scale", {squared_norms[place]}, {{"max_norm", settings.grad_clip}})[1]
                         : clip[1]);
    }
    const bool is_small = build.type(one.weight).shape.elements() < kLeast8bitElements;
    if (settings.optimizer == Optimizer::sgd) {
      append_sgd(build, one, tail);
    } else if (settings.optimizer == Optimizer::adamw8bit && !is_small) {
      append_adamw8bit(build, one, tail, settings);
    } else {
      append_adamw(build, one, tail, settings);
    }
  }
  return graph;
}

}  // namespace headroom
