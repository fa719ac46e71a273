// Attention (ops/attention.h). Threads take work as it comes free: tiles of rows with all the keys they see, of each
// head the longest first; or, for few rows against many keys, spans of keys.
#include <atomic>

#include "headroom/backend/cpu/attention_tile.h"

namespace headroom::HEADROOM_ISA {
namespace {

// A number of the next piece of work, for each who asks.
class Turns {
 public:
  int64_t next() { return next_.fetch_add(1, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> next_ = 0;
};

void attend_tiles(const Invocation& call, const HeadLayout& layout, Turns& turns, AttentionTile& tile) {
  const Tensor& sequences = call.inputs[3];
  int64_t turn = 0;
  int64_t mine = turns.next();
  for (int64_t index = 0; index < sequences.dim(0); ++index) {
    const Sequence sequence = sequence_at(sequences, index);
    for (int64_t kv_head = 0; kv_head < layout.kv_heads; ++kv_head) {
      for (int64_t end = sequence.queries * layout.group, first = 0; end > 0; end = first) {
        first = (end - 1) / kRowTile * kRowTile;
        if (turn++ != mine) continue;
        tile.take(sequence, kv_head, first, end - first);
        tile.attend();
        mine = turns.next();
      }
    }
  }
}

// Spans of a part of the heads. Inside, blocks of keys are outside and heads inside, so that rows of the cache are read
// whole. Who completes a sequence's last span of a part merges them all.
class SpanSplit {
 public:
  SpanSplit(const Invocation& call, const HeadLayout& layout, const AttentionShared& shared, float* scratch)
      : sequences_(call.inputs[3]),
        layout_(layout),
        shared_(shared),
        max_(scratch),
        sum_(max_ + shared.spans * shared.rows),
        output_(sum_ + shared.spans * shared.rows),
        done_(reinterpret_cast<int32_t*>(scratch + shared.partials)) {
    std::fill(done_, done_ + shared.counters, 0);
    int64_t spans = 0;
    for (int64_t index = 0; index < sequences_.dim(0); ++index) spans += spans_of(sequence_at(sequences_, index));
    const int64_t pieces = 4 * call.threads.count();  // enough of them to be divided evenly
    parts_ = std::clamp<int64_t>((pieces + spans - 1) / std::max<int64_t>(spans, 1), 1, layout.kv_heads);
  }

  void attend(Turns& turns, AttentionTile& tile) {
    int64_t turn = 0;
    int64_t mine = turns.next();
    for (int64_t index = 0; index < sequences_.dim(0); ++index) {
      const Sequence sequence = sequence_at(sequences_, index);
      const int64_t spans = spans_of(sequence);
      for (int64_t span = 0; span < spans; ++span) {
        for (int64_t part = 0; part < parts_; ++part) {
          if (turn++ != mine) continue;
          const Heads heads = {layout_.kv_heads * part / parts_, layout_.kv_heads * (part + 1) / parts_};
          attend_span(sequence, heads, span, tile);
          std::atomic_ref<int32_t> done(done_[index * layout_.kv_heads + part]);
          if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == spans) merge(sequence, heads, spans, tile);
          mine = turns.next();
        }
      }
    }
  }

 private:
  struct Heads {
    int64_t first, end;
  };

  static int64_t spans_of(const Sequence& sequence) {
    return sequence.queries > 0 ? (sequence.keys() + kKeySpan - 1) / kKeySpan : 0;
  }

  Partials partials(const Sequence& sequence, int64_t kv_head, int64_t first_row, int64_t span) const {
    const int64_t row = span * shared_.rows + sequence.first_query * layout_.heads +
                        kv_head * sequence.queries * layout_.group + first_row;
    return {max_ + row, sum_ + row, output_ + row * layout_.padded};
  }

  // Calls body(first row) with the tile turned to each of the head's rows.
  template <class Body>
  void for_each_tile(const Sequence& sequence, int64_t kv_head, AttentionTile& tile, Body&& body) const {
    const int64_t rows = sequence.queries * layout_.group;
    for (int64_t first = 0; first < rows; first += kRowTile) {
      tile.take(sequence, kv_head, first, std::min(kRowTile, rows - first));
      body(first);
    }
  }

  void attend_span(const Sequence& sequence, Heads heads, int64_t span, AttentionTile& tile) const {
    const int64_t end = std::min(sequence.keys(), (span + 1) * kKeySpan);
    for (int64_t first = span * kKeySpan; first < end; first += kKeyBlock) {
      for (int64_t kv_head = heads.first; kv_head < heads.end; ++kv_head) {
        const bool is_last_head = kv_head + 1 == heads.end;
        const AttentionTile::Next next = {is_last_head ? heads.first : kv_head + 1,
                                          is_last_head ? first + kKeyBlock : first, end};
        for_each_tile(sequence, kv_head, tile,
                      [&](int64_t row) { tile.add_block(first, partials(sequence, kv_head, row, span), next); });
      }
    }
  }

  void merge(const Sequence& sequence, Heads heads, int64_t spans, AttentionTile& tile) const {
    for (int64_t kv_head = heads.first; kv_head < heads.end; ++kv_head) {
      for_each_tile(sequence, kv_head, tile, [&](int64_t row) {
        const Partials all = partials(sequence, kv_head, row, 0);
        for (int64_t span = 1; span < spans; ++span) {
          tile.merge_span(span * kKeySpan, partials(sequence, kv_head, row, span), all);
        }
        tile.write_results(all);
      });
    }
  }

  const Tensor& sequences_;
  const HeadLayout& layout_;
  const AttentionShared& shared_;
  float *max_, *sum_, *output_;  // [spans, rows], output_ [spans, rows, Dp]
  int32_t* done_;                // [sequences, parts]
  int64_t parts_ = 1;            // of the heads
};

}  // namespace

void attention(const Invocation& call) {
  const HeadLayout layout(call.inputs[0], call.attributes);
  const Tensor& sequences = call.inputs[3];
  const CoveredRows covered(sequences);
  for (const Tensor& output : call.outputs) clear_uncovered_rows(call, covered.queries, output);
  const AttentionShared shared(call.inputs[0].dim(0), call.inputs[1].dim(0), layout.heads, layout.kv_heads, layout.size,
                               sequences.dim(0));
  float* scratch = reinterpret_cast<float*>(call.scratch.data());
  const int64_t own = attention_scratch_elements(layout.size);
  Turns turns;
  if (shared.spans == 0) {
    call.threads.run([&](int thread) {
      AttentionTile tile(call, layout, scratch + thread * own);
      attend_tiles(call, layout, turns, tile);
    });
    return;
  }
  SpanSplit split(call, layout, shared, scratch + call.threads.count() * own);
  call.threads.run([&](int thread) {
    AttentionTile tile(call, layout, scratch + thread * own);
    split.attend(turns, tile);
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(attention);
