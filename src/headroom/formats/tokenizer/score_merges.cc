#include "headroom/formats/tokenizer/score_merges.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

// `visit(left, right)` for every cut of the piece `id`, between characters, into two pieces that have a score.
template <class Visit>
void visit_cuts(const PieceTable& pieces, const std::vector<float>& scores, int32_t id, const Visit& visit) {
  const std::string_view piece = pieces[id];
  if (std::isinf(scores[id])) return;
  for (size_t cut = 1; cut < piece.size(); ++cut) {
    if ((piece[cut] & 0xC0) == 0x80) continue;
    const int32_t left = pieces.find(piece.substr(0, cut));
    const int32_t right = left < 0 ? -1 : pieces.find(piece.substr(cut));
    if (right >= 0) visit(left, right);
  }
}

}  // namespace

int64_t count_score_merges(const PieceTable& pieces, const std::vector<float>& scores) {
  ensure(static_cast<int64_t>(scores.size()) >= pieces.size(), "{} scores for ids up to {}", scores.size(),
         pieces.size() - 1);
  int64_t count = 0;
  for (int32_t id = 0; id < pieces.size(); ++id) {
    visit_cuts(pieces, scores, id, [&](int32_t, int32_t) { ++count; });
  }
  return count;
}

void visit_score_merges(const PieceTable& pieces, const std::vector<float>& scores, const ScoreMergeVisitor& visit) {
  std::vector<int32_t> order;
  order.resize(pieces.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return scores[a] > scores[b]; });
  int32_t rank = 0;
  for (size_t at = 0; at < order.size(); ++at) {
    if (at > 0 && scores[order[at]] != scores[order[at - 1]]) ++rank;
    visit_cuts(pieces, scores, order[at], [&](int32_t left, int32_t right) { visit({left, right, rank, order[at]}); });
  }
}

bool add_score_merges(const std::vector<float>& scores, BpeModel& model, JoinedPairs& joined) {
  bool all_added = true;
  visit_score_merges(model.pieces, scores, [&](const Merge& merge) {
    all_added = all_added && model.merges.add(merge);
    joined.add(model.pieces[merge.left], model.pieces[merge.right]);
  });
  return all_added;
}

}  // namespace headroom
