// The loss head computes its gradients together with the loss: the logits are made once instead of twice, for the
// scratch of a block of them over the whole vocabulary (at most 64 MiB beside what products take). Lossless: the same
// chains. After Hsu et al. 2024 (Liger Kernel, arXiv 2410.10989, section 3.2).
#pragma once

#include "headroom/graph/graph.h"

namespace headroom {

// linear_cross_entropy with its linear_cross_entropy_backward -> linear_cross_entropy_with_gradients in the place of
// the first, where nothing else reads the log-sum-exps.
Graph fuse_loss_gradients(Graph graph);

}  // namespace headroom
