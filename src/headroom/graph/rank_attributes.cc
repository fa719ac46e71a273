#include "headroom/graph/rank_attributes.h"

#include "headroom/base/errors.h"

namespace headroom {

Attributes attributes_of(const RankParts& parts) { return {{"ranks", parts.ranks}, {"unit", parts.unit}}; }

RankParts rank_parts_of(const Attributes& attributes, int64_t elements) {
  const RankParts parts{elements, attributes.integer("unit"), attributes.integer("ranks")};
  if (parts.ranks < 1 || parts.unit < 1) {
    throw InvalidInput("parts of ranks: expected 1 rank or more and blocks of 1 element or more, got {} and {}",
                       parts.ranks, parts.unit);
  }
  return parts;
}

}  // namespace headroom
