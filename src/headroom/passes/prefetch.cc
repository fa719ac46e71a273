#include "headroom/passes/prefetch.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "headroom/base/bytes.h"
#include "headroom/graph/op.h"
#include "headroom/plan/lifetimes.h"

namespace headroom {
namespace {

// More is not kept beyond its time for stores, nor, with that, ahead of it for loads: a disk is busy with less.
constexpr int64_t kMostBehindBytes = 24 * kMiB;
constexpr int64_t kMostAheadBytes = 64 * kMiB;

// Where a node goes: before or after the node that was at `slot`, or there itself.
struct Key {
  int32_t slot;
  int32_t side;  // -1 before, 0 itself, 1 after
};

class Reordering {
 public:
  Reordering(Graph graph, const Processor& processor, int64_t ahead_bytes)
      : graph_(std::move(graph)), uses_(graph_), count_(as_index(graph_.nodes.size())) {
    const Lifetimes lifetimes = find_lifetimes(graph_, processor, kDiskAlignmentBytes);
    live_ = live_bytes(lifetimes.blocks, count_);
    limit_ = (live_.empty() ? 0 : *std::max_element(live_.begin(), live_.end())) + ahead_bytes;
    most_ahead_ = std::max(kMostAheadBytes, ahead_bytes);
    ahead_.assign(live_.size(), 0);
    for (int32_t at = 0; at < count_; ++at) keys_.push_back({at, 0});
  }

  Graph run() {
    for (int32_t at = count_ - 1; at >= 0; --at) {
      if (is(at, Transfer::store, Course::wait)) sink(at);
    }
    for (int32_t at = 0; at < count_; ++at) {
      // What reads by what a node before it has found stays behind that.
      if (is(at, Transfer::load, Course::begin) && node(at).op->place_input() < 0) hoist(at);
    }
    std::vector<int32_t> order(graph_.nodes.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      const Key& x = keys_[static_cast<size_t>(a)];
      const Key& y = keys_[static_cast<size_t>(b)];
      return std::tie(x.slot, x.side) < std::tie(y.slot, y.side);
    });
    put_in(order);
    return std::move(graph_);
  }

 private:
  static int32_t as_index(size_t number) { return static_cast<int32_t>(number); }
  const Node& node(int32_t at) const { return graph_.nodes[static_cast<size_t>(at)]; }

  bool is(int32_t at, Transfer transfer, Course course) const {
    return node(at).op->transfer() == transfer && node(at).op->course() == course;
  }

  int64_t bytes_of(const std::vector<ValueId>& ids, size_t count) const {
    int64_t bytes = 0;
    for (size_t i = 0; i < count; ++i) {
      bytes += padded_bytes(graph_.value(ids[i]).bytes(), graph_.value(ids[i]).name, kDiskAlignmentBytes);
    }
    return bytes;
  }

  bool has_room(int32_t at, int64_t bytes, int64_t most_ahead) const {
    const auto moment = static_cast<size_t>(at);
    return live_[moment] + bytes <= limit_ && (ahead_[moment] == 0 || ahead_[moment] + bytes <= most_ahead);
  }

  void take(int32_t at, int64_t bytes) {
    live_[static_cast<size_t>(at)] += bytes;
    ahead_[static_cast<size_t>(at)] += bytes;
  }

  // In place: a second list of the nodes of a large job is as much memory as all else that planning takes.
  void put_in(std::vector<int32_t>& order) {
    for (size_t start = 0; start < order.size(); ++start) {
      Node first = std::move(graph_.nodes[start]);
      size_t place = start;
      for (;;) {
        const auto from = static_cast<size_t>(std::exchange(order[place], as_index(place)));
        if (from == start) break;
        graph_.nodes[place] = std::move(graph_.nodes[from]);
        place = from;
      }
      graph_.nodes[place] = std::move(first);
    }
  }

  // The wait for a store: down, to before whoever goes on from there.
  void sink(int32_t at) {
    int32_t end = count_;
    for (const ValueId id : node(at).outputs) {
      const std::span<const int32_t> readers = uses_.readers(id);
      if (!readers.empty()) end = std::min(end, readers.front());
    }
    const int64_t bytes = bytes_of(node(at).inputs, node(at).outputs.size());
    int32_t slot = at;
    while (slot + 1 < end && has_room(slot + 1, bytes, kMostBehindBytes)) take(++slot, bytes);
    if (slot > at) keys_[static_cast<size_t>(at)] = {slot, 1};
  }

  // A load: up, to behind what makes its operands and the load before it.
  void hoist(int32_t at) {
    int32_t first = earliest_;
    for (const ValueId id : node(at).inputs) {
      const int32_t producer = uses_.producer[static_cast<size_t>(id)];
      if (producer >= 0) first = std::max(first, keys_[static_cast<size_t>(producer)].slot + 1);
    }
    const int64_t bytes = bytes_of(node(at).outputs, node(at).outputs.size());
    int32_t slot = at;
    while (slot > first && has_room(slot - 1, bytes, most_ahead_)) take(--slot, bytes);
    if (slot < at) keys_[static_cast<size_t>(at)] = {slot, -1};
    earliest_ = slot;
  }

  Graph graph_;
  const Uses uses_;
  const int32_t count_;
  std::vector<int64_t> live_;   // at each node, of the order before, with what was moved
  std::vector<int64_t> ahead_;  // of that what was moved
  int64_t limit_ = 0;
  int64_t most_ahead_ = kMostAheadBytes;
  std::vector<Key> keys_;
  int32_t earliest_ = 0;  // where the last load went
};

}  // namespace

Graph prefetch(Graph graph, const Processor& processor, int64_t ahead_bytes) {
  return Reordering(std::move(graph), processor, ahead_bytes).run();
}

}  // namespace headroom
