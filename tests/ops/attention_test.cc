// Op attention: the sentences of its shape rule, the storage it promises, what its gradient builds.
#include "headroom/ops/attention.h"

#include "headroom/base/cache_format.h"
#include "tests/ops/expect_op.h"

namespace headroom::testing {
namespace {

Attributes settings(int64_t heads, int64_t kv_heads) {
  return {{"heads", heads}, {"kv_heads", kv_heads}, {"scale", 0.25}};
}

TEST(AttentionOp, ChecksItsOperands) {
  const std::vector<Type> outputs =
      output_types("attention", {f32({5, 64}), f32({7, 32}), f32({7, 32}), i32({1, 4})}, settings(4, 2));
  EXPECT_EQ(outputs, (std::vector<Type>{f32({5, 64}), f32({5, 4})}));
  const auto refused = [](const Type& q, const Type& k, const Type& v, const Type& sequences, const Attributes& with,
                          const std::string& message) {
    expect_refused("attention", {q, k, v, sequences}, with, "attention: " + message);
  };
  refused(f32({5, 64}), f32({7, 64}), f32({7, 64}), i32({1, 4}), settings(4, 2),
          "k is [C, K*D] where q is [T, H*D]; expected [7, 32], got [7, 64]");
  refused(f32({5, 64}), f32({7, 32}), f32({8, 32}), i32({1, 4}), settings(4, 2),
          "v is as k; expected [7, 32], got [8, 32]");
  const auto cache = [](CacheFormat::Order order, int bits, int64_t head_size, const Shape& shape) {
    return Type{find_cache_format(order, bits, head_size)->dtype(), shape};
  };
  const Type keys = cache(CacheFormat::Order::keys, 4, 16, {7, 32});
  const Type values = cache(CacheFormat::Order::values, 4, 16, {7, 32});
  EXPECT_EQ(output_types("attention", {f32({5, 64}), keys, values, i32({1, 4})}, settings(4, 2)), outputs);
  refused(f32({5, 64}), keys, keys, i32({1, 4}), settings(4, 2),
          "k and v are caches of one kind; expected those of keys and values, got keys_q4_g8[7, 32] and "
          "keys_q4_g8[7, 32]");
  refused(f32({5, 64}), keys, f32({7, 32}), i32({1, 4}), settings(4, 2),
          "k and v are caches of one kind; expected those of keys and values, got keys_q4_g8[7, 32] and f32[7, 32]");
  refused(f32({5, 64}), cache(CacheFormat::Order::keys, 8, 32, {7, 32}),
          cache(CacheFormat::Order::values, 8, 32, {7, 32}), i32({1, 4}), settings(4, 2),
          "heads are whole groups; expected a multiple of 32 elements, got 16");
  refused(f32({5, 64}), f32({7, 32}), f32({7, 32}), i32({4, 1}), settings(4, 2),
          "sequences is [B, 4]; expected [4, 4], got [4, 1]");
  refused(f32({5, 64}), f32({7, 32}), f32({7, 32}), i32({1, 4}), settings(4, 3),
          "kv_heads divides heads; got 4 heads and 3 kv_heads");
  refused(f32({5, 50}), f32({7, 24}), f32({7, 24}), i32({1, 4}), settings(4, 2),
          "q is [T, H*D], D from 1 to 1024; expected a multiple of 4 heads, got [5, 50]");
  refused(f32({5, 1032}), f32({7, 1032}), f32({7, 1032}), i32({1, 4}), settings(1, 1),
          "q is [T, H*D], D from 1 to 1024; expected a multiple of 1 heads, got [5, 1032]");
  expect_refused("attention_backward",
                 {f32({5, 64}), f32({7, 32}), f32({7, 32}), f32({5, 64}), f32({5, 2}), f32({5, 64}), i32({1, 4})},
                 settings(4, 2), "attention_backward: lse is [T, H]; expected [5, 4], got [5, 2]");
}

TEST(AttentionOp, GradientReachesQueriesKeysAndValues) {
  GraphUnderTest test;
  const ValueId dout = test.input("dout", f32({5, 64}));
  attention(test.build, test.input("q", f32({5, 64})), test.input("k", f32({7, 32})), test.input("v", f32({7, 32})),
            test.input("sequences", i32({1, 4})), {4, 2, 0.25});
  EXPECT_EQ(test.gradient({dout, kNoValue}), "attention_backward attention_backward.1 attention_backward.2 -");
  EXPECT_EQ(test.graph.nodes.back().attributes, test.graph.nodes.front().attributes);
}

}  // namespace
}  // namespace headroom::testing
