// A program for ranks under a launcher: what all of them promise, and what happens when one fails. The first argument
// says which (tests/ranks/*_test.py run them); `test_ranks SCENARIO [NUMBER...]`.
#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "headroom/base/console.h"
#include "headroom/base/errors.h"
#include "headroom/comm/agreement.h"
#include "headroom/comm/collectives.h"
#include "headroom/comm/join_ranks.h"
#include "headroom/comm/rank_guard.h"
#include "headroom/comm/stop_vote.h"
#include "headroom/runtime/process_memory.h"
#include "tests/comm/communicator_cases.h"
#include "tests/ranks/scenarios.h"

namespace headroom {
namespace {

using Numbers = std::vector<int>;

void run_cases(Communicator& ranks, const Numbers&) {
  for (const CommunicatorCase& one : communicator_cases()) {
    one.run(ranks);
    barrier(ranks);
    if (ranks.rank() == 0) print_result("{}\n", one.name);
  }
}

// Every rank works for two minutes; the one whose number is given does `what` after a moment.
template <class What>
void work_until(Communicator& ranks, const Numbers& numbers, bool in_waits, What what) {
  barrier(ranks);
  const auto begin = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - begin < std::chrono::seconds(120)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (std::chrono::steady_clock::now() - begin > std::chrono::milliseconds(200) && ranks.rank() == numbers.at(0)) {
      what();
    }
    if (in_waits) barrier(ranks);
  }
}

void be_killed(Communicator& ranks, const Numbers& numbers) {
  work_until(ranks, numbers, numbers.at(2) != 0, [&] { ::raise(numbers.at(1)); });
}

void leave_by_exit(Communicator& ranks, const Numbers& numbers) {
  work_until(ranks, numbers, true, [&] { std::_Exit(numbers.at(1)); });
}

void throw_alone(Communicator& ranks, const Numbers& numbers) {
  work_until(ranks, numbers, numbers.at(1) != 0, [] { throw BudgetExceeded(0, "the disk is full; try another"); });
}

void all_throw_alike(Communicator& ranks, const Numbers&) {
  barrier(ranks);
  throw InvalidInput("no such file: data.txt");
}

void differ(Communicator& ranks, const Numbers& numbers) {
  const std::vector<RankFact> facts = {{"version", "1"}, {"--seq-len", ranks.rank() == numbers.at(0) ? "128" : "256"}};
  check_agreement(ranks, facts);
}

void fail_together(Communicator& ranks, const Numbers& numbers) {
  do_together(ranks, [&] {
    if (ranks.rank() == numbers.at(0)) throw BudgetExceeded(5, "the smallest that works is 5 B");
  });
}

// The first rank is done at once, the others exchange something after so many seconds.
void end_apart(Communicator& ranks, const Numbers& numbers) {
  if (ranks.rank() == 0) return;
  std::this_thread::sleep_for(std::chrono::seconds(numbers.at(0)));
  if (ranks.rank() > 2) return;
  Exchange exchange{.sends = {}, .receives = {{3 - ranks.rank(), nullptr, 0}}};
  exchange.sends = exchange.receives;
  ranks.begin(exchange);
  ranks.wait(exchange);
}

volatile std::sig_atomic_t noted = 0;

void vote_on_signals(Communicator& ranks, const Numbers&) {
  for (const int signal : {SIGUSR1, SIGTERM}) std::signal(signal, [](int number) { noted = number; });
  StopVote vote(ranks);
  barrier(ranks);
  if (ranks.rank() == 0) print_result("ready\n");
  int steps = 0;
  while (vote.ask(noted) == 0 && ++steps < 6000) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const std::vector<std::string> all = all_gather_texts(ranks, std::to_string(steps));
  for (const std::string& one : all) ensure(one == all[0], "ranks stopped after {} and {} steps", one, all[0]);
  if (ranks.rank() == 0) print_result("stopped together\n");
}

const std::map<std::string, void (*)(Communicator&, const Numbers&)> kScenarios = {
    {"cases", &run_cases},
    {"be-killed", &be_killed},
    {"exit", &leave_by_exit},
    {"throw", &throw_alone},
    {"differ", &differ},
    {"fail-together", &fail_together},
    {"throw-alike", &all_throw_alike},
    {"vote", &vote_on_signals},
    {"end-apart", &end_apart},

    {"speed", &measure_speed},
};

int tell(const std::exception& error, int code) {
  if (const auto sentence = sentence_to_tell(error, error.what())) print_note("headroom: {}\n", *sentence);
  return code;
}

int run(int count, char** arguments) {
  keep_heap_small();
  const int64_t resident_before_bytes = resident_bytes();
  const char* timeout = std::getenv("RANK_TIMEOUT");
  const auto ranks = join_ranks({.timeout_seconds = timeout == nullptr ? 60 : std::atoi(timeout)});
  if (!ranks) {
    print_result("alone\n");
    return 0;
  }
  Numbers numbers;
  for (int i = 2; i < count; ++i) numbers.push_back(std::atoi(arguments[i]));
  if (std::string_view(arguments[1]) == "memory") {
    measure_memory(*ranks, resident_before_bytes);
  } else {
    kScenarios.at(arguments[1])(*ranks, numbers);
  }
  return 0;
}

}  // namespace
}  // namespace headroom

int main(int count, char** arguments) {
  try {
    headroom::stand_guard_over_rank();
    return headroom::run(count, arguments);
  } catch (const headroom::InvalidInput& error) {
    return headroom::tell(error, 2);
  } catch (const headroom::BudgetExceeded& error) {
    return headroom::tell(error, 3);
  } catch (const headroom::MachineFailure& error) {
    return headroom::tell(error, 4);
  } catch (const std::exception& error) {
    return headroom::tell(error, 1);
  }
}
