// The pieces of a vocabulary, both ways: id -> text and text -> id. Flat arrays sized once: per id 6 bytes and the
// text, and 4 bytes / 0.75 per piece for the hash slots.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "headroom/formats/tokenizer/two_place_table.h"

namespace headroom {

class PieceTable {
 public:
  // Room for `pieces` pieces with ids in [0, ids) and `text_bytes` bytes of text in all.
  PieceTable(int64_t pieces, int64_t ids, int64_t text_bytes);
  // What the constructor allocates.
  static int64_t bytes_for(int64_t pieces, int64_t ids, int64_t text_bytes);

  static constexpr size_t kMaxPieceBytes = 65535;

  enum class Added : uint8_t { yes, id_taken, text_taken, no_place };
  // Within the room promised to the constructor. no_place: the text collides with too many others (two_place_table.h),
  // and the table is of no use then.
  Added add(int32_t id, std::string_view text);

  // -1 if there is none.
  int32_t find(std::string_view text) const;
  bool contains(int32_t id) const { return id >= 0 && id < size() && starts_[id] != kNone; }
  // Empty if no piece has this id.
  std::string_view operator[](int32_t id) const;
  // The largest id and one; there may be holes below.
  int32_t size() const { return size_; }
  int32_t longest_bytes() const { return longest_bytes_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Slot {
    int32_t id = -1;
    bool is_free() const { return id < 0; }
  };

  std::vector<char> text_;
  std::vector<uint32_t> starts_;
  std::vector<uint16_t> lengths_;
  TwoPlaceTable<Slot> slots_;
  int32_t size_ = 0;
  int32_t longest_bytes_ = 0;
};

}  // namespace headroom
