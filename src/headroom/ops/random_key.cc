// Where random numbers of a step come from.
#include "headroom/ops/random_key.h"

#include "headroom/base/errors.h"
#include "headroom/base/fingerprint.h"
#include "headroom/ops/expect.h"

namespace headroom {

ValueId random_key(Builder& build) {
  const ValueId found = build.graph().find(kRandomKeyName);
  return found != kNoValue ? found : build.input(kRandomKeyName, i32({4}), Role::input);
}

int64_t random_site(std::string_view name) {
  Fingerprint print;
  print.add(name);
  return static_cast<int64_t>((print.value() ^ print.value() >> 32) & 0xffffffffu);
}

void draw_for_weight(Builder& build, ValueId weight, std::vector<ValueId>& inputs, Attributes& attributes) {
  if (build.type(weight).dtype != DType::bf16) return;
  inputs.push_back(random_key(build));
  attributes.set("site", random_site(build.graph().value(weight).name));
}

void expect_random_key(std::string_view op, const Type& got, const Attributes& attributes) {
  expect_type(op, "random_key is i32[4]", i32({4}), got);
  const int64_t site = attributes.integer("site");
  if (site < 0 || site > 0xffffffff) throw InvalidInput("{}: site is a number of 32 bits, got {}", op, site);
}

std::span<const Type> without_random_key(std::string_view op, std::span<const Type> inputs,
                                         const Attributes& attributes) {
  if (inputs.empty()) return inputs;
  if (inputs[0].dtype != DType::bf16) {
    expect_dtype(op, "weight is f32 or bf16", DType::f32, inputs[0]);
    return inputs;
  }
  expect_random_key(op, inputs.back(), attributes);
  return inputs.first(inputs.size() - 1);
}

}  // namespace headroom
