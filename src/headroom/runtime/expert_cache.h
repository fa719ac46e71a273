// Which experts are in the slots of a step (ops/fetch_experts.h), and which make room for others: those that were
// needed least often, of late more than long ago. Nothing is read that is not needed, so that no number of slots is
// worse than none that keep anything. Allocates nothing after it was made; for one thread.
//   E experts a layer, S slots
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace headroom {

class ExpertCache {
 public:
  // `layers`: what they are called.
  ExpertCache(std::vector<std::string> layers, int64_t experts, int64_t slots);

  int64_t layer_of(const std::string& name) const;  // throws InternalError where there is none

  struct Read {
    int32_t expert;
    int32_t slot;
  };
  // For the experts of the layer that have rows, by begins[E + 1]: table[e] is the slot that expert e is in or comes
  // to, -1 for the others. What must be read; valid until the next call. The slots are no fewer than the experts that
  // have rows.
  std::span<const Read> take(int64_t layer, const int32_t* begins, int32_t* table);
  // What the slots hold is worth nothing any more.
  void clear();

  int64_t needed() const { return needed_; }  // so far
  int64_t read() const { return read_; }      // of these, from files

 private:
  int32_t free_slot();

  std::vector<std::string> layers_;
  int64_t experts_;
  std::vector<int32_t> slot_of_;   // of each expert of each layer, -1: none
  std::vector<int64_t> held_;      // by slot: the number of an expert, -1: nothing
  std::vector<int64_t> taken_at_;  // by slot: the turn that last needed it
  std::vector<double> worth_;      // of each expert: how often it was needed, what is long ago counting less
  std::vector<Read> reads_;
  double weight_ = 1;  // of being needed now
  int64_t turn_ = 0;
  int64_t needed_ = 0;
  int64_t read_ = 0;
};

}  // namespace headroom
