// The merges that the scores of a SentencePiece vocabulary imply (Kudo and Richardson 2018, BPE model): two neighbours
// whose texts joined are a piece may merge, the highest score first, leftmost first among equal ones.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "headroom/formats/tokenizer/bpe_model.h"

namespace headroom {

// How many merges add_score_merges adds. `scores` are by id, one for each, no NaN; infinite where no merge makes the
// piece, which may yet be a part of one.
int64_t count_score_merges(const PieceTable& pieces, const std::vector<float>& scores);

// Every way to cut a piece into two pieces is a merge; its rank is the place of its score among all scores, so that
// merges of equal score have one rank. Lowest rank first.
using ScoreMergeVisitor = std::function<void(const Merge& merge)>;
void visit_score_merges(const PieceTable& pieces, const std::vector<float>& scores, const ScoreMergeVisitor& visit);

// All of them, into model.merges, which must have the room. False as MergeTable::add.
[[nodiscard]] bool add_score_merges(const std::vector<float>& scores, BpeModel& model, JoinedPairs& joined);

}  // namespace headroom
