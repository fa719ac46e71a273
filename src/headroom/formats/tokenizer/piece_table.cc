#include "headroom/formats/tokenizer/piece_table.h"

#include <algorithm>

#include "headroom/base/errors.h"
#include "headroom/formats/tokenizer/hash.h"

namespace headroom {

PieceTable::PieceTable(int64_t pieces, int64_t ids, int64_t text_bytes)
    : starts_(ids, kNone), lengths_(ids, 0), slots_(pieces) {
  text_.reserve(text_bytes);
}

int64_t PieceTable::bytes_for(int64_t pieces, int64_t ids, int64_t text_bytes) {
  return text_bytes + 6 * ids + TwoPlaceTable<Slot>::bytes_for(pieces);
}

PieceTable::Added PieceTable::add(int32_t id, std::string_view text) {
  ensure(id >= 0 && id < static_cast<int64_t>(starts_.size()) && text.size() <= kMaxPieceBytes &&
             text_.size() + text.size() <= text_.capacity(),
         "piece {} does not fit the vocabulary's tables", id);
  if (starts_[id] != kNone) return Added::id_taken;
  if (find(text) >= 0) return Added::text_taken;
  starts_[id] = static_cast<uint32_t>(text_.size());
  lengths_[id] = static_cast<uint16_t>(text.size());
  text_.insert(text_.end(), text.begin(), text.end());
  size_ = std::max(size_, id + 1);
  longest_bytes_ = std::max(longest_bytes_, static_cast<int32_t>(text.size()));
  const auto hash_of = [this](const Slot& slot) { return hash_bytes((*this)[slot.id]); };
  return slots_.add({id}, hash_of) ? Added::yes : Added::no_place;
}

int32_t PieceTable::find(std::string_view text) const {
  const Slot* found = slots_.find(hash_bytes(text), [&](const Slot& slot) { return (*this)[slot.id] == text; });
  return found == nullptr ? -1 : found->id;
}

std::string_view PieceTable::operator[](int32_t id) const {
  if (!contains(id)) return {};
  return {text_.data() + starts_[id], lengths_[id]};
}

}  // namespace headroom
