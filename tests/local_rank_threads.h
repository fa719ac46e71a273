// Ranks of one process for tests: a thread each.
#pragma once

#include <exception>
#include <memory>
#include <thread>
#include <vector>

#include "headroom/comm/local_ranks.h"

namespace headroom {

// Runs body(ranks) as each rank of a job of `size`; a rank leaves when its body ends or throws. What each threw, or
// null. `body` owns nothing that others may still receive into or send from when it throws.
template <class Body>
std::vector<std::exception_ptr> run_local_ranks_to_end(int size, Body body) {
  std::vector<std::unique_ptr<Communicator>> ranks = make_local_ranks(size);
  std::vector<std::exception_ptr> errors(ranks.size());
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    threads.emplace_back([&, rank] {
      try {
        body(*ranks[rank]);
      } catch (...) {
        errors[rank] = std::current_exception();
      }
      ranks[rank].reset();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return errors;
}

// The same for bodies that are to succeed: rethrows the error of the first rank that has one.
template <class Body>
void run_local_ranks(int size, Body body) {
  for (const std::exception_ptr& error : run_local_ranks_to_end(size, body)) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace headroom
