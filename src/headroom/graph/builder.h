// Builds a graph node by node, checking types as it goes. Ops offer functions on top of it (ops/rms_norm.h).
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "headroom/graph/graph.h"
#include "headroom/graph/name_table.h"
#include "headroom/graph/op.h"

namespace headroom {

class Builder {
 public:
  // Appends to `graph`, which must outlive the builder. Names already in it stay unique.
  explicit Builder(Graph& graph);

  Graph& graph() { return graph_; }
  const Type& type(ValueId id) const { return graph_.value(id).type; }

  // Declares a graph input. Throws InternalError when the name is taken.
  ValueId input(std::string_view name, const Type& type, Role role, std::shared_ptr<const Binding> binding = nullptr);

  // Appends a node; its outputs are named after the segment and the op, numbered where that is taken. Throws
  // InvalidInput when the types do not fit the op, InternalError when there is no such op.
  std::vector<ValueId> node(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {},
                            Role role = Role::activation);
  // For ops with one output.
  ValueId value(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {},
                Role role = Role::activation);

  void carry(ValueId input, ValueId next) { graph_.carries.push_back({input, next}); }
  void result(ValueId value) { graph_.results.push_back(value); }

  // Whether anybody will read the gradient of `id`, an operand of the forward: a rule (Op::gradient) need not build one
  // that nobody reads. True unless differentiate said otherwise.
  bool wants_gradient(ValueId id) const {
    return static_cast<size_t>(id) >= wanted_.size() || wanted_[static_cast<size_t>(id)];
  }
  void want_gradients(std::vector<bool> of_values) { wanted_ = std::move(of_values); }

  // Segment and phase of the nodes that follow.
  void set_segment(const Segment& segment) { segment_ = segment; }
  const Segment& segment() const { return segment_; }
  void set_phase(Phase phase) { phase_ = phase; }
  Phase phase() const { return phase_; }

 private:
  ValueId add_value(std::string name, const Type& type, Role role);
  std::string fresh_name(std::string_view op);

  Graph& graph_;
  Segment segment_;
  Phase phase_ = Phase::forward;
  std::vector<bool> wanted_;  // by value; empty: all
  NameTable names_;
  std::unordered_map<std::string, int> counts_;  // outputs named so far, by segment and op
};

}  // namespace headroom
