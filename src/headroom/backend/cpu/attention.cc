// Attention (ops/attention.h). A tile is up to 128 rows (pairs of a query and a head of one group) of a sequence;
// threads take tiles in turn. A block of keys is packed once a tile: the scores' lanes are keys, the outputs' lanes are
// the head's elements, and in both the sums run in the definition's order. The rows of a tile are sorted by query, so
// from row to row the number of keys they see never falls.
#include <algorithm>
#include <limits>
#include <utility>

#include "headroom/backend/cpu/attention_pack.h"
#include "headroom/backend/cpu/attention_product.h"

namespace headroom::HEADROOM_ISA {
namespace {

// The softmax so far of a tile's rows: largest score, sum of exp(score - largest), values weighted alike.
struct Partials {
  float* max;
  float* sum;
  float* output;  // rows of Dp
};

class Tile {
 public:
  Tile(const Invocation& call, const HeadLayout& layout, float* scratch)
      : call_(call), layout_(layout), scale_(static_cast<float>(call.attributes.real("scale"))) {
    const auto take = [&](int64_t elements) { return std::exchange(scratch, scratch + elements); };
    keys_ = take(kKeyBlock * layout.size);
    values_ = take(kKeyBlock * layout.padded);
    scores_ = take(kKeyBlock * 16);
    q_ = take(kRowTile * layout.padded);
    for (Partials* partials : {&all_, &span_}) {
      *partials = {take(kRowTile), take(kRowTile), take(kRowTile * layout.padded)};
    }
  }

  // Rows [first_row, first_row + rows) of the sequence's queries x group.
  void attend(const Sequence& sequence, int64_t kv_head, int64_t first_row, int64_t rows) {
    sequence_ = sequence;
    kv_head_ = kv_head;
    first_row_ = first_row;
    rows_ = rows;
    for (int64_t row = 0; row < rows; ++row) {
      pack_row(call_.inputs[0].as<const float>() + query_of(row) * layout_.size, layout_, q_ + row * layout_.padded);
    }
    for (int64_t first = 0; first < keys_of(rows - 1); first += kKeySpan) attend_span(first);
    write_results();
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

  void attend_span(int64_t span_first) {
    const Partials& partials = span_first == 0 ? all_ : span_;
    const int64_t seeing = first_row_that_sees(span_first);
    std::fill(partials.max + seeing, partials.max + rows_, -std::numeric_limits<float>::infinity());
    std::fill(partials.sum + seeing, partials.sum + rows_, 0.0f);
    const int64_t end = std::min(keys_of(rows_ - 1), span_first + kKeySpan);
    for (int64_t first = span_first; first < end; first += kKeyBlock) {
      pack_block(first, std::min(kKeyBlock, end - first));
      for (int64_t row = first_row_that_sees(first); row < rows_; row += kProductRows) {
        add_block(partials, first, row, std::min<int64_t>(kProductRows, rows_ - row), first == span_first);
      }
    }
    if (span_first != 0) merge_span(seeing);
  }

  void pack_block(int64_t first, int64_t count) {
    const int64_t offset = layout_.key_offset(sequence_.first_key + first, kv_head_);
    const int64_t stride = layout_.key_stride();
    pack_transposed(call_.inputs[1].as<const float>() + offset, stride, count, layout_.size, keys_);
    const float* values = call_.inputs[2].as<const float>() + offset;
    for (int64_t j = 0; j < count; ++j) pack_row(values + j * stride, layout_, values_ + j * layout_.padded);
  }

  // Goes on with the packed block of keys from `first` in the rows [row, row + rows), all of which see its first key.
  void add_block(const Partials& partials, int64_t first, int64_t row, int64_t rows, bool is_first_of_span) {
    int64_t counts[kProductRows];
    for (int64_t r = 0; r < rows; ++r) counts[r] = std::min(kKeyBlock, keys_of(row + r) - first);
    multiply_small({.steps = layout_.size,
                    .a = q_ + row * layout_.padded,
                    .a_row = layout_.padded,
                    .a_step = 1,
                    .b = keys_,
                    .b_step = kKeyBlock,
                    .c = scores_,
                    .c_row = kKeyBlock,
                    .from_zero = true},
                   rows, round_up(counts[rows - 1], kLanes));
    alignas(64) float factors[kLanes];
    softmax(counts, rows, partials.max + row, partials.sum + row, factors);
    // The keys that all rows see at once, then the rest of each row.
    SmallProduct product = {.steps = counts[0],
                            .a = scores_,
                            .a_row = kKeyBlock,
                            .a_step = 1,
                            .b = values_,
                            .b_step = layout_.padded,
                            .c = partials.output + row * layout_.padded,
                            .c_row = layout_.padded,
                            .factors = factors,
                            .from_zero = is_first_of_span};
    multiply_small(product, rows, layout_.padded);
    product.factors = nullptr;
    product.from_zero = false;
    product.b += counts[0] * layout_.padded;
    for (int64_t r = 1; r < rows; ++r) {
      product.steps = counts[r] - counts[0];
      product.a = scores_ + r * kKeyBlock + counts[0];
      product.c += layout_.padded;
      if (product.steps > 0) multiply_small(product, 1, layout_.padded);
    }
  }

  // Turns scores into probabilities and carries each row's largest score and sum on; factors[r] = exp(old - new).
  void softmax(const int64_t* counts, int64_t rows, float* max_so_far, float* sums, float* factors) const {
    const F32x16 infinity(std::numeric_limits<float>::infinity());
    alignas(64) float new_max[kLanes];
    for (int64_t r = 0; r < rows; ++r) {
      F32x16 largest(max_so_far[r]);
      for_each_group(0, counts[r], [&](int64_t j, int64_t n) {
        float* group = scores_ + r * kKeyBlock + j;
        const F32x16 scaled = first_lanes(n, load(group) * F32x16(scale_), -infinity);
        store(group, scaled);
        largest = max_or_second(largest, scaled);
      });
      new_max[r] = max_of(largest);
    }
    store(factors, exp(load(max_so_far, rows) - load(new_max, rows)), rows);
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

  void merge_span(int64_t first_row) {
    for (int64_t row = first_row; row < rows_; ++row) {
      const F32x16 old_max(all_.max[row]);
      const F32x16 span_max(span_.max[row]);
      const F32x16 new_max = max(old_max, span_max);
      const F32x16 old_factor = exp(old_max - new_max);
      const F32x16 span_factor = exp(span_max - new_max);
      store(all_.max + row, new_max, 1);
      store(all_.sum + row, F32x16(all_.sum[row]) * old_factor + F32x16(span_.sum[row]) * span_factor, 1);
      float* output = all_.output + row * layout_.padded;
      const float* span_output = span_.output + row * layout_.padded;
      for (int64_t d = 0; d < layout_.padded; d += kLanes) {
        store(output + d, load(output + d) * old_factor + load(span_output + d) * span_factor);
      }
    }
  }

  void write_results() const {
    for (int64_t row = 0; row < rows_; ++row) {
      const int64_t query = query_of(row);
      float* out = call_.outputs[0].as<float>() + query * layout_.size;
      const float* output = all_.output + row * layout_.padded;
      const F32x16 sum_of_row(all_.sum[row]);
      for_each_group(0, layout_.size, [&](int64_t d, int64_t n) { store(out + d, load(output + d) / sum_of_row, n); });
      store(call_.outputs[1].as<float>() + query, F32x16(all_.max[row]) + log(sum_of_row), 1);
    }
  }

  const Invocation& call_;
  const HeadLayout& layout_;
  float scale_;
  float* keys_;    // [D, 64]
  float* values_;  // [64, Dp]
  float* scores_;  // [16, 64]
  float* q_;       // [128, Dp]
  Partials all_, span_;
  Sequence sequence_ = {};
  int64_t kv_head_ = 0;
  int64_t first_row_ = 0;
  int64_t rows_ = 0;
};

}  // namespace

void attention(const Invocation& call) {
  const HeadLayout layout(call.inputs[0], call.attributes);
  const Tensor& sequences = call.inputs[3];
  clear_uncovered_rows(call, sequences, call.outputs[0]);
  clear_uncovered_rows(call, sequences, call.outputs[1]);
  call.threads.run([&](int thread) {
    float* scratch = reinterpret_cast<float*>(call.scratch.data());
    Tile tile(call, layout, scratch + thread * attention_scratch_elements(layout.size));
    int64_t turn = 0;
    for (int64_t index = 0; index < sequences.dim(0); ++index) {
      const Sequence sequence = sequence_at(sequences, index);
      const int64_t rows = sequence.queries * layout.group;
      for (int64_t first = 0; first < rows; first += kRowTile) {
        for (int64_t kv_head = 0; kv_head < layout.kv_heads; ++kv_head, ++turn) {
          if (turn % call.threads.count() != thread) continue;
          tile.attend(sequence, kv_head, first, std::min(kRowTile, rows - first));
        }
      }
    }
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(attention);
