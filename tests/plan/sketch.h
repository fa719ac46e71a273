// Graphs for the planner's tests, made of one test-only op whose sizes, scratch and aliasing are attributes, so that
// every byte of a case is visible in the case.
#pragma once

#include <string>
#include <vector>

#include "headroom/graph/graph.h"
#include "headroom/graph/processor.h"

namespace headroom::testing {

struct Output {
  int64_t bytes = 0;  // a multiple of 4
  int in_place = -1;  // the input whose storage it shares
  int reuse = -1;     // the input whose storage it may take
  Role role = Role::activation;
};

// What runs sketched graphs.
Processor sketched(int threads);

// Appends to a graph. Values are named v0, v1, ... unless told otherwise.
class Sketch {
 public:
  explicit Sketch(std::string name) { graph.name = std::move(name); }
  ValueId input(int64_t bytes, Role role = Role::weight, std::string name = "");
  std::vector<ValueId> node(std::vector<ValueId> inputs, const std::vector<Output>& outputs, int64_t scratch = 0);
  ValueId value(std::vector<ValueId> inputs, Output output, int64_t scratch = 0) {
    return node(std::move(inputs), {output}, scratch).front();
  }
  // Makes the last node not read the inputs whose storage its outputs share.
  void overwrites_in_place() { graph.nodes.back().attributes.set("overwrites", int64_t{1}); }
  // Makes the scratch of the last node so many bytes a thread.
  void scratch_per_thread() { graph.nodes.back().attributes.set("per_thread", int64_t{1}); }

  Graph graph;
  std::string scope;
  Phase phase = Phase::forward;

 private:
  ValueId add(int64_t bytes, Role role, std::string name);
};

}  // namespace headroom::testing
