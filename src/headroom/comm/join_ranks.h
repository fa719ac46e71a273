// The one way into a job of several ranks.
#pragma once

#include <cstdint>
#include <memory>

#include "headroom/comm/communicator.h"

namespace headroom {

struct RankSettings {
  int64_t timeout_seconds = 60;  // a rank that is silent for so long is given up: at least 2
};

// The ranks that a launcher started together (launcher.h), joined by MPI: called once in a process, by all of them.
// Null in a process that is alone: it pays nothing. Throws InvalidInput where MPI is missing or is not the launcher's.
//
// Destroyed at the end of the work it waits for the others' ends; destroyed by an exception it lets them know that this
// rank ends the job and says why, and they end without a word.
std::unique_ptr<Communicator> join_ranks(const RankSettings& settings);

// Who tells why the job ends, if this process fails now: it has joined nobody, and the others may fail alike; it has;
// it has, and rank 0 fails too. Of the process, as MPI is.
enum class Teller { perhaps_rank_0, this_rank, rank_0 };
Teller teller_of_failure();
void note_that_rank_0_ends();

}  // namespace headroom
