// Attention and its backward: shapes, scratch of a fixed size a thread whatever the length, and the price of a causal
// pass. Where sequences begin and end are inputs, so the price assumes B of one length, each after the keys of its own
// that come before the queries; sequences that turn out shorter cost less.
//   T query rows, C key rows, H query heads, K key heads, D head size, B sequences.
#include "headroom/ops/attention.h"

#include <algorithm>

#include "headroom/backend/attention_tiles.h"
#include "headroom/base/cache_format.h"
#include "headroom/base/errors.h"
#include "headroom/ops/expect.h"

namespace headroom {
namespace {

int64_t head_size_of(const Type& q, const Attributes& attributes) {
  return q.shape[1] / std::max<int64_t>(attributes.integer("heads"), 1);
}

void expect_heads(std::string_view op, const Type& q, const Attributes& attributes) {
  const int64_t heads = attributes.integer("heads");
  const int64_t kv_heads = attributes.integer("kv_heads");
  if (heads < 1 || kv_heads < 1 || heads % kv_heads != 0) {
    throw InvalidInput("{}: kv_heads divides heads; got {} heads and {} kv_heads", op, heads, kv_heads);
  }
  const int64_t head_size = head_size_of(q, attributes);
  if (q.shape[1] % heads != 0 || head_size < 1 || head_size > kMaxHeadSize) {
    throw InvalidInput("{}: q is [T, H*D], D from 1 to {}; expected a multiple of {} heads, got {}", op, kMaxHeadSize,
                       heads, to_string(q.shape));
  }
  attributes.real("scale");
}

// Caches in formats of their own: keys and values in the same bits and groups, which are whole within a head.
void expect_caches(std::string_view op, const Type& k, const Type& v, const Type& expected, int64_t head_size) {
  const CacheFormat* keys = as_cache_format(k.dtype);
  const CacheFormat* values = as_cache_format(v.dtype);
  const bool match = (keys->order() == CacheFormat::Order::keys || k.dtype == v.dtype) && values != nullptr &&
                     values->order() == CacheFormat::Order::values && keys->bits() == values->bits() &&
                     keys->element() == values->element() && keys->group() == values->group();
  if (!match) {
    throw InvalidInput("{}: k and v are caches of one kind; expected those of keys and values, got {} and {}", op,
                       to_string(k), to_string(v));
  }
  if (head_size % keys->group() != 0) {
    throw InvalidInput("{}: heads are whole groups; expected a multiple of {} elements, got {}", op, keys->group(),
                       head_size);
  }
  expect_type(op, "v is as k", {v.dtype, expected.shape}, v);
}

void expect_operands(std::string_view op, const Type& q, const Type& k, const Type& v, const Type& sequences,
                     const Attributes& attributes) {
  expect_rows(op, "q is [T, H*D] in f32, bf16 or f16", q);
  expect_rank(op, "k is [C, K*D]", 2, k);
  expect_heads(op, q, attributes);
  const int64_t features = attributes.integer("kv_heads") * head_size_of(q, attributes);
  const Type expected = {k.dtype, {k.shape[0], features}};
  expect_type(op, "k is [C, K*D] where q is [T, H*D]", expected, k);
  if (as_cache_format(k.dtype) != nullptr) {
    expect_caches(op, k, v, expected, head_size_of(q, attributes));
  } else {
    expect_weight(op, "k and v are f32, bf16 or f16", k);
    expect_type(op, "v is as k", k, v);
  }
  expect_dtype(op, "sequences is i32[B, 4]", DType::i32, sequences);
  expect_rank(op, "sequences is i32[B, 4]", 2, sequences);
  expect_type(op, "sequences is [B, 4]", i32({sequences.shape[0], 4}), sequences);
}

// Pairs of a query and a key: each query sees the keys before its sequence's queries, and half of those on average.
double pairs(const Type& q, const Type& k, const Type& sequences, const Attributes& attributes) {
  const double queries = static_cast<double>(q.shape[0]);
  const double keys = static_cast<double>(k.shape[0]);
  const double count = static_cast<double>(std::max<int64_t>(sequences.shape[0], 1));
  const double earlier = std::max(0.0, keys - queries) / count;
  return static_cast<double>(attributes.integer("heads")) * queries * (earlier + queries / count / 2);
}

class Attention : public Op {
 public:
  Attention() : Op("attention") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 4, 4);
    expect_operands(name(), inputs[0], inputs[1], inputs[2], inputs[3], attributes);
    return {inputs[0], f32({inputs[0].shape[0], attributes.integer("heads")})};
  }

  Price price(const TypedNode& node) const override {
    const double head_size = static_cast<double>(head_size_of(node.inputs[0], node.attributes));
    return {.flops = pairs(node.inputs[0], node.inputs[1], node.inputs[3], node.attributes) * (4 * head_size + 20),
            .bytes = bytes_touched(node)};
  }

  std::vector<ValueId> gradient(Builder& build, const Node& forward,
                                std::span<const ValueId> gradients) const override {
    ensure(gradients[1] == kNoValue, "attention: lse has no gradient");
    if (gradients[0] == kNoValue) return std::vector<ValueId>(4, kNoValue);
    const Attributes& attributes = forward.attributes;
    const AttentionGradients result =
        attention_backward(build, forward.inputs[0], forward.inputs[1], forward.inputs[2],
                           {forward.outputs[0], forward.outputs[1]}, gradients[0], forward.inputs[3],
                           {attributes.integer("heads"), attributes.integer("kv_heads"), attributes.real("scale")});
    return {result.q, result.k, result.v, kNoValue};
  }
};

class AttentionBackward : public Op {
 public:
  AttentionBackward() : Op("attention_backward") {}

  std::vector<Type> output_types(std::span<const Type> inputs, const Attributes& attributes) const override {
    expect_inputs(name(), inputs, 7, 7);
    expect_operands(name(), inputs[0], inputs[1], inputs[2], inputs[6], attributes);
    expect_dtype(name(), "k and v are in q's format", inputs[0].dtype, inputs[1]);
    expect_type(name(), "out has q's shape", inputs[0], inputs[3]);
    expect_type(name(), "lse is [T, H]", f32({inputs[0].shape[0], attributes.integer("heads")}), inputs[4]);
    expect_type(name(), "dout has q's shape", inputs[0], inputs[5]);
    return {inputs[0], inputs[1], inputs[2]};
  }

  Price price(const TypedNode& node) const override {
    const double head_size = static_cast<double>(head_size_of(node.inputs[0], node.attributes));
    return {.flops = pairs(node.inputs[0], node.inputs[1], node.inputs[6], node.attributes) * (10 * head_size + 24),
            .bytes = bytes_touched(node)};
  }
};

Attributes attributes_of(const AttentionSettings& settings) {
  return {{"heads", settings.heads}, {"kv_heads", settings.kv_heads}, {"scale", settings.scale}};
}

}  // namespace

AttentionResult attention(Builder& build, ValueId q, ValueId k, ValueId v, ValueId sequences,
                          const AttentionSettings& settings) {
  const std::vector<ValueId> outputs = build.node("attention", {q, k, v, sequences}, attributes_of(settings));
  return {outputs[0], outputs[1]};
}

AttentionGradients attention_backward(Builder& build, ValueId q, ValueId k, ValueId v, const AttentionResult& forward,
                                      ValueId dout, ValueId sequences, const AttentionSettings& settings) {
  const std::vector<ValueId> outputs =
      build.node("attention_backward", {q, k, v, forward.out, forward.lse, dout, sequences}, attributes_of(settings));
  return {outputs[0], outputs[1], outputs[2]};
}

}  // namespace headroom

static const headroom::Attention attention_op;
HEADROOM_OP(attention_op);
static const headroom::AttentionBackward attention_backward_op;
HEADROOM_OP(attention_backward_op);
