// A token of a token file: its id, and in the two bits that no id needs what the loss and attention must know of it.
#pragma once

#include <cstdint>

namespace headroom {

inline constexpr int64_t kMaxMarkedVocabulary = (int64_t{1} << 30) - 1;

// Fills the rest of a row. It is in no document and does not count.
inline constexpr int32_t kPadding = -1;

// `counts`: whether its prediction is in the loss. `begins`: it does not see what stands before it, and has position 0.
constexpr int32_t mark_token(int32_t id, bool counts, bool begins) {
  const uint32_t marks = (counts ? 0 : uint32_t{1} << 31) | (begins ? uint32_t{1} << 30 : 0);
  return static_cast<int32_t>(static_cast<uint32_t>(id) | marks);
}

constexpr int32_t marked_id(int32_t marked) { return marked & 0x3fffffff; }
constexpr bool marked_counts(int32_t marked) { return marked >= 0; }
constexpr bool marked_begins(int32_t marked) { return (marked & 0x40000000) != 0; }
// As the target of the token before it, which it must not begin behind.
constexpr bool is_predicted(int32_t marked) { return marked_counts(marked) && !marked_begins(marked); }

}  // namespace headroom
