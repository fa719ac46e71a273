#include "headroom/formats/tokenizer/bpe_stage.h"

#include <algorithm>
#include <limits>

#include "headroom/formats/tokenizer/utf8.h"

namespace headroom {
namespace {

// Below this many symbols, looking at all pairs again after each merge is faster than keeping a heap.
constexpr size_t kMaxScannedSymbols = 24;

}  // namespace

BpeStage::BpeStage(const BpeModel& model, const JoinedPairs& joined)
    : model_(model),
      joined_(joined),
      cuts_words_(model.alphabet == BpeModel::Alphabet::fallback_bytes && !model.whole_words_first &&
                  !joined.joins_byte_pieces()) {
  symbols_.reserve(kMaxWordSymbols);
  heap_.reserve(2 * kMaxWordSymbols);  // each merge adds at most two candidates and removes a symbol
  ids_.reserve(kMaxWordSymbols);
  whole_word_.reserve(model.whole_words_first ? model.pieces.longest_bytes() : 0);
}

void BpeStage::text(std::string_view fragment) {
  if (!cuts_words_) return add_to_word(fragment);
  size_t begin = 0;
  for (size_t at = 0; at < fragment.size();) {
    const auto lead = static_cast<uint8_t>(fragment[at]);
    const Utf8Char next = lead < 0x80 ? Utf8Char{Utf8State::valid, 1, lead} : read_utf8(fragment.substr(at));
    if (last_code_ != kNoCode && !joined_.joins(last_code_, next.code)) {
      add_to_word(fragment.substr(begin, at - begin));
      end_word();
      begin = at;
    }
    last_code_ = next.code;
    at += next.length;
  }
  add_to_word(fragment.substr(begin));
}

void BpeStage::add_to_word(std::string_view text) {
  if (symbols_.empty() && word_.has_room_for(text.size())) return word_.append(text);
  add_symbols(word_.text());
  word_.clear();
  add_symbols(text);
}

void BpeStage::add_symbols(std::string_view fragment) {
  if (model_.alphabet == BpeModel::Alphabet::bytes) {
    for (const char byte : fragment) add_symbol(model_.byte_ids[static_cast<uint8_t>(byte)]);
    return;
  }
  while (!fragment.empty()) {
    const size_t length = read_utf8(fragment).length;
    add_character(fragment.substr(0, length));
    fragment.remove_prefix(length);
  }
}

void BpeStage::add_character(std::string_view character) {
  const int32_t id = model_.pieces.find(character);
  if (id >= 0 || model_.alphabet == BpeModel::Alphabet::characters) return add_symbol(id);
  for (const char byte : character) add_symbol(model_.byte_ids[static_cast<uint8_t>(byte)]);
}

void BpeStage::add_symbol(int32_t id) {
  if (id < 0) {
    id = model_.unknown_id;
    if (id < 0 || (model_.fuse_unknown && !symbols_.empty() && symbols_.back().id == id)) return;
  }
  if (symbols_.size() == kMaxWordSymbols) cut_full_word();
  symbols_.push_back({id, 0, 0});
}

void BpeStage::cut_full_word() {
  const auto piece = [&](size_t at) { return model_.pieces[symbols_[at].id]; };
  size_t cut = symbols_.size() - 1;
  while (cut > 0 && !joined_.may_cut(piece(cut - 1), piece(cut))) --cut;
  encode_first(cut > 0 ? cut : symbols_.size());
}

void BpeStage::end_word() {
  if (word_.empty()) {
    if (!symbols_.empty()) encode_first(symbols_.size());
    return;
  }
  if (const std::span<const int32_t> known = cache_.find(word_); !known.empty()) {
    (*sink_)(known);
  } else {
    ids_.clear();
    add_symbols(word_.text());
    if (!symbols_.empty()) encode_first(symbols_.size());
    cache_.add(word_, ids_);
  }
  word_.clear();
}

void BpeStage::end_piece() {
  end_word();
  last_code_ = kNoCode;
}

void BpeStage::bytes(std::string_view invalid) {
  end_piece();
  for (const char byte : invalid) add_symbol(model_.byte_ids[static_cast<uint8_t>(byte)]);
  end_word();
}

void BpeStage::token(int32_t id) {
  end_piece();
  (*sink_)({&id, 1});
}

void BpeStage::encode_first(size_t count) {
  if (model_.whole_words_first && take_whole_word(count)) return;
  const auto last = static_cast<int32_t>(count) - 1;
  for (int32_t at = 0; at <= last; ++at) {
    symbols_[at].left = at - 1;
    symbols_[at].right = at == last ? -1 : at + 1;
  }
  if (count <= kMaxScannedSymbols) {
    merge_by_scanning(count);
  } else {
    merge_by_heap(count);
  }
  ids_.clear();
  for (int32_t at = 0; at >= 0; at = symbols_[at].right) ids_.push_back(symbols_[at].id);
  symbols_.erase(symbols_.begin(), symbols_.begin() + static_cast<int64_t>(count));
  (*sink_)(ids_);
}

bool BpeStage::take_whole_word(size_t count) {
  whole_word_.clear();
  for (size_t at = 0; at < count; ++at) {
    const std::string_view piece = model_.pieces[symbols_[at].id];
    if (whole_word_.size() + piece.size() > static_cast<size_t>(model_.pieces.longest_bytes())) return false;
    whole_word_ += piece;
  }
  const int32_t id = model_.pieces.find(whole_word_);
  if (id < 0) return false;
  symbols_.erase(symbols_.begin(), symbols_.begin() + static_cast<int64_t>(count));
  ids_.assign(1, id);
  (*sink_)(ids_);
  return true;
}

const Merge* BpeStage::merge_at(int32_t at) const {
  const int32_t right = symbols_[at].right;
  return right < 0 ? nullptr : model_.merges.find(symbols_[at].id, symbols_[right].id);
}

void BpeStage::join(int32_t at, int32_t result) {
  const int32_t right = symbols_[at].right;
  const int32_t after = symbols_[right].right;
  symbols_[at].id = result;
  symbols_[at].right = after;
  symbols_[right].id = -1;
  if (after >= 0) symbols_[after].left = at;
}

void BpeStage::merge_by_scanning(size_t count) {
  constexpr Candidate kNothing = {std::numeric_limits<int32_t>::max(), -1, -1};
  Candidate candidates[kMaxScannedSymbols];
  const auto look_up = [&](int32_t at) {
    const Merge* merge = merge_at(at);
    candidates[at] = merge == nullptr ? kNothing : Candidate{merge->rank, at, merge->result};
  };
  for (int32_t at = 0; at < static_cast<int32_t>(count); ++at) look_up(at);
  for (;;) {
    Candidate best = kNothing;
    for (int32_t at = 0; at >= 0; at = symbols_[at].right) {
      if (candidates[at].rank < best.rank) best = candidates[at];
    }
    if (best.at < 0) return;
    join(best.at, best.result);
    look_up(best.at);
    if (symbols_[best.at].left >= 0) look_up(symbols_[best.at].left);
  }
}

void BpeStage::push_candidate(int32_t at) {
  const Merge* merge = merge_at(at);
  if (merge == nullptr) return;
  heap_.push_back({merge->rank, at, merge->result});
  std::push_heap(heap_.begin(), heap_.end(), [](const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
  });
}

void BpeStage::merge_by_heap(size_t count) {
  heap_.clear();
  for (int32_t at = 0; at < static_cast<int32_t>(count); ++at) push_candidate(at);
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), [](const Candidate& a, const Candidate& b) {
      return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
    });
    const Candidate next = heap_.back();
    heap_.pop_back();
    // A merge of a neighbour may have changed the pair since it was pushed.
    if (symbols_[next.at].id < 0) continue;
    const Merge* merge = merge_at(next.at);
    if (merge == nullptr || merge->rank != next.rank) continue;
    join(next.at, merge->result);  // merges by score share ranks, so the result may be another by now
    push_candidate(next.at);
    if (symbols_[next.at].left >= 0) push_candidate(symbols_[next.at].left);
  }
}

}  // namespace headroom
