#include "headroom/plan/recompute_chain.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace headroom {
namespace {

// The blocks [first, last] as a segment, seen from its kept input.
struct Grown {
  int64_t work_bytes = 0;
  double seconds = 0;
};

// Segments that begin at `first`, growing block by block.
class GrowingSegment {
 public:
  GrowingSegment(const Chain& chain, size_t first) : chain_(chain), last_(first) {}

  // With one block more.
  Grown grow() {
    const ChainBlock& before = chain_.blocks[last_];
    work_bytes_ = std::max(work_bytes_, held_bytes_ + before.options[0].work_bytes);
    held_bytes_ += before.options[0].kept_bytes;
    seconds_ += before.replay_seconds;
    const ChainBlock& added = chain_.blocks[++last_];
    held_bytes_ += added.border_bytes;
    return {std::max(work_bytes_, held_bytes_ + added.options[0].work_bytes), seconds_ + added.inside_seconds};
  }

 private:
  const Chain& chain_;
  size_t last_;
  int64_t held_bytes_ = 0;  // insides and borders of the blocks before the last one
  int64_t work_bytes_ = 0;  // of the backward of those
  double seconds_ = 0;
};

// A way to come to a block: what is kept so far, the time so far, and the step that led there.
struct State {
  int64_t kept_bytes = 0;
  double seconds = 0;
  size_t from_block = 0;
  size_t from_state = 0;
  int option = 0;  // kReplayed: a segment from from_block on
};

// States that no other one beats in both, fewest bytes first.
using Front = std::vector<State>;

// Adds another front; of equal states the ones that are there stay.
void merge(Front& front, const Front& added, Front& buffer) {
  buffer.clear();
  const auto append = [&](const State& state) {
    if (buffer.empty() || state.seconds < buffer.back().seconds) buffer.push_back(state);
  };
  auto before = front.begin();
  for (const State& state : added) {
    const std::pair key{state.kept_bytes, state.seconds};
    for (; before != front.end() && std::pair(before->kept_bytes, before->seconds) <= key; ++before) append(*before);
    append(state);
  }
  for (; before != front.end(); ++before) append(*before);
  front = buffer;
}

// Of too many, leaves those spread over the bytes.
void thin(Front& front, size_t most_states) {
  const size_t step = (front.size() + most_states - 1) / most_states;
  if (step <= 1) return;
  size_t kept = 0;
  for (size_t i = 0; i < front.size(); ++i) {
    if (i % step == 0 || i + 1 == front.size()) front[kept++] = front[i];
  }
  front.resize(kept);
}

// Whether the peak can be met: the fewest bytes to come to each block decide.
bool is_possible(const Chain& chain, int64_t target_bytes) {
  constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  const size_t count = chain.blocks.size();
  std::vector<int64_t> fewest(count + 1, kNever);
  fewest[0] = 0;
  for (size_t first = 0; first < count; ++first) {
    if (fewest[first] == kNever) continue;
    const ChainBlock& block = chain.blocks[first];
    const int64_t held = fewest[first] + block.border_bytes;
    for (const ChainOption& option : block.options) {
      if (held + option.work_bytes <= target_bytes)
        fewest[first + 1] = std::min(fewest[first + 1], held + option.kept_bytes);
    }
    GrowingSegment segment(chain, first);
    for (size_t last = first + 1; last < count; ++last) {
      if (held + segment.grow().work_bytes > target_bytes) break;
      fewest[last + 1] = std::min(fewest[last + 1], held);
    }
  }
  return fewest[count] != kNever && fewest[count] + chain.top_bytes <= target_bytes;
}

}  // namespace

int64_t peak_bytes(const Chain& chain, const std::vector<ChainChoice>& choices) {
  int64_t kept = 0;
  int64_t peak = 0;
  for (size_t first = 0; first < choices.size();) {
    const ChainBlock& block = chain.blocks[first];
    kept += block.border_bytes;
    size_t last = first;
    if (choices[first].option == kReplayed) {
      GrowingSegment segment(chain, first);
      int64_t work = block.options[0].work_bytes;
      while (last + 1 < choices.size() && choices[last + 1].joined) {
        work = segment.grow().work_bytes;
        ++last;
      }
      peak = std::max(peak, kept + work);
    } else {
      const ChainOption& option = block.options[static_cast<size_t>(choices[first].option)];
      peak = std::max(peak, kept + option.work_bytes);
      kept += option.kept_bytes;
    }
    first = last + 1;
  }
  return std::max(peak, kept + chain.top_bytes);
}

double extra_seconds(const Chain& chain, const std::vector<ChainChoice>& choices) {
  double seconds = 0;
  for (size_t i = 0; i < choices.size(); ++i) {
    const ChainBlock& block = chain.blocks[i];
    if (choices[i].option != kReplayed) {
      seconds += block.options[static_cast<size_t>(choices[i].option)].seconds;
    } else {
      const bool is_last = i + 1 == choices.size() || !choices[i + 1].joined;
      seconds += is_last ? block.inside_seconds : block.replay_seconds;
    }
  }
  return seconds;
}

int64_t least_peak_bytes(const Chain& chain) {
  int64_t enough = peak_bytes(chain, std::vector<ChainChoice>(chain.blocks.size()));
  int64_t too_few = -1;
  while (enough - too_few > 1) {
    const int64_t middle = too_few + (enough - too_few) / 2;
    (is_possible(chain, middle) ? enough : too_few) = middle;
  }
  return enough;
}

std::vector<ChainChoice> choose(const Chain& chain, int64_t target_bytes, size_t most_states) {
  const size_t count = chain.blocks.size();
  std::vector<Front> states(count + 1);
  states[0].push_back({});
  Front added;
  Front buffer;
  for (size_t first = 0; first < count; ++first) {
    thin(states[first], most_states);
    states[first].shrink_to_fit();
    const ChainBlock& block = chain.blocks[first];
    // All that a step makes of the states here, as far as its work fits.
    const auto step = [&](size_t to, const ChainOption& one, int option) {
      added.clear();
      for (size_t from = 0; from < states[first].size(); ++from) {
        const State& state = states[first][from];
        const int64_t held = state.kept_bytes + block.border_bytes;
        if (held + one.work_bytes > target_bytes) break;
        added.push_back({held + one.kept_bytes, state.seconds + one.seconds, first, from, option});
      }
      if (added.empty()) return false;
      merge(states[to], added, buffer);
      return true;
    };
    for (size_t option = 0; option < block.options.size(); ++option) {
      step(first + 1, block.options[option], static_cast<int>(option));
    }
    GrowingSegment segment(chain, first);
    for (size_t last = first + 1; last < count; ++last) {
      const Grown grown = segment.grow();
      if (!step(last + 1, {0, grown.work_bytes, grown.seconds}, kReplayed)) break;
    }
  }
  std::erase_if(states[count], [&](const State& state) { return state.kept_bytes + chain.top_bytes > target_bytes; });
  if (states[count].empty()) return {};
  thin(states[count], most_states);
  std::vector<ChainChoice> choices(count);
  size_t at = count;
  size_t state = states[count].size() - 1;  // the least time: pruned states lose time as they gain bytes
  while (at > 0) {
    const State& one = states[at][state];
    for (size_t block = one.from_block; block < at; ++block) {
      choices[block] = {one.option, one.option == kReplayed && block > one.from_block};
    }
    at = one.from_block;
    state = one.from_state;
  }
  return choices;
}

}  // namespace headroom
