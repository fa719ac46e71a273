// lse[t] = log sum_v exp(logits[t,v]): tiles of 4096 columns, merged ascending.
#include "headroom/backend/reference/log_sum_exp.h"

namespace headroom::reference {

void logsumexp(const Invocation& call) {
  const Tensor& logits = call.inputs[0];
  const int64_t columns = logits.dim(1);
  call.threads.split(logits.dim(0), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const float* row = logits.as<float>() + t * columns;
      MaxAndSum whole = max_and_sum(row, std::min(columns, kVocabularyTile));
      for (int64_t v = kVocabularyTile; v < columns; v += kVocabularyTile) {
        whole = merge(whole, max_and_sum(row + v, std::min(columns - v, kVocabularyTile)));
      }
      call.outputs[0].as<float>()[t] = whole.max + log(whole.sum);
    }
  });
}

}  // namespace headroom::reference

HEADROOM_KERNEL(logsumexp);
