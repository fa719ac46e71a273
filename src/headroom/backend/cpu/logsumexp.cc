// logsumexp: rows split over threads, sixteen lanes a row.
#include "headroom/backend/cpu/log_sum_exp.h"

namespace headroom::HEADROOM_ISA {

void logsumexp(const Invocation& call) {
  const Tensor& logits = call.inputs[0];
  const int64_t columns = logits.dim(1);
  call.threads.split(logits.dim(0), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const float* row = logits.as<float>() + t * columns;
      MaxAndSum whole = max_and_sum(row, columns < kVocabularyTile ? columns : kVocabularyTile);
      for (int64_t v = kVocabularyTile; v < columns; v += kVocabularyTile) {
        whole = merge(whole, max_and_sum(row + v, columns - v < kVocabularyTile ? columns - v : kVocabularyTile));
      }
      call.outputs[0].as<float>()[t] = log_sum_exp(whole);
    }
  });
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(logsumexp);
