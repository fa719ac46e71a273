// How the elements of a value are cut over the ranks of a job: in whole blocks of `unit`, as evenly as these go, so
// that what is added up by blocks is the same on any number of ranks. Lower ranks have the larger parts.
#pragma once

#include <algorithm>
#include <cstdint>

namespace headroom {

// Which of the data-parallel ranks of a job this is. Only constants of nodes depend on `rank`, so that plans are the
// same on all.
struct RankPlace {
  int64_t rank = 0;
  int64_t ranks = 1;
};

struct RankParts {
  int64_t elements = 0;  // of the whole
  int64_t unit = 1;
  int64_t ranks = 1;

  int64_t blocks() const { return (elements + unit - 1) / unit; }
  // Where the part of `rank` begins; the whole's end for rank = ranks.
  int64_t first(int64_t rank) const { return std::min(elements, (blocks() * rank + ranks - 1) / ranks * unit); }
  int64_t held(int64_t rank) const { return first(rank + 1) - first(rank); }
  // What every rank has room for, so that all have the same plan: the largest part in whole blocks.
  int64_t room() const { return (blocks() + ranks - 1) / ranks * unit; }
};

}  // namespace headroom
