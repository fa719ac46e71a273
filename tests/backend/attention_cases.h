// Shapes of attention that its tests share, random operands for them, and the softmax written out in f64.
#pragma once

#include <array>

#include "headroom/base/cache_format.h"
#include "headroom/base/cache_kind.h"
#include "tests/backend/oracle.h"

namespace headroom::testing {

struct AttentionCase {
  const char* name = "";
  std::vector<std::array<int, 4>> sequences;
  int64_t queries = 0;
  int64_t keys = 0;
  int64_t heads = 4;
  int64_t kv_heads = 2;
  int64_t head_size = 16;
  double magnitude = 1;  // of q and k
  DType kv_dtype = DType::f32;
};

inline const AttentionCase kAttentionCases[] = {
    {"one token", {{0, 1, 0, 0}}, 1, 1, 1, 1, 8},
    {"two documents", {{0, 13, 0, 0}, {13, 70, 13, 0}}, 83, 83, 4, 2, 24},
    {"block edges", {{0, 129, 0, 0}}, 129, 129, 2, 2, 40},
    {"many heads to one", {{0, 20, 0, 0}}, 20, 20, 7, 1, 8},
    {"more heads than a tile's rows", {{0, 3, 0, 1}}, 3, 4, 130, 1, 8},
    {"large scores", {{0, 100, 0, 0}}, 100, 100, 2, 1, 64, 12},
    {"head of 256", {{0, 67, 0, 0}}, 67, 67, 1, 1, 256},
    {"head of 80", {{0, 33, 0, 0}}, 33, 33, 2, 1, 80},
    {"later queries", {{0, 5, 3, 61}, {5, 2, 80, 127}}, 7, 210, 2, 1, 16},
    {"several tiles of one head of keys", {{0, 300, 0, 37}}, 300, 340, 2, 1, 8},
    {"several tiles of documents", {{0, 150, 0, 0}, {150, 0, 0, 0}, {150, 200, 150, 0}}, 350, 350, 2, 2, 16},
    {"cache in bf16", {{0, 3, 3, 200}}, 3, 210, 4, 2, 32, 1, DType::bf16},
    {"cache in f16", {{0, 90, 2, 70}, {90, 1, 3, 1100}}, 91, 1110, 2, 1, 16, 1, DType::f16},
    {"head of 100", {{0, 70, 0, 0}, {70, 2, 70, 130}}, 72, 210, 2, 1, 100},
    {"head of 4", {{0, 140, 0, 3}}, 140, 150, 6, 2, 4},
    {"head of 2, few rows", {{0, 3, 0, 1100}}, 3, 1110, 4, 2, 2, 1, DType::bf16},
    {"head of 20 in f16", {{0, 9, 2, 70}}, 9, 90, 4, 2, 20, 1, DType::f16},
    {"head of 576", {{0, 40, 0, 60}}, 40, 110, 6, 1, 576},
    {"head of 576, one row", {{0, 1, 0, 200}}, 1, 210, 16, 1, 576},
    {"across spans", {{0, 9, 0, 1019}, {9, 3, 1028, 2046}}, 12, 3077, 2, 1, 8},
};

// The rows as a cache keeps them; beside them, what it made of them.
struct CachedRows {
  CachedRows(const Array& rows, DType dtype)
      : format(*as_cache_format(dtype)),
        cache(Type{format.dtype(), rows.type().shape}),
        decoded(f32(rows.type().shape)) {
    const Shape& shape = rows.type().shape;
    format.encode(shape, 0, {rows.as<float>(), static_cast<size_t>(rows.elements())}, cache.as<std::byte>(), {});
    format.decode(shape, cache.as<std::byte>(), 0, rows.elements(), decoded.as<float>());
  }
  const CacheFormat& format;
  Array cache, decoded;
};

struct AttentionOperands {
  explicit AttentionOperands(AttentionCase of)
      : c(std::move(of)),
        random(static_cast<uint32_t>(c.queries * 31 + c.head_size)),
        q(random.array(f32({c.queries, c.heads * c.head_size}), -c.magnitude, c.magnitude)),
        k(random.array({c.kv_dtype, {c.keys, c.kv_heads * c.head_size}}, -c.magnitude, c.magnitude)),
        v(random.array(k.type())),
        sequences(i32({static_cast<int64_t>(c.sequences.size()), 4})) {
    for (size_t i = 0; i < 4 * c.sequences.size(); ++i)
      sequences.set(static_cast<int64_t>(i), c.sequences[i / 4][i % 4]);
  }
  std::vector<Array> inputs() const { return {q, k, v, sequences}; }
  Attributes attributes() const { return {{"heads", c.heads}, {"kv_heads", c.kv_heads}, {"scale", scale()}}; }
  double scale() const {
    return static_cast<double>(static_cast<float>(1 / std::sqrt(static_cast<double>(c.head_size))));
  }
  int64_t q_width() const { return c.heads * c.head_size; }
  int64_t k_width() const { return c.kv_heads * c.head_size; }

  AttentionCase c;
  Random random;
  Array q, k, v, sequences;
};

// One to three sequences, some without queries, from any position; every other time a few queries against many keys.
inline AttentionCase random_attention_case(Random& random, int64_t most_queries, int64_t last_position) {
  AttentionCase c = {.name = "random", .sequences = {}};
  c.kv_heads = random.integer(1, 3);
  c.heads = c.kv_heads * random.integer(1, 3);
  c.head_size = 2 * (random.integer(0, 4) == 0 ? random.integer(1, 128) : random.integer(1, 32));
  const bool decodes = random.integer(0, 1) == 0;
  const int64_t count = random.integer(1, 3);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t queries = decodes                     ? random.integer(0, 6)
                            : random.integer(0, 5) == 0 ? 0
                                                        : random.integer(1, most_queries);
    const int64_t position = random.integer(0, 2) > 0 ? random.integer(0, decodes ? last_position : 150) : 0;
    const int64_t first_key = random.integer(0, 9);
    c.sequences.push_back({static_cast<int>(c.queries), static_cast<int>(queries), static_cast<int>(first_key),
                           static_cast<int>(position)});
    c.queries += queries + random.integer(0, 1);
    c.keys = std::max(c.keys, first_key + position + queries);
  }
  c.queries = std::max<int64_t>(c.queries, 1);
  c.keys = std::max<int64_t>(c.keys, 1);
  return c;
}

// Puts infinities, NaN and numbers at the borders of f32 somewhere, in half of the calls.
inline void spoil(Random& random, const std::vector<Array>& arrays) {
  if (random.integer(0, 1) == 0) return;
  for (const double number : std::initializer_list<double>{INFINITY, -INFINITY, NAN, 1e38, -3e38, 1e-42}) {
    const Array& array = arrays[static_cast<size_t>(random.integer(0, static_cast<int64_t>(arrays.size()) - 1))];
    array.set(random.integer(0, array.elements() - 1), number);
  }
}

// The bits of the reference on every instruction set, on some number of threads.
inline void expect_reference_bits(Random& random, std::string_view op, const std::vector<Array>& inputs,
                                  const Attributes& attributes, const std::string& where) {
  const std::vector<Array> expected = run_kernel(Isa::reference, op, inputs, attributes);
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    if (!is_supported(isa)) continue;
    const int threads = static_cast<int>(random.integer(1, 4));
    const std::vector<Array> got = run_kernel(isa, op, inputs, attributes, threads);
    for (size_t i = 0; i < got.size(); ++i) {
      expect_same_bits(expected[i], got[i],
                       fmt::format("{}, {}, {} threads, output {}", where, name_of(isa), threads, i));
    }
  }
}

struct F64Attention {
  std::vector<double> out, lse;
};

// softmax(scale q k^T) v of each query over the keys up to its position.
inline F64Attention attention_in_f64(const AttentionOperands& x, const std::vector<double>& q,
                                     const std::vector<double>& k, const std::vector<double>& v) {
  const int64_t size = x.c.head_size;
  F64Attention result = {std::vector<double>(q.size(), 0.0),
                         std::vector<double>(static_cast<size_t>(x.c.queries * x.c.heads), 0.0)};
  for (const std::array<int, 4>& numbers : x.c.sequences) {
    const int64_t first_query = numbers[0], queries = numbers[1], first_key = numbers[2], position = numbers[3];
    for (int64_t row = first_query * x.c.heads; row < (first_query + queries) * x.c.heads; ++row) {
      const int64_t kv_head = row % x.c.heads * x.c.kv_heads / x.c.heads;
      const int64_t keys = position + row / x.c.heads - first_query + 1;
      const auto key = [&](int64_t j) { return ((first_key + j) * x.c.kv_heads + kv_head) * size; };
      std::vector<double> scores(static_cast<size_t>(keys), 0.0);
      for (int64_t j = 0; j < keys; ++j) {
        for (int64_t d = 0; d < size; ++d) {
          scores[static_cast<size_t>(j)] +=
              x.scale() * q[static_cast<size_t>(row * size + d)] * k[static_cast<size_t>(key(j) + d)];
        }
      }
      const double largest = *std::max_element(scores.begin(), scores.end());
      double sum = 0;
      for (const double score : scores) sum += std::exp(score - largest);
      for (int64_t j = 0; j < keys; ++j) {
        const double p = std::exp(scores[static_cast<size_t>(j)] - largest) / sum;
        for (int64_t d = 0; d < size; ++d)
          result.out[static_cast<size_t>(row * size + d)] += p * v[static_cast<size_t>(key(j) + d)];
      }
      result.lse[static_cast<size_t>(row)] = largest + std::log(sum);
    }
  }
  return result;
}

}  // namespace headroom::testing
