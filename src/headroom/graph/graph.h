// The static graph of a step: every byte that the step touches is a value of it.
//
// Values and nodes live in vectors; ids are indices into `values`. The order of `nodes` is the order of execution.
// Graph inputs are values that no node produces: weights, optimizer state, token ids, scalars. They keep their
// storage from step to step. State is loop-carried: a node makes `w'` in the storage of `w`, and a Carry says that
// the next step reads `w'` where this one read `w`.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headroom/base/shape.h"
#include "headroom/graph/attributes.h"
#include "headroom/graph/segment.h"

namespace headroom {

class Op;
struct Binding;

using ValueId = int32_t;
inline constexpr ValueId kNoValue = -1;

enum class Role : uint8_t { input, weight, gradient, optimizer_state, activation, kv_cache, scratch, staging };
inline constexpr int kRoles = 8;
std::string_view name_of(Role role);
Role parse_role(std::string_view name);  // throws InvalidInput

// Which part of a step a node belongs to. Passes read it; the executor does not.
enum class Phase : uint8_t { forward, backward, update };
std::string_view name_of(Phase phase);
Phase parse_phase(std::string_view name);  // throws InvalidInput

// Where a value lives: in the budgeted memory, in the memory of the host behind a device, in a file of the job's own,
// or where it came from, in the model's files, which are only read. Only transfers touch what is not in the first
// (ops/transfer.h).
enum class Tier : uint8_t { device, host, disk, model };
inline constexpr int kTiers = 4;
std::string_view name_of(Tier tier);

struct Value {
  std::string name;  // unique in its graph; for graph inputs also across the graphs of a job
  Type type;
  Role role = Role::activation;
  Tier tier = Tier::device;
  // Of a graph input: what it is to files, to a new model and to updates (graph/binding.h). No part of the text form.
  std::shared_ptr<const Binding> binding = nullptr;

  int64_t bytes() const { return type.bytes(); }
};

struct Node {
  const Op* op = nullptr;  // from the table of ops; never null in a graph
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  Attributes attributes;
  Segment segment;
  Phase phase = Phase::forward;
};

// The next step reads `next` where this one read the graph input `input`. `next` must take the input's storage.
struct Carry {
  ValueId input = kNoValue;
  ValueId next = kNoValue;
};

struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<ValueId> inputs;  // in order of declaration
  std::vector<Node> nodes;      // in order of execution
  std::vector<Carry> carries;
  std::vector<ValueId> results;  // values that somebody reads after the step; they live to its end

  const Value& value(ValueId id) const { return values[static_cast<size_t>(id)]; }
  Value& value(ValueId id) { return values[static_cast<size_t>(id)]; }
  // The value of that name, or kNoValue. Linear: for tests and set-up.
  ValueId find(std::string_view name) const;
};

// Who makes and who reads each value, by index of node; rebuilt after a rewrite.
struct Uses {
  explicit Uses(const Graph& graph);
  std::vector<int32_t> producer;  // -1: a graph input (or a value that nothing makes)
  // Ascending; a node that reads a value twice is listed once.
  std::span<const int32_t> readers(ValueId id) const {
    const auto value = static_cast<size_t>(id);
    return std::span(readers_).subspan(ends_[value], ends_[value + 1] - ends_[value]);
  }

 private:
  std::vector<int32_t> readers_;  // of all values, one after the other
  std::vector<size_t> ends_;      // of the readers of the value before
};

// Which storage each value lives in: values that must share one storage (in-place updates) have the same root, the
// value that came first.
std::vector<ValueId> storage_roots(const Graph& graph);

// Drops nodes none of whose outputs is read, carried or a result, and values nobody mentions. Ids change.
Graph without_dead_nodes(Graph graph);

}  // namespace headroom
