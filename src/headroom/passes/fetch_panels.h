// A weight that is too large to come to memory whole comes from the model's files in panels of rows, each multiplied as
// it is there: the output layer, whose vocabulary is larger than any other weight. Lossless: every logit is the same
// sum, and losses go over the same tiles of the vocabulary. Trades nothing but nodes. Run before prefetch, which reads
// panels ahead.
#pragma once

#include <string>
#include <unordered_set>

#include "headroom/graph/graph.h"

namespace headroom {

// In each product x W^T, and each loss head, with a weight of `names` that takes more than panel_bytes: panels of about
// that many bytes, of whole pages in the file; of a loss head of kLossPanelRows, which may be more. Other nodes, and
// weights whose rows fill no pages, are left as they are.
Graph fetch_panels(Graph graph, const std::unordered_set<std::string>& names, int64_t panel_bytes);

}  // namespace headroom
