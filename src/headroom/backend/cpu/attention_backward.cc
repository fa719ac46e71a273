// The gradients of attention (ops/attention.h). A thread takes whole heads of keys of a sequence: blocks of keys
// outside, queries inside. So all three chains run in the definition's order: dq over keys because blocks ascend, dk
// and dv over queries because tiles of queries ascend, and the heads of a group one after the other.
#include <algorithm>
#include <utility>

#include "headroom/backend/cpu/attention_pack.h"
#include "headroom/backend/cpu/attention_product.h"

namespace headroom::HEADROOM_ISA {
namespace {

class HeadOfKeys {
 public:
  HeadOfKeys(const Invocation& call, const HeadLayout& layout, float* scratch)
      : call_(call), layout_(layout), scale_(static_cast<float>(call.attributes.real("scale"))) {
    const auto take = [&](int64_t elements) { return std::exchange(scratch, scratch + elements); };
    for (float** matrix : {&keys_by_element_, &values_by_element_}) *matrix = take(kKeyBlock * layout.size);
    for (float** matrix : {&keys_, &dk_, &dv_}) *matrix = take(kKeyBlock * layout.padded);
    for (float** matrix : {&q_, &dout_, &dq_}) *matrix = take(kRowTile * layout.padded);
    for (float** matrix : {&p_, &ds_}) *matrix = take(kRowTile * kKeyBlock);
    for (float** numbers : {&lse_, &delta_}) *numbers = take(kRowTile);
  }

  void differentiate(const Sequence& sequence, int64_t kv_head) {
    sequence_ = sequence;
    kv_head_ = kv_head;
    for (first_key_ = 0; first_key_ < sequence.keys(); first_key_ += kKeyBlock) {
      keys_in_block_ = std::min(kKeyBlock, sequence.keys() - first_key_);
      pack_keys();
      const int64_t first_query = std::max<int64_t>(0, first_key_ - sequence.position);
      for (int64_t head = kv_head * layout_.group; head < (kv_head + 1) * layout_.group; ++head) {
        std::fill(dk_, dk_ + kKeyBlock * layout_.padded, 0.0f);
        std::fill(dv_, dv_ + kKeyBlock * layout_.padded, 0.0f);
        for (int64_t query = first_query; query < sequence.queries; query += kRowTile) {
          add_queries(head, query, std::min(kRowTile, sequence.queries - query));
        }
        add_to_output(dk_, call_.outputs[1]);
        add_to_output(dv_, call_.outputs[2]);
      }
    }
  }

 private:
  int64_t key_offset() const { return layout_.key_offset(sequence_.first_key + first_key_, kv_head_); }

  void pack_keys() {
    const float* keys = call_.inputs[1].as<const float>() + key_offset();
    const float* values = call_.inputs[2].as<const float>() + key_offset();
    const int64_t stride = layout_.key_stride();
    pack_transposed(keys, stride, keys_in_block_, layout_.size, keys_by_element_);
    pack_transposed(values, stride, keys_in_block_, layout_.size, values_by_element_);
    for (int64_t j = 0; j < keys_in_block_; ++j) pack_row(keys + j * stride, layout_, keys_ + j * layout_.padded);
  }

  // Goes on with the queries [query, query + rows) of the sequence in one head.
  void add_queries(int64_t head, int64_t query, int64_t rows) {
    const int64_t first = sequence_.first_query + query;
    for (int64_t row = 0; row < rows; ++row) pack_query(first + row, head, row);
    for (int64_t row = 0; row < rows; row += kProductRows) {
      const int64_t count = std::min<int64_t>(kProductRows, rows - row);
      find_score_gradients(query, row, count);
      add_query_gradients(query, row, count);
    }
    for (int64_t row = 0; row < rows; ++row) {
      unpack_row(dq_ + row * layout_.padded, layout_,
                 call_.outputs[0].as<float>() + layout_.query_offset(first + row, head));
    }
    for (int64_t key = 0; key < keys_in_block_; key += kProductRows) {
      const int64_t count = std::min<int64_t>(kProductRows, keys_in_block_ - key);
      add_key_gradients(ds_, q_, query, rows, key, count, dk_);
      add_key_gradients(p_, dout_, query, rows, key, count, dv_);
    }
  }

  void pack_query(int64_t query, int64_t head, int64_t row) {
    const int64_t offset = layout_.query_offset(query, head);
    const float* dout = call_.inputs[5].as<const float>() + offset;
    const float* out = call_.inputs[3].as<const float>() + offset;
    pack_row(call_.inputs[0].as<const float>() + offset, layout_, q_ + row * layout_.padded);
    pack_row(dout, layout_, dout_ + row * layout_.padded);
    pack_row(call_.outputs[0].as<const float>() + offset, layout_, dq_ + row * layout_.padded);
    F32x16 lanes(0.0f);
    for_each_group(0, layout_.size, [&](int64_t d, int64_t n) {
      lanes = first_lanes(n, fma(load(dout + d, n), load(out + d, n), lanes), lanes);
    });
    delta_[row] = sum(lanes);
    lse_[row] = call_.inputs[4].as<const float>()[query * layout_.heads + head];
  }

  // How many keys of the block the tile's row sees, where the tile starts at `query`: at least one.
  int64_t keys_seen(int64_t query, int64_t row) const {
    return std::min(keys_in_block_, sequence_.position + query + row + 1 - first_key_);
  }

  // p and ds of up to kProductRows rows; beyond the keys that a row sees they mean nothing and are not read.
  void find_score_gradients(int64_t query, int64_t row, int64_t rows) {
    const int64_t columns = round_up(keys_seen(query, row + rows - 1), kLanes);
    SmallProduct product = {.steps = layout_.size,
                            .a = q_ + row * layout_.padded,
                            .a_row = layout_.padded,
                            .a_step = 1,
                            .b = keys_by_element_,
                            .b_step = kKeyBlock,
                            .c = p_ + row * kKeyBlock,
                            .c_row = kKeyBlock,
                            .from_zero = true};
    multiply_small(product, rows, columns);
    product.a = dout_ + row * layout_.padded;
    product.b = values_by_element_;
    product.c = ds_ + row * kKeyBlock;
    multiply_small(product, rows, columns);
    for (int64_t r = row; r < row + rows; ++r) {
      for (int64_t j = 0; j < columns; j += kLanes) {
        float* p = p_ + r * kKeyBlock + j;
        float* ds = ds_ + r * kKeyBlock + j;
        const F32x16 probability = exp(load(p) * F32x16(scale_) - F32x16(lse_[r]));
        store(p, probability);
        store(ds, (probability * (load(ds) - F32x16(delta_[r]))) * F32x16(scale_));
      }
    }
  }

  // dq += ds k: the keys that all rows see at once, then the rest of each row.
  void add_query_gradients(int64_t query, int64_t row, int64_t rows) {
    const int64_t common = keys_seen(query, row);
    SmallProduct product = {.steps = common,
                            .a = ds_ + row * kKeyBlock,
                            .a_row = kKeyBlock,
                            .a_step = 1,
                            .b = keys_,
                            .b_step = layout_.padded,
                            .c = dq_ + row * layout_.padded,
                            .c_row = layout_.padded};
    multiply_small(product, rows, layout_.padded);
    product.b += common * layout_.padded;
    for (int64_t r = row + 1; r < row + rows; ++r) {
      product.steps = keys_seen(query, r) - common;
      product.a = ds_ + r * kKeyBlock + common;
      product.c += layout_.padded;
      if (product.steps > 0) multiply_small(product, 1, layout_.padded);
    }
  }

  // gradient += weights^T rows_of for the keys [key, key + keys): first the rows that only some of the keys see, then
  // those that all of them see.
  void add_key_gradients(const float* weights, const float* rows_of, int64_t query, int64_t rows, int64_t key,
                         int64_t keys, float* gradient) const {
    const auto first_row_seeing = [&](int64_t j) {
      return std::clamp<int64_t>(first_key_ + j - sequence_.position - query, 0, rows);
    };
    const int64_t common = first_row_seeing(key + keys - 1);
    const auto add_rows = [&](int64_t first, int64_t end, int64_t j, int64_t count) {
      if (first >= end) return;
      multiply_small({.steps = end - first,
                      .a = weights + first * kKeyBlock + j,
                      .a_row = 1,
                      .a_step = kKeyBlock,
                      .b = rows_of + first * layout_.padded,
                      .b_step = layout_.padded,
                      .c = gradient + j * layout_.padded,
                      .c_row = layout_.padded},
                     count, layout_.padded);
    };
    for (int64_t j = key; j < key + keys - 1; ++j) add_rows(first_row_seeing(j), common, j, 1);
    add_rows(common, rows, key, keys);
  }

  void add_to_output(const float* gradient, const Tensor& output) const {
    for (int64_t j = 0; j < keys_in_block_; ++j) {
      float* row = output.as<float>() + key_offset() + j * layout_.key_stride();
      const float* from = gradient + j * layout_.padded;
      for_each_group(0, layout_.size,
                     [&](int64_t d, int64_t n) { store(row + d, load(row + d, n) + load(from + d), n); });
    }
  }

  const Invocation& call_;
  const HeadLayout& layout_;
  float scale_;
  float *keys_by_element_, *values_by_element_;  // [D, 64]
  float *keys_, *dk_, *dv_;                      // [64, Dp]
  float *q_, *dout_, *dq_;                       // [128, Dp]
  float *p_, *ds_;                               // [128, 64]
  float *lse_, *delta_;                          // [128]
  Sequence sequence_ = {};
  int64_t kv_head_ = 0;
  int64_t first_key_ = 0;  // of the block, in the sequence
  int64_t keys_in_block_ = 0;
};

}  // namespace

void attention_backward(const Invocation& call) {
  const HeadLayout layout(call.inputs[0], call.attributes);
  for (const Tensor& output : call.outputs) {
    float* data = output.as<float>();
    split_elements(call.threads, output.elements(), [=](int64_t i, int64_t n) { store(data + i, F32x16(0.0f), n); });
  }
  const Tensor& sequences = call.inputs[6];
  call.threads.run([&](int thread) {
    float* scratch = reinterpret_cast<float*>(call.scratch.data());
    HeadOfKeys head(call, layout, scratch + thread * attention_backward_scratch_elements(layout.size));
    const int64_t turns = sequences.dim(0) * layout.kv_heads;
    for (int64_t turn = thread; turn < turns; turn += call.threads.count()) {
      const Sequence sequence = sequence_at(sequences, turn / layout.kv_heads);
      if (sequence.queries > 0) head.differentiate(sequence, turn % layout.kv_heads);
    }
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(attention_backward);
