// What ranks do so that all of them fail alike: the same error, the same sentence, the same exit code, told once.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string>

#include "headroom/base/errors.h"
#include "headroom/comm/communicator.h"

namespace headroom {

// Marks an error that every rank throws with the same words; one of them tells it.
struct AgreedFailure {
  bool is_told_here = false;
  virtual ~AgreedFailure() = default;
};

// Something that must be the same on all ranks: a flag, a version, a fingerprint.
struct RankFact {
  std::string name;
  std::string value;
};

// Compares the facts of all ranks. All throw InvalidInput with one sentence when a rank's differ from those of rank 0:
// it names the first such rank and its first such fact.
void check_agreement(Communicator& ranks, std::span<const RankFact> facts);

// How one rank's part of something went.
class RankOutcome {
 public:
  RankOutcome() = default;
  explicit RankOutcome(std::exception_ptr error) : error_(std::move(error)) {}
  // Returns when all ranks have come here without an error. Otherwise all throw what the first rank with an error has,
  // of the same type and with "rank N: " before it unless all say the same. An exception that is no error (a signal)
  // goes on where it was thrown, and is a MachineFailure of the others.
  void settle(Communicator& ranks) const;

 private:
  std::exception_ptr error_;
};

// Runs `part` on every rank, then settles how it went. `part` does not communicate.
template <class Part>
void do_together(Communicator& ranks, Part part) {
  RankOutcome outcome;
  try {
    part();
  } catch (...) {
    outcome = RankOutcome(std::current_exception());
  }
  outcome.settle(ranks);
}

// What this process prints of an error that ends it: the sentence, after "rank N: " on another rank than 0; nothing
// where another rank tells it. What ranks run into alike without having agreed (a flag, a missing file) is told once as
// well: another rank than 0 waits five seconds where rank 0 fails too, or may, by when the launcher has ended it.
std::optional<std::string> sentence_to_tell(const std::exception& error, const std::string& sentence);

}  // namespace headroom
