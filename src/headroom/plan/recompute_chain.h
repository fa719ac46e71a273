// What to keep and what to compute again in a chain of blocks, so that a peak is met at the least extra time: every
// value is kept from the forward to the backward, or computed again once. Exact, by dynamic programming over the blocks
// (as Beaumont et al. 2019, "Optimal checkpointing for heterogeneous chains", do for values computed any number of
// times); plan/recompute_choice.h makes a chain of a graph.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace headroom {

// One way to treat the inside of a block whose input is there.
struct ChainOption {
  int64_t kept_bytes = 0;  // from its forward to its backward
  int64_t work_bytes = 0;  // the most alive at once in its backward, what is kept included
  double seconds = 0;      // of what is computed again
};

struct ChainBlock {
  int64_t border_bytes = 0;          // of its input
  std::vector<ChainOption> options;  // the first keeps everything and takes no time
  double inside_seconds = 0;         // to compute all of the inside again
  double replay_seconds = 0;         // the same and its output, which is the next block's input
};

struct Chain {
  std::vector<ChainBlock> blocks;  // in the order of the forward
  int64_t top_bytes = 0;           // alive between forward and backward beside what blocks and borders keep
};

// Of a block: the option that is taken; or its inside is computed again as part of a segment of two or more blocks, of
// which only the first one's input is kept.
struct ChainChoice {
  int option = 0;       // kReplayed: part of a segment
  bool joined = false;  // part of the segment of the block before it: its input is not kept
};
inline constexpr int kReplayed = -1;

// The most alive at once, all of the chain's own: borders, what is kept, what is worked on. A segment is computed again
// whole when the backward comes to its last block; from then on each of its blocks holds what the first option keeps.
int64_t peak_bytes(const Chain& chain, const std::vector<ChainChoice>& choices);
double extra_seconds(const Chain& chain, const std::vector<ChainChoice>& choices);

// The smallest peak there is.
int64_t least_peak_bytes(const Chain& chain);

// The choices of the least extra time whose peak is at most `target_bytes`, and of those of equal time the ones that
// keep less; empty where there are none. Exact while no more than `most_states` ways to come to a block are worth
// comparing (none has both fewer bytes and less time than another); beyond, close.
std::vector<ChainChoice> choose(const Chain& chain, int64_t target_bytes, size_t most_states = 1024);

}  // namespace headroom
