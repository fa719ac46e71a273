#include "tests/plan/llama_step.h"

#include <fmt/core.h>

#include <utility>
#include <vector>

#include "tests/plan/sketch.h"

namespace headroom::testing {
namespace {

// F hidden, I inner. Activations of `rows(n)` are f32 [tokens, n].
class LlamaSketch {
 public:
  explicit LlamaSketch(const LlamaSizes& sizes) : sizes_(sizes), sketch_("train") {}

  Graph build() {
    const ValueId ids = sketch_.input(4 * sizes_.tokens, Role::input, "ids");
    sketch_.scope = "embedding";
    const Weight embedding = weight("embedding", sizes_.vocabulary * sizes_.hidden);
    ValueId x = sketch_.value({embedding.w, ids}, {rows(sizes_.hidden)});
    std::vector<Layer> layers;
    for (int i = 0; i < sizes_.layers; ++i) layers.push_back(forward(i, x));
    sketch_.scope = "head";
    const Weight head = weight("head", sizes_.vocabulary * sizes_.hidden);
    const auto loss = sketch_.node({x, head.w, ids}, {{rows(1)}, {rows(1)}}, 8 << 20);
    sketch_.graph.results.push_back(sketch_.value({loss[0]}, {8}));
    sketch_.phase = Phase::backward;
    const auto grads = sketch_.node({x, head.w, ids, loss[1]}, {gradient(head), {rows(sizes_.hidden)}}, 48 << 20);
    finish(head, grads[0]);
    ValueId dx = grads[1];
    for (int i = sizes_.layers; i-- > 0;) dx = backward(layers[static_cast<size_t>(i)], dx, i);
    sketch_.scope = "embedding";
    finish(embedding, sketch_.value({ids, dx}, gradient(embedding), 4 * sizes_.tokens));
    sketch_.phase = Phase::update;
    for (const auto& [trained, grad] : pending_) update(trained, grad);
    return std::move(sketch_.graph);
  }

 private:
  struct Weight {
    std::string name;
    int64_t bytes;
    ValueId w, m, v;
  };
  struct Layer {
    Weight norm1, q, k, v, o, norm2, gate, up, down;
    ValueId x, h1, r1, qr, kr, vx, a, lse, x2, h2, r2, g, u, s;
  };

  int64_t rows(int64_t features) const { return 4 * sizes_.tokens * features; }
  static Output gradient(const Weight& weight) { return {weight.bytes, -1, -1, Role::gradient}; }
  // An activation of F features that may take the storage of the input at `position`.
  Output over(int position) const { return {rows(sizes_.hidden), -1, position}; }

  Weight weight(const std::string& name, int64_t elements) {
    return {name, 4 * elements, sketch_.input(4 * elements, Role::weight, name),
            sketch_.input(4 * elements, Role::optimizer_state, name + ".m"),
            sketch_.input(4 * elements, Role::optimizer_state, name + ".v")};
  }

  void finish(const Weight& trained, ValueId grad) {
    if (sizes_.updates_last) {
      pending_.emplace_back(trained, grad);
    } else {
      const Phase before = std::exchange(sketch_.phase, Phase::update);
      update(trained, grad);
      sketch_.phase = before;
    }
  }

  void update(const Weight& trained, ValueId grad) {
    const std::string before = std::exchange(sketch_.scope, trained.name);
    const auto next =
        sketch_.node({trained.w, trained.m, trained.v, grad}, {{trained.bytes, 0, -1, Role::weight},
                                                               {trained.bytes, 1, -1, Role::optimizer_state},
                                                               {trained.bytes, 2, -1, Role::optimizer_state}});
    sketch_.graph.carries.push_back({trained.w, next[0]});
    sketch_.graph.carries.push_back({trained.m, next[1]});
    sketch_.graph.carries.push_back({trained.v, next[2]});
    sketch_.scope = before;
  }

  ValueId product(ValueId x, const Weight& w, int64_t features) {
    return sketch_.value({x, w.w}, {rows(features)}, 1 << 20);
  }

  Layer forward(int index, ValueId& x) {
    const int64_t f = sizes_.hidden;
    const std::string prefix = fmt::format("layers.{}", index);
    sketch_.scope = prefix;
    const auto named = [&](const char* part, int64_t elements) { return weight(prefix + "." + part, elements); };
    Layer l = {};
    l.x = x;
    l.norm1 = named("norm1", f), l.norm2 = named("norm2", f);
    l.q = named("q", f * f), l.k = named("k", f * f), l.v = named("v", f * f), l.o = named("o", f * f);
    l.gate = named("gate", f * sizes_.inner), l.up = named("up", f * sizes_.inner);
    l.down = named("down", f * sizes_.inner);
    const auto norm1 = sketch_.node({x, l.norm1.w}, {{rows(f)}, {rows(1)}});
    l.h1 = norm1[0], l.r1 = norm1[1];
    l.qr = sketch_.value({product(l.h1, l.q, f)}, over(0));
    l.kr = sketch_.value({product(l.h1, l.k, f)}, over(0));
    l.vx = product(l.h1, l.v, f);
    const auto attention = sketch_.node({l.qr, l.kr, l.vx}, {{rows(f)}, {rows(32)}}, 1 << 20);
    l.a = attention[0], l.lse = attention[1];
    l.x2 = sketch_.value({x, product(l.a, l.o, f)}, over(1));
    const auto norm2 = sketch_.node({l.x2, l.norm2.w}, {{rows(f)}, {rows(1)}});
    l.h2 = norm2[0], l.r2 = norm2[1];
    l.g = product(l.h2, l.gate, sizes_.inner);
    l.u = product(l.h2, l.up, sizes_.inner);
    l.s = sketch_.value({l.g, l.u}, {rows(sizes_.inner)});
    x = sketch_.value({l.x2, product(l.s, l.down, f)}, over(1));
    return l;
  }

  // The two products of a linear layer's backward; the gradient of the weight is finished first.
  ValueId linear(ValueId x, const Weight& w, ValueId dy, int64_t features) {
    const ValueId dx = sketch_.value({dy, w.w}, {rows(features)}, 1 << 20);
    finish(w, sketch_.value({x, dy}, gradient(w), 1 << 20));
    return dx;
  }

  ValueId backward(const Layer& l, ValueId dx, int index) {
    const int64_t f = sizes_.hidden;
    sketch_.scope = fmt::format("layers.{}", index);
    const ValueId ds = linear(l.s, l.down, dx, sizes_.inner);
    const auto swiglu = sketch_.node({l.g, l.u, ds}, {{rows(sizes_.inner), -1, 2}, {rows(sizes_.inner), -1, 1}});
    const ValueId dh_gate = linear(l.h2, l.gate, swiglu[0], f);
    const ValueId dh_up = linear(l.h2, l.up, swiglu[1], f);
    ValueId dh = sketch_.value({dh_gate, dh_up}, over(0));
    ValueId dx2 = sketch_.value({l.x2, l.norm2.w, l.r2, dh}, {rows(f)});
    finish(l.norm2, sketch_.value({l.x2, l.r2, dh}, gradient(l.norm2)));
    dx2 = sketch_.value({dx, dx2}, over(0));
    const ValueId da = linear(l.a, l.o, dx2, f);
    const auto attention = sketch_.node({l.qr, l.kr, l.vx, l.a, l.lse, da}, {{rows(f)}, {rows(f)}, {rows(f)}}, 1 << 20);
    const ValueId dq = sketch_.value({attention[0]}, over(0));
    const ValueId dk = sketch_.value({attention[1]}, over(0));
    const ValueId from_v = linear(l.h1, l.v, attention[2], f);
    const ValueId from_k = linear(l.h1, l.k, dk, f);
    const ValueId from_q = linear(l.h1, l.q, dq, f);
    dh = sketch_.value({from_v, from_k}, over(0));
    dh = sketch_.value({dh, from_q}, over(0));
    const ValueId dx1 = sketch_.value({l.x, l.norm1.w, l.r1, dh}, {rows(f)});
    finish(l.norm1, sketch_.value({l.x, l.r1, dh}, gradient(l.norm1)));
    return sketch_.value({dx2, dx1}, over(0));
  }

  LlamaSizes sizes_;
  Sketch sketch_;
  std::vector<std::pair<Weight, ValueId>> pending_;
};

}  // namespace

Graph llama_step(const LlamaSizes& sizes) { return LlamaSketch(sizes).build(); }

}  // namespace headroom::testing
