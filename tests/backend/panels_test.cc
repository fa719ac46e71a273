// Updates panel by panel (ops/panel.h): the bits of one update of the whole, whether an operand is the panel or the
// whole.
#include <gtest/gtest.h>

#include <cstring>

#include "headroom/base/dynamic_map.h"
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

constexpr int64_t kElements = 3000;
constexpr int64_t kPanel = 1024;

struct Update {
  const char* op;
  DType weight;
  int states;  // operands after the weight that are updated, too
};

// Elements [first, first + count) of an array of one number an element.
Array panel_of(const Array& whole, int64_t first, int64_t count) {
  const Array panel({whole.type().dtype, {count}});
  const int64_t size = size_of(whole.type().dtype);
  std::memcpy(panel.buffer()->data(), whole.buffer()->data() + first * size, static_cast<size_t>(count * size));
  return panel;
}

std::vector<Array> operands_of(const Update& update, Random& random) {
  const Shape shape = {kElements};
  std::vector<Array> inputs = {random.array({update.weight, shape})};
  for (int i = 0; i < update.states; ++i) {
    if (update.states == 2)
      inputs.push_back(random.array(f32(shape), 0, 1));
    else if (i % 2 == 0)
      inputs.push_back(random.integers(u8(shape), 0, 255));
    else
      inputs.push_back(random.array(f32({dynamic_blocks(kElements)}), 0, 2));
  }
  inputs.push_back(random.array(f32(shape)));
  inputs.push_back(array_of(f32({3}), std::vector<double>{0.01, 0.1, 0.3}));
  if (update.weight == DType::bf16) inputs.push_back(random.integers(i32({4}), 0, 1000));
  return inputs;
}

TEST(Panels, HaveTheBitsOfTheWholeUpdate) {
  for (const Update& update :
       {Update{"sgd", DType::f32, 0}, Update{"sgd", DType::bf16, 0}, Update{"adamw", DType::f32, 2},
        Update{"adamw", DType::bf16, 2}, Update{"adamw8bit", DType::f32, 4}, Update{"adamw8bit", DType::bf16, 4}}) {
    Random random(9);
    std::vector<Array> inputs = operands_of(update, random);
    Attributes attributes = {
        {"beta1", 0.9}, {"beta2", 0.95}, {"eps", 1e-8}, {"weight_decay", 0.1}, {"site", int64_t{5}}};
    const std::vector<Array> expected = expect_kernels_agree(update.op, inputs, attributes);
    const auto updated = static_cast<size_t>(1 + update.states);
    for (const bool whole_operands : {true, false}) {
      std::vector<Array> state(inputs.begin(), inputs.begin() + static_cast<int64_t>(updated));
      for (int64_t first = 0; first < kElements; first += kPanel) {
        const int64_t count = std::min(kPanel, kElements - first);
        attributes.set("first", first);
        attributes.set("elements", count);
        std::vector<Array> operands = inputs;
        for (size_t i = 0; i < operands.size(); ++i) {
          if (i < updated) operands[i] = state[i];
          const bool is_panel = !whole_operands && i > 0 && operands[i].elements() == kElements;
          if (is_panel) operands[i] = panel_of(operands[i], first, count);
        }
        const std::vector<Array> got = expect_kernels_agree(update.op, operands, attributes);
        for (size_t i = 0; i < updated; ++i) {
          if (got[i].elements() != count) {
            state[i] = got[i];
            continue;
          }
          const int64_t size = size_of(got[i].type().dtype);
          const Array next = state[i].copy();
          std::memcpy(next.buffer()->data() + first * size, got[i].buffer()->data(), static_cast<size_t>(count * size));
          state[i] = next;
        }
      }
      for (size_t i = 0; i < updated; ++i) expect_same_bits(expected[i], state[i], fmt::format("{} {}", update.op, i));
    }
  }
}

}  // namespace
}  // namespace headroom::testing
