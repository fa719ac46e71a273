// The gradients of attention (ops/attention.h). A thread takes a block of keys of one head: queries inside, so that the
// chains of dk and dv run over queries, the heads of a group one after the other. The chain of dq runs over the blocks:
// where several threads work on one head, each tile of queries counts the blocks that its dq holds, and a block waits
// for its turn. Blocks are taken in ascending order, so the one that all others wait for is always under way.
#include <atomic>
#include <thread>
#include <type_traits>
#include <utility>

#include "headroom/backend/cpu/attention_pack.h"
#include "headroom/backend/cpu/attention_product.h"

namespace headroom::HEADROOM_ISA {
namespace {

using Counter = std::atomic_ref<int32_t>;

void wait_for(Counter counter, int32_t value) {
  constexpr int kSpins = 4000;
  for (int spin = 0; counter.load(std::memory_order_acquire) != value; ++spin) {
    if (spin < kSpins) {
      _mm_pause();
    } else {
      std::this_thread::yield();
    }
  }
}

// One head of keys of one sequence.
struct HeadOfKeys {
  Sequence sequence;
  int64_t kv_head;
  int32_t* next_block;   // that nobody has taken
  int32_t* tile_blocks;  // [tiles of queries, H]: blocks that dq holds

  int64_t blocks() const { return (sequence.keys() + kKeyBlock - 1) / kKeyBlock; }
};

// `chains`: where those of dq run if Elements have 16 bits, f32[T, H, Dp].
template <class Element>
class KeyBlock {
  static constexpr bool kRounds = !std::is_same_v<Element, float>;

 public:
  KeyBlock(const Invocation& call, const HeadLayout& layout, const float* deltas, float* chains, float* scratch)
      : call_(call),
        layout_(layout),
        deltas_(deltas),
        chains_(chains),
        scale_(static_cast<float>(call.attributes.real("scale"))) {
    const auto take = [&](int64_t elements) { return std::exchange(scratch, scratch + elements); };
    for (Panels* matrix : {&keys_by_element_, &values_by_element_}) {
      *matrix = {take(kKeyBlock * layout.size), layout.size, kKeyBlock};
    }
    keys_ = {take(kKeyBlock * layout.padded), kKeyBlock, layout.padded};
    for (float** matrix : {&dk_, &dv_}) *matrix = take(kKeyBlock * layout.padded);
    for (Panels* matrix : {&q_, &dout_}) *matrix = {take(kRowTile * layout.padded), kRowTile, layout.padded};
    dq_ = take(kRowTile * layout.padded);
    for (float** matrix : {&p_, &ds_}) *matrix = take(kRowTile * kKeyBlock);
    if constexpr (kRounds) {
      for (float** matrix : {&q_rows_, &dout_rows_}) *matrix = take(kAttentionChunk * layout.padded);
      for (float** matrix : {&dk_sum_, &dv_sum_}) *matrix = take(kKeyBlock * layout.padded);
    }
  }

  void differentiate(const HeadOfKeys& head_of_keys, int32_t block) {
    of_ = head_of_keys;
    block_ = block;
    first_key_ = block * kKeyBlock;
    keys_in_block_ = std::min(kKeyBlock, of_.sequence.keys() - first_key_);
    pack_keys();
    const int64_t first_query = std::max<int64_t>(0, first_key_ - of_.sequence.position);
    const int64_t first_head = of_.kv_head * layout_.group;
    for (head_ = first_head; head_ < first_head + layout_.group; ++head_) {
      std::fill(dk_, dk_ + kKeyBlock * layout_.padded, 0.0f);
      std::fill(dv_, dv_ + kKeyBlock * layout_.padded, 0.0f);
      for (int64_t query = first_query; query < of_.sequence.queries; query = (query / kRowTile + 1) * kRowTile) {
        add_queries(query, std::min((query / kRowTile + 1) * kRowTile, of_.sequence.queries) - query);
      }
      const bool is_last = head_ + 1 == first_head + layout_.group;
      add_to_output(dk_, dk_sum_, call_.outputs[1], head_ == first_head, is_last);
      add_to_output(dv_, dv_sum_, call_.outputs[2], head_ == first_head, is_last);
    }
  }

 private:
  int64_t key_offset() const { return layout_.key_offset(of_.sequence.first_key + first_key_, of_.kv_head); }
  int64_t query_stride() const { return layout_.heads * layout_.size; }

  HeadRows<Element> query_rows(const Tensor& tensor, int64_t query) const {
    return {tensor.as<const Element>() + layout_.query_offset(of_.sequence.first_query + query, head_), query_stride()};
  }

  void pack_keys() {
    const HeadRows<Element> keys = {call_.inputs[1].as<const Element>() + key_offset(), layout_.key_stride()};
    const HeadRows<Element> values = {call_.inputs[2].as<const Element>() + key_offset(), layout_.key_stride()};
    pack_transposed(keys, keys_in_block_, layout_.size, keys_by_element_);
    pack_transposed(values, keys_in_block_, layout_.size, values_by_element_);
    pack_rows(keys, keys_in_block_, layout_.size, keys_);
  }

  // Goes on with the queries [query, query + rows) of the sequence, inside one tile, in the current head.
  void add_queries(int64_t query, int64_t rows) {
    const HeadRows<Element> q = query_rows(call_.inputs[0], query);
    const HeadRows<Element> dout = query_rows(call_.inputs[5], query);
    pack_rows(q, rows, layout_.size, q_);
    pack_rows(dout, rows, layout_.size, dout_);
    for (int64_t row = 0; row < rows; row += kAttentionChunk) {
      find_score_gradients(q, dout, query, row, std::min(kAttentionChunk, rows - row));
    }
    const Counter blocks(of_.tile_blocks[query / kRowTile * layout_.heads + head_]);
    wait_for(blocks, block_);
    add_query_gradients(query, rows);
    blocks.store(block_ + 1, std::memory_order_release);
    add_key_gradients(ds_, q_, query, rows, dk_);
    add_key_gradients(p_, dout_, query, rows, dv_);
  }

  // How many keys of the block the query sees: at least one.
  int64_t keys_seen(int64_t query) const {
    return std::min(keys_in_block_, of_.sequence.position + query + 1 - first_key_);
  }

  // Some rows of a tile in f32: where they stand, or a copy.
  HeadRows<float> chunk_of(HeadRows<Element> from, int64_t row, int64_t rows, float* copy) const {
    if constexpr (kRounds) {
      for (int64_t r = 0; r < rows; ++r) {
        copy_row(from.first + (row + r) * from.stride, layout_, copy + r * layout_.padded);
      }
      return {copy, layout_.padded};
    } else {
      return {from.first + row * from.stride, from.stride};
    }
  }

  // p and ds of some rows of a tile that starts at `query`; beyond the keys that a row sees they mean nothing and are
  // not read.
  void find_score_gradients(HeadRows<Element> q, HeadRows<Element> dout, int64_t query, int64_t row, int64_t rows) {
    const int64_t columns = round_up(keys_seen(query + row + rows - 1), kLanes);
    const HeadRows<float> chunk_q = chunk_of(q, row, rows, q_rows_);
    const HeadRows<float> chunk_dout = chunk_of(dout, row, rows, dout_rows_);
    SmallProduct product = {.steps = layout_.size,
                            .a = chunk_q.first,
                            .a_row = chunk_q.stride,
                            .a_step = 1,
                            .c = p_ + row * kKeyBlock,
                            .c_row = kKeyBlock,
                            .from_zero = true};
    multiply_small(product, keys_by_element_, 0, rows, columns);
    product.a = chunk_dout.first;
    product.c = ds_ + row * kKeyBlock;
    multiply_small(product, values_by_element_, 0, rows, columns);
    for (int64_t r = row; r < row + rows; ++r) {
      const int64_t place = (of_.sequence.first_query + query + r) * layout_.heads + head_;
      const F32x16 lse(call_.inputs[4].as<const float>()[place]);
      const F32x16 delta(deltas_[place]);
      for (int64_t j = 0; j < columns; j += kLanes) {
        float* p = p_ + r * kKeyBlock + j;
        float* ds = ds_ + r * kKeyBlock + j;
        const F32x16 probability = exp(load(p) * F32x16(scale_) - lse);
        store(p, probability);
        store(ds, (probability * (load(ds) - delta)) * F32x16(scale_));
      }
    }
  }

  // dq += ds k. Heads whose size is a multiple of 16 go on in the output itself, others in a copy.
  void add_query_gradients(int64_t query, int64_t rows) {
    if constexpr (kRounds) {
      const int64_t place = (of_.sequence.first_query + query) * layout_.heads + head_;
      return multiply_query_gradients(query, rows, {chains_ + place * layout_.padded, layout_.heads * layout_.padded});
    }
    float* output = call_.outputs[0].as<float>() + layout_.query_offset(of_.sequence.first_query + query, head_);
    const bool is_first = block_ == 0;
    if (layout_.size == layout_.padded) return multiply_query_gradients(query, rows, {output, query_stride()});
    for (int64_t row = 0; row < rows && !is_first; ++row) {
      copy_row(output + row * query_stride(), layout_, dq_ + row * layout_.padded);
    }
    multiply_query_gradients(query, rows, {dq_, layout_.padded});
    for (int64_t row = 0; row < rows; ++row) {
      for_each_group(0, layout_.size, [&](int64_t d, auto n) {
        store(output + row * query_stride() + d, load(dq_ + row * layout_.padded + d), n);
      });
    }
  }

  struct Rows {
    float* first;
    int64_t stride;
  };

  void multiply_query_gradients(int64_t query, int64_t rows, Rows dq) {
    const SmallProduct product = {.steps = keys_in_block_,
                                  .a = ds_,
                                  .a_row = kKeyBlock,
                                  .a_step = 1,
                                  .c = dq.first,
                                  .c_row = dq.stride,
                                  .from_zero = block_ == 0};
    if (keys_seen(query) == keys_in_block_) return multiply_small(product, keys_, 0, rows, layout_.padded);
    // The keys that some rows see at once, then the rest of each row.
    for (int64_t row = 0; row < rows; row += kProductRows) {
      const int64_t height = std::min<int64_t>(kProductRows, rows - row);
      const int64_t common = keys_seen(query + row);
      SmallProduct part = product;
      part.steps = common;
      part.a += row * kKeyBlock;
      part.c += row * dq.stride;
      multiply_small(part, keys_, 0, height, layout_.padded);
      part.from_zero = false;
      for (int64_t r = row + 1; r < row + height; ++r) {
        part.steps = keys_seen(query + r) - common;
        part.a = ds_ + r * kKeyBlock + common;
        part.c += dq.stride;
        if (part.steps > 0) multiply_small(part, keys_, common, 1, layout_.padded);
      }
    }
  }

  // gradient += weights^T rows_of, a row a key of the block.
  void add_key_gradients(const float* weights, const Panels& rows_of, int64_t query, int64_t rows, float* gradient) {
    const SmallProduct product = {
        .steps = rows, .a = weights, .a_row = 1, .a_step = kKeyBlock, .c = gradient, .c_row = layout_.padded};
    const auto first_row_seeing = [&](int64_t j) {
      return std::clamp<int64_t>(first_key_ + j - of_.sequence.position - query, 0, rows);
    };
    if (first_row_seeing(keys_in_block_ - 1) == 0) {
      return multiply_small(product, rows_of, 0, keys_in_block_, layout_.padded);
    }
    // First the rows that only some of the keys see, then those that all of them see.
    for (int64_t key = 0; key < keys_in_block_; key += kProductRows) {
      const int64_t keys = std::min<int64_t>(kProductRows, keys_in_block_ - key);
      const int64_t common = first_row_seeing(key + keys - 1);
      const auto add_rows = [&](int64_t first, int64_t end, int64_t j, int64_t count) {
        if (first >= end) return;
        SmallProduct part = product;
        part.steps = end - first;
        part.a += first * kKeyBlock + j;
        part.c += j * layout_.padded;
        multiply_small(part, rows_of, first, count, layout_.padded);
      };
      for (int64_t j = key; j < key + keys - 1; ++j) add_rows(first_row_seeing(j), common, j, 1);
      add_rows(common, rows, key, keys);
    }
  }

  // The heads of a group are added in the output, or where it has 16 bits, in `sum`.
  void add_to_output(const float* gradient, float* sum, const Tensor& output, bool is_first, bool is_last) const {
    for (int64_t j = 0; j < keys_in_block_; ++j) {
      Element* row = output.as<Element>() + key_offset() + j * layout_.key_stride();
      const float* from = gradient + j * layout_.padded;
      float* to = kRounds ? sum + j * layout_.padded : reinterpret_cast<float*>(row);
      for_each_group(0, layout_.size, [&](int64_t d, auto n) {
        const F32x16 added = (is_first ? F32x16(0.0f) : load(to + d, n)) + load(from + d);
        store(to + d, added, n);
        if (kRounds && is_last) store(row + d, added, n);
      });
    }
  }

  const Invocation& call_;
  const HeadLayout& layout_;
  const float* deltas_;  // [T, H]
  float* chains_;        // [T, H, Dp]
  float scale_;
  Panels keys_by_element_, values_by_element_;      // [D, 64]
  Panels keys_;                                     // [64, Dp]
  float *dk_, *dv_;                                 // [64, Dp]
  Panels q_, dout_;                                 // [128, Dp]
  float* dq_;                                       // [128, Dp]
  float *p_, *ds_;                                  // [128, 64]
  float *q_rows_ = nullptr, *dout_rows_ = nullptr;  // [24, Dp]
  float *dk_sum_ = nullptr, *dv_sum_ = nullptr;     // [64, Dp]
  HeadOfKeys of_ = {};
  int64_t head_ = 0;
  int32_t block_ = 0;
  int64_t first_key_ = 0;  // of the block, in the sequence
  int64_t keys_in_block_ = 0;
};

// delta of each query and head: the 16-lane sum of dout*out.
void find_deltas(const Invocation& call, const HeadLayout& layout, float* deltas) {
  with_elements(call.inputs[3], [&]<class Element>(const Element* out) {
    const Element* dout = call.inputs[5].as<const Element>();
    call.threads.split(call.inputs[4].elements(), 64, [&](int64_t begin, int64_t end, int) {
      for (int64_t place = begin; place < end; ++place) {
        const int64_t row = place * layout.size;
        F32x16 lanes(0.0f);
        for_each_group(0, layout.size, [&](int64_t d, auto n) {
          lanes = first_lanes(n, fma(load(dout + row + d, n), load(out + row + d, n), lanes), lanes);
        });
        deltas[place] = sum(lanes);
      }
    });
  });
}

template <class Element>
void differentiate(const Invocation& call) {
  constexpr bool kRounds = !std::is_same_v<Element, float>;
  const HeadLayout layout(call.inputs[0], call.attributes);
  const Tensor& sequences = call.inputs[6];
  const CoveredRows covered(sequences);
  clear_uncovered_rows(call, covered.queries, call.outputs[0]);
  clear_uncovered_rows(call, covered.keys, call.outputs[1]);
  clear_uncovered_rows(call, covered.keys, call.outputs[2]);

  float* scratch = reinterpret_cast<float*>(call.scratch.data());
  const int64_t own = attention_backward_scratch_elements(layout.size, kRounds);
  const AttentionBackwardShared shared(call.inputs[0].dim(0), layout.heads, layout.kv_heads, layout.size,
                                       sequences.dim(0), kRounds);
  float* chains = scratch + call.threads.count() * own;
  if (covered.queries != call.inputs[0].dim(0)) std::fill_n(chains, shared.chains, 0.0f);
  float* deltas = chains + shared.chains;
  int32_t* next_blocks = reinterpret_cast<int32_t*>(deltas + shared.deltas);
  int32_t* tile_blocks = next_blocks + shared.blocks;
  std::fill(next_blocks, next_blocks + shared.blocks + shared.tiles, 0);
  find_deltas(call, layout, deltas);

  std::atomic<int64_t> next_head = 0;
  call.threads.run([&](int thread) {
    KeyBlock<Element> block(call, layout, deltas, chains, scratch + thread * own);
    // First heads that nobody has begun, then what is left of those that others work on.
    for (const bool is_helping : {false, true}) {
      int64_t mine = is_helping ? 0 : next_head.fetch_add(1, std::memory_order_relaxed);
      int64_t turn = 0;
      int64_t tiles = 0;  // of the sequences before
      for (int64_t index = 0; index < sequences.dim(0); ++index) {
        const Sequence sequence = sequence_at(sequences, index);
        if (sequence.queries <= 0) continue;
        for (int64_t kv_head = 0; kv_head < layout.kv_heads; ++kv_head, ++turn) {
          if (!is_helping && turn != mine) continue;
          const HeadOfKeys head = {sequence, kv_head, next_blocks + turn, tile_blocks + tiles * layout.heads};
          const auto next = [&] { return Counter(*head.next_block).fetch_add(1, std::memory_order_relaxed); };
          for (int32_t taken = next(); taken < head.blocks(); taken = next()) block.differentiate(head, taken);
          if (!is_helping) mine = next_head.fetch_add(1, std::memory_order_relaxed);
        }
        tiles += (sequence.queries + kRowTile - 1) / kRowTile;
      }
    }
  });
  if constexpr (kRounds) {
    Element* dq = call.outputs[0].as<Element>();
    call.threads.split(call.inputs[4].elements(), 64, [&](int64_t begin, int64_t end, int) {
      for (int64_t place = begin; place < end; ++place) {
        for_each_group(0, layout.size, [&](int64_t d, auto n) {
          store(dq + place * layout.size + d, load(chains + place * layout.padded + d, n), n);
        });
      }
    });
  }
}

}  // namespace

void attention_backward(const Invocation& call) {
  with_elements(call.inputs[0], [&]<class Element>(const Element*) { differentiate<Element>(call); });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(attention_backward);
