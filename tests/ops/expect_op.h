// Asserts the sentences that ops refuse wrong operands with, the storage they promise, and what their gradients build.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/graph/builder.h"
#include "headroom/graph/op.h"
#include "headroom/graph/text.h"

namespace headroom::testing {

inline std::vector<Type> output_types(std::string_view op, const std::vector<Type>& inputs,
                                      const Attributes& attributes = {}) {
  const Op* found = find_op(op);
  ensure(found != nullptr, "no op {}", op);
  return found->output_types(inputs, attributes);
}

inline void expect_refused(std::string_view op, const std::vector<Type>& inputs, const Attributes& attributes,
                           const std::string& message) {
  try {
    output_types(op, inputs, attributes);
    ADD_FAILURE() << op << " accepted what it should refuse with: " << message;
  } catch (const InvalidInput& error) {
    EXPECT_EQ(error.what(), message);
  }
}

// "0<-2 1<-1": the pairs of output and input.
inline std::string to_string(const std::vector<StoragePair>& pairs) {
  std::string text;
  for (const StoragePair& pair : pairs) {
    text += fmt::format("{}{}<-{}", text.empty() ? "" : " ", pair.output, pair.input);
  }
  return text;
}

// An op with its operands' types at hand, for what depends on them.
struct Typed {
  Typed(std::string_view name, std::vector<Type> of, Attributes with = {})
      : op(find_op(name)), inputs(std::move(of)), attributes(std::move(with)) {
    ensure(op != nullptr, "no op {}", name);
    outputs = op->output_types(inputs, attributes);
  }
  TypedNode node() const { return {inputs, outputs, attributes}; }
  std::string in_place() const { return to_string(op->in_place(node())); }
  std::string may_reuse() const { return to_string(op->may_reuse(node())); }

  const Op* op;
  std::vector<Type> inputs, outputs;
  Attributes attributes;
};

// A graph under construction, whose last node's gradient is asked for.
struct GraphUnderTest {
  Graph graph;
  Builder build{graph};

  ValueId weight(std::string_view name, const Type& type) { return build.input(name, type, Role::weight); }
  ValueId input(std::string_view name, const Type& type) { return build.input(name, type, Role::input); }
  // The names of the gradients of the last node's inputs ("-" where there is none), given those of its outputs.
  std::string gradient(const std::vector<ValueId>& output_gradients) {
    const Node node = graph.nodes.back();
    std::string names;
    for (const ValueId id : node.op->gradient(build, node, output_gradients)) {
      names += (names.empty() ? "" : " ") + (id == kNoValue ? "-" : graph.value(id).name);
    }
    return names;
  }
};

}  // namespace headroom::testing
