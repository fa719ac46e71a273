#include "headroom/plan/layout.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <utility>

namespace headroom {
namespace {

// The search goes on while a layout is more than a 1/kGapShare above the bound and rounds are left, of which there are
// fewer the more comparisons of blocks a round takes.
constexpr int64_t kGapShare = 200;
constexpr int64_t kSearchRounds = 2000;
constexpr int64_t kSearchComparisons = 60'000'000;

// Most blocks live briefly: they are held against those alive in their span of time alone.
constexpr size_t kMostSpans = 64;
constexpr size_t kBlocksOfSpan = 128;
constexpr size_t kMostSpansOfBlock = 3;  // on average: more memory than that is not for it

using Order = std::vector<int32_t>;

class Greedy {
 public:
  Greedy(std::span<const Block> blocks, int32_t moments) : blocks_(blocks), offsets_(blocks.size()) {
    size_t spans = std::min(kMostSpans, blocks.size() / kBlocksOfSpan + 1);
    for (;; spans /= 2) {
      span_moments_ = moments / static_cast<int32_t>(spans) + 1;
      size_t entries = 0;
      for (const Block& block : blocks) entries += span_of(block.last) - span_of(block.first) + 1;
      if (spans == 1 || entries <= kMostSpansOfBlock * blocks.size()) break;
    }
    spans_.resize(spans);
  }

  // Places the blocks one after the other, each into the smallest gap that holds it between blocks that are placed and
  // alive together with it, else above them. Returns the size of the layout; gives up (returning that) beyond `limit`.
  int64_t place(const Order& order, int64_t limit) {
    placed_.clear();
    for (Places& span : spans_) span.clear();
    int64_t size = 0;
    for (const int32_t index : order) {
      const Block& block = blocks_[static_cast<size_t>(index)];
      const int64_t offset = best_fit(block);
      offsets_[static_cast<size_t>(index)] = offset;
      size = std::max(size, offset + block.size_bytes);
      if (size > limit) break;
      const Placed placed = {offset, offset + block.size_bytes, block.first, block.last};
      insert(placed_, placed);
      if (spans_.size() == 1) continue;
      for (size_t span = span_of(block.first); span <= span_of(block.last); ++span) insert(spans_[span], placed);
    }
    return size;
  }

  const std::vector<int64_t>& offsets() const { return offsets_; }

 private:
  struct Placed {
    int64_t begin;
    int64_t end;
    int32_t first;
    int32_t last;
  };

  using Places = std::vector<Placed>;  // by begin, those of one begin as they came

  static void insert(Places& places, const Placed& placed) {
    const auto is_lower = [](const Placed& a, const Placed& b) { return a.begin < b.begin; };
    places.insert(std::upper_bound(places.begin(), places.end(), placed, is_lower), placed);
  }

  size_t span_of(int32_t moment) const { return static_cast<size_t>(moment / span_moments_); }

  int64_t best_fit(const Block& block) const {
    const size_t span = span_of(block.first);
    const bool is_within = spans_.size() > 1 && span == span_of(block.last);
    int64_t top = 0;
    int64_t best_offset = -1;
    int64_t best_gap = std::numeric_limits<int64_t>::max();
    for (const Placed& other : is_within ? spans_[span] : placed_) {
      if (other.first > block.last || other.last < block.first) continue;
      const int64_t gap = other.begin - top;
      if (gap >= block.size_bytes && gap < best_gap) {
        best_offset = top;
        best_gap = gap;
      }
      top = std::max(top, other.end);
    }
    return best_offset < 0 ? top : best_offset;
  }

  std::span<const Block> blocks_;
  std::vector<int64_t> offsets_;
  Places placed_;
  std::vector<Places> spans_;  // of time, equally long: those placed that are alive in each; unused where there is one
  int32_t span_moments_ = 1;
};

// All orders by descending key, ties by the first moment, then by index: a total order, so the same everywhere.
template <class Key>
Order descending(std::span<const Block> blocks, Key key) {
  Order order(blocks.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    const Block& x = blocks[static_cast<size_t>(a)];
    const Block& y = blocks[static_cast<size_t>(b)];
    const auto key_x = key(x);
    const auto key_y = key(y);
    return key_x != key_y ? key_x > key_y : x.first < y.first;
  });
  return order;
}

// By size; by size x lifetime; and the blocks alive at `peak` first, since they alone fill the space, the longest-lived
// of them lowest or highest.
std::array<Order, 4> starting_orders(std::span<const Block> blocks, int32_t peak) {
  const auto at_peak = [peak](const Block& b) { return b.first <= peak && peak <= b.last; };
  const auto area = [](const Block& b) { return static_cast<double>(b.size_bytes) * (b.last - b.first + 1); };
  return {descending(blocks, [](const Block& b) { return b.size_bytes; }), descending(blocks, area),
          descending(blocks, [&](const Block& b) { return std::pair(at_peak(b), b.last); }),
          descending(blocks, [&](const Block& b) { return std::pair(at_peak(b), -b.last); })};
}

// Xorshift (Marsaglia 2003) with a fixed start: the search is the same on every machine.
class Random {
 public:
  size_t below(size_t count) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<size_t>(state_ % count);
  }

 private:
  uint64_t state_ = 88172645463325252u;
};

// Moves one of the blocks that end highest to an earlier place of the order.
void promote_highest(std::span<const Block> blocks, const Layout& layout, Order& order, Random& random) {
  std::vector<size_t> highest;
  for (size_t place = 1; place < order.size(); ++place) {
    const auto index = static_cast<size_t>(order[place]);
    if (layout.offsets_bytes[index] + blocks[index].size_bytes == layout.size_bytes) highest.push_back(place);
  }
  if (highest.empty()) return;
  const auto from = static_cast<std::ptrdiff_t>(highest[random.below(highest.size())]);
  const auto to = static_cast<std::ptrdiff_t>(random.below(static_cast<size_t>(from)));
  std::rotate(order.begin() + to, order.begin() + from, order.begin() + from + 1);
}

}  // namespace

Layout lay_out(std::span<const Block> blocks) {
  Layout best;
  int32_t moments = 0;
  for (const Block& block : blocks) moments = std::max(moments, block.last + 1);
  const std::vector<int64_t> live = live_bytes(blocks, moments);
  const auto peak = std::max_element(live.begin(), live.end());
  if (peak == live.end()) return best;
  best.lower_bound_bytes = *peak;

  best.size_bytes = std::numeric_limits<int64_t>::max();
  Greedy greedy(blocks, moments);
  Order best_order;
  const auto keep_if_better = [&](const Order& order, int64_t limit) {
    const int64_t size = greedy.place(order, limit);
    if (size > limit) return false;
    best.offsets_bytes = greedy.offsets();
    best.size_bytes = size;
    best_order = order;
    return true;
  };
  for (const Order& order : starting_orders(blocks, static_cast<int32_t>(peak - live.begin()))) {
    keep_if_better(order, best.size_bytes - 1);
    if (best.size_bytes == best.lower_bound_bytes) return best;
  }

  const auto count = static_cast<int64_t>(blocks.size());
  const int64_t rounds = std::min(kSearchRounds, kSearchComparisons / (count * count / 2 + 1));
  Random random;
  for (int64_t round = 0; round < rounds; ++round) {
    if (best.size_bytes - best.lower_bound_bytes <= best.lower_bound_bytes / kGapShare) break;
    Order order = best_order;
    promote_highest(blocks, best, order, random);
    keep_if_better(order, best.size_bytes);
  }
  return best;
}

}  // namespace headroom
