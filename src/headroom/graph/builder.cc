#include "headroom/graph/builder.h"

#include "headroom/base/errors.h"

namespace headroom {

Builder::Builder(Graph& graph) : graph_(graph), names_(graph) {}

ValueId Builder::add_value(std::string name, const Type& type, Role role) {
  graph_.values.push_back({std::move(name), type, role});
  const auto id = static_cast<ValueId>(graph_.values.size() - 1);
  names_.add(id);
  return id;
}

ValueId Builder::input(std::string_view name, const Type& type, Role role, std::shared_ptr<const Binding> binding) {
  ensure(names_.find(name) == kNoValue, "the graph has a value named '{}' already", name);
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
  std::string stem(segment_.name);
  if (!stem.empty()) stem += '/';
  stem += op;
  int& count = counts_[stem];
  const auto numbered = [&] { return stem + '.' + std::to_string(count); };
  std::string name = count == 0 ? stem : numbered();
  while (names_.find(name) != kNoValue) {
    ++count;
    name = numbered();
  }
  ++count;
  return name;
}

}  // namespace headroom
