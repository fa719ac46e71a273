// Has anybody been asked to stop? What ranks ask each other between steps, so that all stop after the same one.
#pragma once

#include <cstddef>
#include <vector>

#include "headroom/comm/communicator.h"

namespace headroom {

// A byte to and from every other rank for each question.
class StopVote {
 public:
  explicit StopVote(Communicator& ranks);
  StopVote(const StopVote&) = delete;
  StopVote& operator=(const StopVote&) = delete;

  // All ranks ask after the same step, with what each wants to tell (0 is nothing, else for instance the number of a
  // signal); all get the same answer, that of the first rank that has one. Allocates nothing after its first time.
  int ask(int mine);

 private:
  Communicator& ranks_;
  std::vector<std::byte> answers_;
  Exchange exchange_;
};

}  // namespace headroom
