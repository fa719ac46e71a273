// A tile of attention's forward: up to 128 rows (pairs of a query and a head of one group) of a sequence, carried on
// block by block of keys. The scores' lanes are keys, the outputs' lanes are the head's elements, and in both the sums
// run in the definition's order. The rows of a tile are sorted by query, so from row to row the number of keys they see
// never falls.
#pragma once

#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include "headroom/backend/cpu/attention_cache.h"

namespace headroom::HEADROOM_ISA {

// The softmax so far of some rows: largest score, sum of exp(score - largest), values weighted alike.
struct Partials {
  float* max;
  float* sum;
  float* output;  // rows of Dp
};

class AttentionTile {
 public:
  // `scratch`: attention_scratch_elements(D) floats.
  AttentionTile(const Invocation& call, const HeadLayout& layout, float* scratch)
      : call_(call), layout_(layout), scale_(static_cast<float>(call.attributes.real("scale"))) {
    if (const CacheFormat* keys = as_cache_format(call.inputs[1].type.dtype)) {
      keys_layout_.emplace(*keys, call.inputs[1].type.shape);
      values_layout_.emplace(*as_cache_format(call.inputs[2].type.dtype), call.inputs[2].type.shape);
    }
    const auto take = [&](int64_t elements) { return std::exchange(scratch, scratch + elements); };
    keys_ = {take(kKeyBlock * layout.size), layout.size, kKeyBlock};
    values_ = {take(kKeyBlock * layout.padded), kKeyBlock, layout.padded};
    scores_ = take(kAttentionChunk * kKeyBlock);
    q_ = take(kRowTile * layout.padded);
    for (Partials* partials : {&all_, &span_}) {
      *partials = {take(kRowTile), take(kRowTile), take(kRowTile * layout.padded)};
    }
  }

  // Turns to the rows [first_row, first_row + rows) of the sequence's queries x group.
  void take(const Sequence& sequence, int64_t kv_head, int64_t first_row, int64_t rows) {
    sequence_ = sequence;
    kv_head_ = kv_head;
    first_row_ = first_row;
    rows_ = rows;
    with_elements(call_.inputs[0], [&](auto* q) {
      for (int64_t row = 0; row < rows; ++row) {
        copy_row(q + query_of(row) * layout_.size, layout_, q_ + row * layout_.padded);
      }
    });
  }

  // All keys that the rows see, in this thread's own partials, and the results.
  void attend() {
    const int64_t end = keys_of(rows_ - 1);
    for (int64_t span_first = 0; span_first < end; span_first += kKeySpan) {
      const Partials& partials = span_first == 0 ? all_ : span_;
      for (int64_t first = span_first; first < std::min(end, span_first + kKeySpan); first += kKeyBlock) {
        add_block(first, partials, {kv_head_, first + kKeyBlock, end});
      }
      if (span_first != 0) merge_span(span_first, partials, all_);
    }
    write_results(all_);
  }

  // Keys of the sequence that will be read soon: up to 64 from `first`, below `end`.
  struct Next {
    int64_t kv_head;
    int64_t first;
    int64_t end;
  };

  // Goes on with the block of keys from `first` in all rows that see it, while the next ones are on their way.
  void add_block(int64_t first, const Partials& partials, const Next& next) {
    const int64_t start = first_row_that_sees(first);
    if (start >= rows_) return;
    if (first % kKeySpan == 0) {
      std::fill(partials.max + start, partials.max + rows_, -std::numeric_limits<float>::infinity());
      std::fill(partials.sum + start, partials.sum + rows_, 0.0f);
    }
    const int64_t count = std::min(kKeyBlock, keys_of(rows_ - 1) - first);
    if (keys_layout_) return add_block_of_cache(partials, first, start, count, next);
    with_elements(call_.inputs[1], [&](auto* keys) {
      const auto* values = reinterpret_cast<decltype(keys)>(call_.inputs[2].data);
      const HeadRows k = rows_from(keys, kv_head_, first);
      const HeadRows v = rows_from(values, kv_head_, first);
      using Element = std::remove_cvref_t<decltype(*keys)>;
      const BlockAhead<Element> ahead = {rows_from(keys, next.kv_head, next.first),
                                         rows_from(values, next.kv_head, next.first),
                                         std::clamp<int64_t>(next.end - next.first, 0, kKeyBlock)};
      const bool is_whole = keys_of(start) - first >= kKeyBlock && layout_.size % kLanes == 0;
      if (is_whole && rows_ - start <= kFewRows) return add_whole_block(partials, first, start, k, v, ahead);
      pack_transposed(k, count, layout_.size, keys_);
      pack_rows(v, count, layout_.size, values_);
      int64_t asked = 0;
      add_packed_block(partials, first, start, count, [&](int64_t rows_done) {
        const int64_t ask = ahead.rows * rows_done / (rows_ - start);
        prefetch_rows(ahead.keys, asked, ask, layout_.size);
        prefetch_rows(ahead.values, asked, ask, layout_.size);
        asked = ask;
      });
    });
  }

  // Merges a later span into what came before it, in the rows that see it.
  void merge_span(int64_t span_first, const Partials& span, const Partials& all) const {
    for (int64_t row = first_row_that_sees(span_first); row < rows_; ++row) {
      const F32x16 old_max(all.max[row]);
      const F32x16 span_max(span.max[row]);
      const F32x16 new_max = max(old_max, span_max);
      const F32x16 old_factor = exp(old_max - new_max);
      const F32x16 span_factor = exp(span_max - new_max);
      store(all.max + row, new_max, 1);
      store(all.sum + row, F32x16(all.sum[row]) * old_factor + F32x16(span.sum[row]) * span_factor, 1);
      float* output = all.output + row * layout_.padded;
      const float* span_output = span.output + row * layout_.padded;
      for (int64_t d = 0; d < layout_.padded; d += kLanes) {
        store(output + d, load(output + d) * old_factor + load(span_output + d) * span_factor);
      }
    }
  }

  void write_results(const Partials& all) const {
    with_elements(call_.outputs[0], [&]<class Element>(const Element*) {
      for (int64_t row = 0; row < rows_; ++row) {
        const int64_t query = query_of(row);
        Element* out = call_.outputs[0].as<Element>() + query * layout_.size;
        const float* output = all.output + row * layout_.padded;
        const F32x16 sum_of_row(all.sum[row]);
        for_each_group(0, layout_.size, [&](int64_t d, auto n) { store(out + d, load(output + d) / sum_of_row, n); });
        store(call_.outputs[1].as<float>() + query, F32x16(all.max[row]) + log(sum_of_row), 1);
      }
    });
  }

 private:
  // The row's place among all pairs of a query and a head.
  int64_t query_of(int64_t row) const {
    const int64_t index = first_row_ + row;
    return (sequence_.first_query + index / layout_.group) * layout_.heads + kv_head_ * layout_.group +
           index % layout_.group;
  }
  int64_t keys_of(int64_t row) const { return sequence_.position + (first_row_ + row) / layout_.group + 1; }
  int64_t first_row_that_sees(int64_t key) const {
    return std::max<int64_t>(0, (key - sequence_.position) * layout_.group - first_row_);
  }

  template <class Element>
  HeadRows<Element> rows_from(const Element* matrix, int64_t kv_head, int64_t key) const {
    return {matrix + layout_.key_offset(sequence_.first_key + key, kv_head), layout_.key_stride()};
  }

  // Goes on with a block of which the few rows from `row` on see all keys.
  template <class Element>
  void add_whole_block(const Partials& partials, int64_t first, int64_t row, HeadRows<Element> keys,
                       HeadRows<Element> values, const BlockAhead<Element>& ahead) {
    const int64_t rows = rows_ - row;
    score_block(q_ + row * layout_.padded, layout_.padded, rows, keys, layout_.size, scores_, ahead);
    int64_t counts[kFewRows];
    std::fill_n(counts, rows, kKeyBlock);
    multiply_small(carry_softmax_on(partials, first, counts, row, rows), values.first, values.stride, rows,
                   layout_.size);
  }

  CacheRows cache_from(int64_t kv_head, int64_t key) const {
    return {CacheHead(call_.inputs[1], *keys_layout_, kv_head, layout_.size),
            CacheHead(call_.inputs[2], *values_layout_, kv_head, layout_.size), sequence_.first_key + key};
  }

  // Goes on with a block of a cache in a format of its own in the rows from `start` on.
  void add_block_of_cache(const Partials& partials, int64_t first, int64_t start, int64_t count, const Next& next) {
    const CacheRows from = cache_from(kv_head_, first);
    const CacheRows ahead = next.first < next.end ? cache_from(next.kv_head, next.first) : from;
    const bool is_aligned = from.first % kCachePanelRows == 0 && keys_layout_->group == kCacheGroup &&
                            keys_layout_->order == CacheFormat::Order::keys;
    if (!is_aligned) {
      pack_cache_rows(from, count, layout_.padded, keys_, values_);
      return add_packed_block(partials, first, start, count, [](int64_t) {});
    }
    const auto add = [&]<class Codec>(Codec) { add_aligned_block<Codec>(partials, first, start, count, from, ahead); };
    if (keys_layout_->element == DType::f32) return add(CacheNumbers<float>());
    if (keys_layout_->element == DType::bf16) return add(CacheNumbers<Bf16>());
    if (keys_layout_->element == DType::f16) return add(CacheNumbers<F16>());
    keys_layout_->bits == 8 ? add(CacheCodec<8>()) : add(CacheCodec<4>());
  }

  template <class Codec>
  void add_aligned_block(const Partials& partials, int64_t first, int64_t start, int64_t count, const CacheRows& from,
                         const CacheRows& ahead) {
    const int64_t rows = rows_ - start;
    const bool is_whole = keys_of(start) - first >= kKeyBlock;
    if (!is_whole || rows > kFewRows) {
      pack_cache_keys<Codec>(from, count, keys_);
      pack_cache_values<Codec>(from, count, values_);
      return add_packed_block(partials, first, start, count, [](int64_t) {});
    }
    score_cache_block<Codec>(q_ + start * layout_.padded, layout_.padded, rows, from, scores_, ahead);
    int64_t counts[kFewRows];
    std::fill_n(counts, rows, kKeyBlock);
    multiply_cache_block<Codec>(carry_softmax_on(partials, first, counts, start, rows), rows, from, keys_.data, ahead);
  }

  // Goes on with the packed block in all rows from `start` on; before each chunk ask(rows of them that it completes).
  template <class Ask>
  void add_packed_block(const Partials& partials, int64_t first, int64_t start, int64_t count, Ask&& ask) {
    for (int64_t row = start; row < rows_; row += kAttentionChunk) {
      const int64_t rows = std::min(kAttentionChunk, rows_ - row);
      ask(row + rows - start);
      add_chunk(partials, first, count, row, rows);
    }
  }

  // Goes on with the packed block in the rows [row, row + rows), all of which see its first key.
  void add_chunk(const Partials& partials, int64_t first, int64_t count, int64_t row, int64_t rows) {
    int64_t counts[kAttentionChunk];
    for (int64_t r = 0; r < rows; ++r) counts[r] = std::min(count, keys_of(row + r) - first);
    multiply_small({.steps = layout_.size,
                    .a = q_ + row * layout_.padded,
                    .a_row = layout_.padded,
                    .a_step = 1,
                    .c = scores_,
                    .c_row = kKeyBlock,
                    .from_zero = true},
                   keys_, 0, rows, round_up(counts[rows - 1], kLanes));
    const SmallProduct product = carry_softmax_on(partials, first, counts, row, rows);
    if (counts[0] == count) return multiply_small(product, values_, 0, rows, layout_.padded);
    // The keys that some rows see at once, then the rest of each row.
    for (int64_t r = 0; r < rows; r += kProductRows) {
      const int64_t height = std::min<int64_t>(kProductRows, rows - r);
      SmallProduct part = product;
      part.steps = counts[r];
      part.a += r * kKeyBlock;
      part.c += r * layout_.padded;
      part.factors += r;
      multiply_small(part, values_, 0, height, layout_.padded);
      part.factors = nullptr;
      part.from_zero = false;
      for (int64_t i = 1; i < height; ++i) {
        part.steps = counts[r + i] - counts[r];
        part.a = scores_ + (r + i) * kKeyBlock + counts[r];
        part.c += layout_.padded;
        if (part.steps > 0) multiply_small(part, values_, counts[r], 1, layout_.padded);
      }
    }
  }

  // Turns the scores of rows from `row` on into probabilities; the product with the values that is then left to do.
  SmallProduct carry_softmax_on(const Partials& partials, int64_t first, const int64_t* counts, int64_t row,
                                int64_t rows) {
    softmax(counts, rows, partials.max + row, partials.sum + row, factors_);
    return {.steps = counts[0],
            .a = scores_,
            .a_row = kKeyBlock,
            .a_step = 1,
            .c = partials.output + row * layout_.padded,
            .c_row = layout_.padded,
            .factors = factors_,
            .from_zero = first % kKeySpan == 0};
  }

  // Turns scores into probabilities and carries each row's largest score and sum on; factors[r] = exp(old - new).
  void softmax(const int64_t* counts, int64_t rows, float* max_so_far, float* sums, float* factors) const {
    const F32x16 infinity(std::numeric_limits<float>::infinity());
    alignas(64) float new_max[round_up(kAttentionChunk, kLanes)];
    for (int64_t r = 0; r < rows; ++r) {
      F32x16 largest(max_so_far[r]);
      for_each_group(0, counts[r], [&](int64_t j, auto n) {
        float* group = scores_ + r * kKeyBlock + j;
        const F32x16 scaled = first_lanes(n, load(group) * F32x16(scale_), -infinity);
        store(group, scaled);
        largest = max_or_second(largest, scaled);
      });
      new_max[r] = max_of(largest);
    }
    for_each_group(0, rows, [&](int64_t r, auto n) {
      store(factors + r, exp(load(max_so_far + r, n) - load(new_max + r, n)), n);
    });
    for (int64_t r = 0; r < rows; ++r) {
      F32x16 lanes(0.0f);
      for_each_group(0, counts[r], [&](int64_t j, int64_t) {
        float* group = scores_ + r * kKeyBlock + j;
        const F32x16 p = exp(load(group) - F32x16(new_max[r]));
        store(group, p);
        lanes = lanes + p;
      });
      sums[r] = sums[r] * factors[r] + sum(lanes);
      max_so_far[r] = new_max[r];
    }
  }

  const Invocation& call_;
  const HeadLayout& layout_;
  float scale_;
  std::optional<CacheLayout> keys_layout_, values_layout_;  // where they are in a cache's format
  Panels keys_;                                             // [D, 64]
  Panels values_;                                           // [64, Dp]
  float* scores_;                                           // [24, 64]
  float* q_;                                                // [128, Dp]
  alignas(64) float factors_[round_up(kAttentionChunk, kLanes)];
  Partials all_, span_;
  Sequence sequence_ = {};
  int64_t kv_head_ = 0;
  int64_t first_row_ = 0;
  int64_t rows_ = 0;
};

}  // namespace headroom::HEADROOM_ISA
