// Embedding and its backward (ops/embedding.h). The backward sorts the tokens by row, then threads split the rows.
//   T tokens, V rows of the table, F features.
#include <algorithm>

#include "headroom/backend/cpu/streams.h"
#include "headroom/base/block_format.h"

namespace headroom::HEADROOM_ISA {
namespace {

// The tokens of row v, ascending, are tokens[starts[v] .. starts[v + 1]).
struct TokensByRow {
  int32_t* starts;  // V + 1
  int32_t* tokens;  // T
};

// A counting sort in scratch of V + 1 + T numbers.
TokensByRow sort_by_row(const int32_t* ids, int64_t tokens, int64_t rows, int32_t* scratch) {
  const TokensByRow sorted = {scratch, scratch + rows + 1};
  std::fill(sorted.starts, sorted.starts + rows + 1, 0);
  for (int64_t t = 0; t < tokens; ++t) ++sorted.starts[ids[t] + 1];
  for (int64_t v = 0; v < rows; ++v) sorted.starts[v + 1] += sorted.starts[v];
  for (int64_t t = 0; t < tokens; ++t) sorted.tokens[sorted.starts[ids[t]]++] = static_cast<int32_t>(t);
  std::copy_backward(sorted.starts, sorted.starts + rows, sorted.starts + rows + 1);  // each start had become its end
  sorted.starts[0] = 0;
  return sorted;
}

// Rows of a table in a block format, in pieces that a thread decodes on its stack.
template <class Element>
void decode_rows(const Invocation& call) {
  constexpr int64_t kPiece = 512;
  const Tensor& table = call.inputs[0];
  const BlockFormat& format = block_format(table.type.dtype);
  const int32_t* ids = call.inputs[1].as<const int32_t>();
  const int64_t features = table.dim(1);
  call.threads.split(call.inputs[1].dim(0), 1, [&](int64_t begin, int64_t end, int) {
    alignas(64) float piece[kPiece];
    for (int64_t t = begin; t < end; ++t) {
      Element* y = call.outputs[0].as<Element>() + t * features;
      for (int64_t f = 0; f < features; f += kPiece) {
        const int64_t count = std::min(kPiece, features - f);
        format.decode(table.type.shape, table.data, ids[t] * features + f, count, piece);
        for_each_group(0, count, [&](int64_t i, auto n) { store(y + f + i, load(piece + i, n), n); });
      }
    }
  });
}

// Rows are asked for while the second before them is copied: which they are, no hardware foresees.
constexpr int64_t kRowsAhead = 2;

}  // namespace

void embedding(const Invocation& call) {
  const int32_t* ids = call.inputs[1].as<const int32_t>();
  const int64_t features = call.inputs[0].dim(1);
  with_elements(call.outputs[0], [&]<class Element>(const Element*) {
    if (!is_scalar(call.inputs[0].type.dtype)) return decode_rows<Element>(call);
    with_elements(call.inputs[0], [&](auto* table) {
      split_rows<Element>(call, [&](int64_t begin, int64_t end, auto place) {
        for (int64_t t = begin; t < end; ++t) {
          const auto* row = table + ids[t] * features;
          const auto* ahead = table + ids[std::min(t + kRowsAhead, end - 1)] * features;
          const auto y = place(call.outputs[0]) + t * features;
          for_each_group(0, features, [=](int64_t f, auto n) {
            __builtin_prefetch(ahead + f);
            store(y + f, load(row + f, n), n);
          });
        }
      });
    });
  });
}

void embedding_backward(const Invocation& call) {
  const int64_t features = call.inputs[1].dim(1);
  const bool add = call.attributes.integer("add") != 0;
  const bool has_last_input = call.inputs.size() == 3;
  const TokensByRow sorted = sort_by_row(call.inputs[0].as<const int32_t>(), call.inputs[0].dim(0),
                                         call.outputs[0].dim(0), reinterpret_cast<int32_t*>(call.scratch.data()));
  with_elements(call.inputs[1], [&](auto* dy) {
    split_rows(call, [&](int64_t begin, int64_t end, auto place) {
      const int32_t* const last_of_all = sorted.tokens + sorted.starts[end] - 1;
      for (int64_t v = begin; v < end; ++v) {
        const int32_t* token = sorted.tokens + sorted.starts[v];
        const int32_t* last = sorted.tokens + sorted.starts[v + 1];
        if (token == last && has_last_input) continue;
        const float* old = call.outputs[0].as<const float>() + v * features;
        const auto row = place(call.outputs[0]) + v * features;
        for_each_group(0, features, [=](int64_t f, auto n) {
          F32x16 chain = has_last_input && !add ? load(old + f, n) : F32x16(0.0f);
          for (const int32_t* t = token; t != last; ++t) {
            __builtin_prefetch(dy + *std::min(t + kRowsAhead, last_of_all) * features + f);
            chain = chain + load(dy + *t * features + f, n);
          }
          store(row + f, add ? load(old + f, n) + chain : chain, n);
        });
      }
    });
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(embedding);
HEADROOM_KERNEL(embedding_backward);
