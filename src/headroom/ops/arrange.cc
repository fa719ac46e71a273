#include "headroom/ops/arrange.h"

#include "headroom/base/errors.h"
#include "headroom/base/group_blocks.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

// So many columns of 16 rows take as many bytes in blocks as in a panel, without padding.
constexpr int64_t kColumnUnit = 64;

class Arrange : public Op {
 public:
  Arrange() : Op("arrange") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 1, 1);
    const Type& raw = inputs[0];
    expect_rank(name(), "raw is [N, K]", 2, raw);
    const int64_t head_rows = attributes.integer("head_rows");
    if (head_rows < 0 || head_rows % 2 != 0 || (head_rows > 0 && raw.shape[0] % head_rows != 0)) {
      throw InvalidInput("arrange: {} is no whole number of heads of {} rows", to_string(raw), head_rows);
    }
    if (is_scalar(raw.dtype)) {
      expect_rows(name(), "raw is in f32, bf16, f16 or blocks", raw);
      return {raw};
    }
    const Type kept = {arranged_format(raw.dtype), raw.shape};
    if (!comes_of(raw.dtype, kept)) {
      throw InvalidInput(
          "arrange: rows lie one behind the other, of q8_0 and q4_0 with a multiple of {} columns; got {}", kColumnUnit,
          to_string(raw));
    }
    return {kept};
  }

  std::vector<StoragePair> in_place(const TypedNode&) const override { return {{.output = 0, .input = 0}}; }

  Price price(const TypedNode& node) const override { return {.flops = 0, .bytes = bytes_touched(node)}; }

  bool reads_blocks(size_t) const override { return true; }
};

}  // namespace

ValueId arrange(Builder& build, ValueId raw, int64_t head_rows) {
  return build.value("arrange", {raw}, {{"head_rows", head_rows}}, build.graph().value(raw).role);
}

DType q8_blocks() { return find_block_format("q8_0")->dtype(); }

bool comes_of(DType raw, const Type& kept) {
  if (is_scalar(raw)) return raw == kept.dtype;
  if (!block_format(raw).has_rows() || arranged_format(raw) != kept.dtype) return false;
  return raw == kept.dtype || kept.shape[1] % kColumnUnit == 0;
}

}  // namespace headroom

static const headroom::Arrange arrange_op;
HEADROOM_OP(arrange_op);
