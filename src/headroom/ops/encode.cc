#include "headroom/ops/encode.h"

#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class Encode : public Op {
 public:
  Encode() : Op("encode") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 1, 1);
    expect_rank(name(), "weight is [N, K]", 2, inputs[0]);
    expect_weight(name(), "weight is f32, bf16 or f16", inputs[0]);
    const auto format = static_cast<DType>(attributes.integer("format"));
    if (as_grouped(format) == nullptr) {
      throw InvalidInput("encode: expected a grouped format, got {}", name_of(format));
    }
    const Type encoded = {format, inputs[0].shape};
    encoded.bytes();  // throws for rows that are no whole groups
    return {encoded};
  }
};

}  // namespace

ValueId encode(Builder& build, ValueId weight, DType format) {
  return build.value("encode", {weight}, {{"format", static_cast<int64_t>(format)}}, Role::weight);
}

}  // namespace headroom

static const headroom::Encode encode_op;
HEADROOM_OP(encode_op);
