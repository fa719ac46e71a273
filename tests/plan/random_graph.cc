#include "tests/plan/random_graph.h"

#include <fmt/core.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/plan/sketch.h"

namespace headroom::testing {
namespace {

class RandomSketch {
 public:
  RandomSketch(uint64_t seed, const std::string& name) : random_(seed), sketch_(name) {}

  Graph build() {
    add_inputs();
    for (size_t nodes = 1 + below(60); nodes > 0; --nodes) add_node();
    for (const auto& [input, now] : carried_) {
      if (now != input) sketch_.graph.carries.push_back({input, now});
    }
    return std::move(sketch_.graph);
  }

 private:
  size_t below(size_t count) { return static_cast<size_t>(random_() % count); }
  bool one_in(size_t count) { return below(count) == 0; }

  int64_t bytes() {
    const size_t kind = below(12);
    if (kind == 0) return 0;
    if (kind < 5) return 256;  // equal sizes, so that reuse has something to do
    return 4 * static_cast<int64_t>(1 + below(kind < 10 ? 100 : 4000));
  }

  void add_inputs() {
    for (size_t i = 1 + below(6); i > 0; --i) {
      const bool is_shared = one_in(2);
      const auto role = is_shared ? Role::weight : static_cast<Role>(below(5));
      const auto name = is_shared ? fmt::format("shared.{}", i) : fmt::format("{}.input.{}", sketch_.graph.name, i);
      const ValueId id = sketch_.input(is_shared ? 36 * static_cast<int64_t>(i) : bytes(), role, name);
      held_.push_back(id);
      if (one_in(2)) carried_.emplace_back(id, id);
    }
  }

  // Whether `id` must stay what it is to the end: a result, or an input that is not carried.
  bool is_fixed(ValueId id) const {
    const Graph& graph = sketch_.graph;
    if (std::count(graph.results.begin(), graph.results.end(), id) != 0) return true;
    const bool is_carried =
        std::any_of(carried_.begin(), carried_.end(), [&](const auto& c) { return c.second == id; });
    return std::count(graph.inputs.begin(), graph.inputs.end(), id) != 0 && !is_carried;
  }

  std::vector<ValueId> choose_operands() {
    std::vector<ValueId> operands;
    for (size_t i = held_.empty() ? 0 : below(4); i > 0; --i) {
      const size_t recent = std::min<size_t>(held_.size(), one_in(3) ? held_.size() : 5);
      operands.push_back(held_[held_.size() - 1 - below(recent)]);
    }
    return operands;
  }

  Output choose_output(const std::vector<ValueId>& operands, std::vector<ValueId>& overwritten) {
    Output output{bytes(), -1, -1, static_cast<Role>(below(kRoles))};
    if (operands.empty()) return output;
    const size_t position = below(operands.size());
    const ValueId operand = operands[position];
    const bool can_overwrite = std::count(operands.begin(), operands.end(), operand) == 1 &&
                               std::count(overwritten.begin(), overwritten.end(), operand) == 0 && !is_fixed(operand);
    if (can_overwrite && one_in(3)) {
      output.bytes = sketch_.graph.value(operand).bytes();
      output.in_place = static_cast<int>(position);
      overwritten.push_back(operand);
    } else if (one_in(2)) {
      output.reuse = static_cast<int>(position);
      if (one_in(2)) output.bytes = sketch_.graph.value(operand).bytes();  // else: the planner must look
    }
    return output;
  }

  void add_node() {
    const std::vector<ValueId> operands = choose_operands();
    std::vector<ValueId> overwritten;
    std::vector<Output> outputs;
    for (size_t i = 1 + below(3); i > 0; --i) outputs.push_back(choose_output(operands, overwritten));
    const int64_t scratch = one_in(3) ? bytes() + static_cast<int64_t>(below(7)) : 0;
    const auto made = sketch_.node(operands, outputs, scratch);
    for (size_t i = 0; i < made.size(); ++i) {
      bool is_carried = false;
      if (outputs[i].in_place >= 0) {
        const ValueId old = operands[static_cast<size_t>(outputs[i].in_place)];
        std::erase(held_, old);
        for (auto& [input, now] : carried_) {
          is_carried |= now == old;
          if (now == old) now = made[i];
        }
      }
      if (!one_in(5)) held_.push_back(made[i]);  // else: nobody reads it
      if (!is_carried && one_in(12)) sketch_.graph.results.push_back(made[i]);
    }
  }

  std::mt19937_64 random_;
  Sketch sketch_;
  std::vector<ValueId> held_;                         // values whose storage still holds them
  std::vector<std::pair<ValueId, ValueId>> carried_;  // an input, and the value that its storage holds now
};

}  // namespace

Graph random_graph(uint64_t seed, const std::string& name) { return RandomSketch(seed, name).build(); }

}  // namespace headroom::testing
