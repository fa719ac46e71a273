// A small process above each rank, which tells what killed the rank: the launcher would report a signal's number as the
// exit code of the job, and a killed rank cannot say a word.
#pragma once

namespace headroom {

// In a process that a launcher started as one of several: returns in a child of it, which dies with it. The process
// itself stays behind, exits as the child does, and where something killed the child says what and exits with 4.
// Signals of the launcher go to both and are the child's matter; those of others are passed on. Elsewhere it does
// nothing. Called first, while the process is small and has one thread.
void stand_guard_over_rank();

}  // namespace headroom
