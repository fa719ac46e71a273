#include "headroom/graph/builder.h"

#include "headroom/base/errors.h"

namespace headroom {

Builder::Builder(Graph& graph) : graph_(graph) {
  for (const Value& value : graph.values) names_.insert(value.name);
}

ValueId Builder::add_value(std::string name, const Type& type, Role role) {
  names_.insert(name);
  graph_.values.push_back({std::move(name), type, role});
  return static_cast<ValueId>(graph_.values.size() - 1);
}

ValueId Builder::input(std::string_view name, const Type& type, Role role, std::shared_ptr<const Binding> binding) {
  ensure(!names_.contains(std::string(name)), "the graph has a value named '{}' already", name);
  const ValueId id = add_value(std::string(name), type, role);
  graph_.value(id).binding = std::move(binding);
  graph_.inputs.push_back(id);
  return id;
}

std::vector<ValueId> Builder::node(std::string_view op_name, std::vector<ValueId> inputs, Attributes attributes,
                                   Role role) {
  const Op* op = find_op(op_name);
  ensure(op != nullptr, "there is no op named '{}'", op_name);
  std::vector<Type> types;
  for (const ValueId input : inputs) {
    ensure(input >= 0 && input < static_cast<ValueId>(graph_.values.size()), "{}: operand {} is not a value", op_name,
           input);
    types.push_back(type(input));
  }
  std::vector<ValueId> outputs;
  for (const Type& output : op->output_types(types, attributes))
    outputs.push_back(add_value(fresh_name(op_name), output, role));
  graph_.nodes.push_back({op, std::move(inputs), outputs, std::move(attributes), segment_, phase_});
  return outputs;
}

ValueId Builder::value(std::string_view op, std::vector<ValueId> inputs, Attributes attributes, Role role) {
  const std::vector<ValueId> outputs = node(op, std::move(inputs), std::move(attributes), role);
  ensure(outputs.size() == 1, "{} has {} outputs, expected one", op, outputs.size());
  return outputs.front();
}

std::string Builder::fresh_name(std::string_view op) {
  const std::string stem = segment_.name.empty() ? std::string(op) : fmt::format("{}/{}", segment_.name, op);
  int& count = counts_[stem];
  std::string name = count == 0 ? stem : fmt::format("{}.{}", stem, count);
  while (names_.contains(name)) name = fmt::format("{}.{}", stem, ++count);
  ++count;
  return name;
}

}  // namespace headroom
