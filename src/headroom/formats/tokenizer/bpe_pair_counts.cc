#include "headroom/formats/tokenizer/bpe_pair_counts.h"

#include <algorithm>

#include "headroom/base/bytes.h"
#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/hash.h"

namespace headroom {

bool BpePairCounts::Less::operator()(const Pair& a, const Pair& b) const {
  if (a.count != b.count) return a.count < b.count;
  return a.left != b.left ? a.left > b.left : a.right > b.right;
}

BpePairCounts::BpePairCounts(const WordCounter& words, const int32_t (&byte_ids)[256], int64_t limit_bytes)
    : words_(words), limit_bytes_(limit_bytes), slots_(4096) {
  const int64_t places = 1 + words.text_bytes() + words.size();
  check_limit(places * static_cast<int64_t>(sizeof(Place)));
  places_.reserve(places);
  places_.push_back({kWordEnd, 0, 0, 0, -1, -1});
  for (int64_t word = 0; word < words.size(); ++word) {
    for (const char byte : words.word(word)) {
      const auto at = static_cast<int32_t>(places_.size());
      places_.push_back({byte_ids[static_cast<uint8_t>(byte)], at, 1, static_cast<int32_t>(word), -1, -1});
    }
    places_.push_back({kWordEnd, 0, 0, 0, -1, -1});
  }
  for (int32_t at = 0; at < static_cast<int32_t>(places_.size()); ++at) {
    if (places_[at].id != kWordEnd && places_[next(at)].id != kWordEnd) add(at);
  }
  for (const Entry& entry : slots_) {
    if (entry.left >= 0) queue_.push({entry.count, entry.left, entry.right});
  }
}

void BpePairCounts::check_limit(int64_t more_bytes) const {
  const auto held = static_cast<int64_t>(places_.capacity() * sizeof(Place) + slots_.capacity() * sizeof(Entry) +
                                         queue_.size() * sizeof(Pair));
  if (words_.allocated_bytes() + held + more_bytes > limit_bytes_ || places_.size() > INT32_MAX / 2) {
    throw InvalidInput(
        "the text has {} different words, too many to train on in {} of memory; try less text, or a larger limit",
        format_count(words_.size()), format_bytes(limit_bytes_));
  }
}

BpePairCounts::Entry& BpePairCounts::entry_of(int32_t left, int32_t right) {
  size_t slot = hash_to_range(mix_bits(pair_key(left, right)), slots_.size());
  while (slots_[slot].left >= 0 && (slots_[slot].left != left || slots_[slot].right != right)) {
    slot = slot + 1 == slots_.size() ? 0 : slot + 1;
  }
  return slots_[slot];
}

// Pairs that have died are dropped on the way.
void BpePairCounts::grow() {
  size_t alive = 0;
  for (const Entry& entry : slots_) alive += entry.left >= 0 && entry.count > 0;
  const size_t size = std::max(slots_.size(), 2 * slots_.size() * (2 * alive > slots_.size() ? 1u : 0u));
  check_limit(static_cast<int64_t>(size * sizeof(Entry)));
  std::vector<Entry> old(size);
  old.swap(slots_);
  used_slots_ = alive;
  for (const Entry& entry : old) {
    if (entry.left >= 0 && entry.count > 0) entry_of(entry.left, entry.right) = entry;
  }
}

void BpePairCounts::add(int32_t at) {
  if (used_slots_ * 4 > slots_.size() * 3) grow();
  const int32_t left = places_[at].id;
  const int32_t right = places_[next(at)].id;
  Entry& entry = entry_of(left, right);
  if (entry.left < 0) {
    entry.left = left;
    entry.right = right;
    ++used_slots_;
  }
  if (entry.merge_seen != merges_) grown_.emplace_back(left, right);
  entry.merge_seen = merges_;
  entry.count += words_.count(places_[at].word);
  places_[at].before = entry.last;
  places_[at].after = -1;
  (entry.last >= 0 ? places_[entry.last].after : entry.first) = at;
  entry.last = at;
}

void BpePairCounts::remove(int32_t at) {
  const Place& place = places_[at];
  Entry& entry = entry_of(place.id, places_[next(at)].id);
  if (entry.count == 0) return;  // the pair that is being merged
  entry.count -= words_.count(place.word);
  (place.before >= 0 ? places_[place.before].after : entry.first) = place.after;
  (place.after >= 0 ? places_[place.after].before : entry.last) = place.before;
}

BpePairCounts::Pair BpePairCounts::pop() {
  while (!queue_.empty()) {
    const Pair top = queue_.top();
    queue_.pop();
    const int64_t count = entry_of(top.left, top.right).count;
    if (count == top.count) return top;
    // It has become rarer since it was queued. (If it has become more frequent, it was queued again then.)
    if (count > 0 && count < top.count) queue_.push({count, top.left, top.right});
  }
  return {};
}

void BpePairCounts::merge(const Pair& pair, int32_t id) {
  ++merges_;
  grown_.clear();
  positions_.clear();
  Entry& merged = entry_of(pair.left, pair.right);
  for (int32_t at = merged.first; at >= 0; at = places_[at].after) positions_.push_back(at);
  merged.count = 0;
  merged.first = merged.last = -1;
  std::sort(positions_.begin(), positions_.end());
  for (const int32_t at : positions_) {
    // In a run such as aaa, the place of the second pair went into the first.
    if (places_[at].id != pair.left || places_[next(at)].id != pair.right) continue;
    const int32_t right = next(at);
    const int32_t after = next(right);
    const int32_t before = places_[at - 1].id == kWordEnd ? -1 : places_[at - 1].begin;
    if (before >= 0) remove(before);
    if (places_[after].id != kWordEnd) remove(right);
    places_[at].id = id;
    places_[at].length = after - at;
    places_[right].id = kInside;
    places_[after - 1].begin = at;
    if (before >= 0) add(before);
    if (places_[after].id != kWordEnd) add(at);
  }
  check_limit(static_cast<int64_t>(grown_.size() * sizeof(Pair)));
  for (const auto& [left, right] : grown_) {
    const int64_t count = entry_of(left, right).count;
    if (count > 0) queue_.push({count, left, right});
  }
}

}  // namespace headroom
