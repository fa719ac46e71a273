// Writing rows in place.
//   C rows of the target, T rows to write, F features.
#include "headroom/ops/write_rows.h"

#include "headroom/base/cache_format.h"
#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

class WriteRows : public Op {
 public:
  WriteRows() : Op("write_rows") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes&) const override {
    expect_inputs(name(), inputs, 3, 3);
    const Shape& target = inputs[0].shape;
    if (target.rank() != 1 && target.rank() != 2) {
      throw InvalidInput("write_rows: target is [C, F] or [C]; expected 1 or 2 dimensions, got {}", to_string(target));
    }
    expect_rank(name(), "rows has target's dimensions", target.rank(), inputs[1]);
    const int64_t rows = inputs[1].shape[0];
    const Shape expected = target.rank() == 1 ? Shape{rows} : Shape{rows, target[1]};
    const DType kept = inputs[0].dtype;
    const bool is_encoded = as_cache_format(kept) != nullptr;
    const bool is_rounded =
        is_encoded || (inputs[1].dtype == DType::f32 && (kept == DType::bf16 || kept == DType::f16));
    expect_type(name(), "rows is [T, F] where target is [C, F], in its dtype or rounded from f32",
                {is_rounded ? DType::f32 : kept, expected}, inputs[1]);
    const Shape& ranges = inputs[2].shape;
    const Shape pairs = ranges.rank() == 2 ? Shape{ranges[0], 2} : Shape{2};
    expect_type(name(), "range is i32[2] or i32[R, 2]", i32(pairs), inputs[2]);
    return {inputs[0]};
  }

  std::vector<StoragePair> in_place(const TypedNode&) const override { return {{.output = 0, .input = 0}}; }
  bool reads_input(const Node&, size_t input) const override { return input > 0; }

  Price price(const TypedNode& node) const override {
    const Type written = {node.inputs[0].dtype, node.inputs[1].shape};
    return {.flops = 0, .bytes = static_cast<double>(node.inputs[1].bytes()) + static_cast<double>(written.bytes())};
  }
};

}  // namespace

ValueId written_ranges(const Node& node, ValueId target) {
  return node.op->name() == "write_rows" && node.inputs[0] == target ? node.inputs[2] : kNoValue;
}

ValueId write_rows(Builder& build, ValueId target, ValueId rows, ValueId range) {
  return build.value("write_rows", {target, rows, range}, {}, build.graph().value(target).role);
}

}  // namespace headroom

static const headroom::WriteRows write_rows_op;
HEADROOM_OP(write_rows_op);
