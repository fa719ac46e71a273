// Tied embeddings: the gradient of the embedding's use is added straight into the gradient of the head's use, row by
// row, instead of being a second table of vocabulary x features that is then added. Lossless: the same additions.
#pragma once

#include "headroom/graph/graph.h"

namespace headroom {

// add(g, embedding_backward(ids, dy)) -> embedding_backward(ids, dy, g) with add=1, where nothing else reads the parts.
Graph fuse_embedding_gradient(Graph graph);

}  // namespace headroom
