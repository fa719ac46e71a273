#include "headroom/comm/agreement.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "headroom/comm/stop_vote.h"
#include "tests/local_rank_threads.h"

namespace headroom {
namespace {

struct RankError {
  std::string type = "none";
  std::string what;
  bool is_told = false;
};

template <class Type>
RankError error_of(const char* type, const Type& error) {
  const auto* agreed = dynamic_cast<const AgreedFailure*>(&error);
  return {type, error.what(), agreed != nullptr && agreed->is_told_here};
}

template <class Body>
std::vector<RankError> errors_of(int size, Body body) {
  std::vector<RankError> result;
  for (const std::exception_ptr& error : run_local_ranks_to_end(size, body)) {
    result.emplace_back();
    if (!error) continue;
    try {
      std::rethrow_exception(error);
    } catch (const InvalidInput& invalid) {
      result.back() = error_of("invalid", invalid);
    } catch (const BudgetExceeded& exceeded) {
      result.back() = error_of("budget", exceeded);
      result.back().type += " " + std::to_string(exceeded.smallest_budget_bytes);
    } catch (const MachineFailure& failure) {
      result.back() = error_of("machine", failure);
    } catch (const InternalError& internal) {
      result.back() = error_of("internal", internal);
    } catch (int signal) {
      result.back().type = "signal " + std::to_string(signal);
    }
  }
  return result;
}

void expect_on_all(const std::vector<RankError>& errors, const std::string& type, const std::string& what) {
  for (size_t rank = 0; rank < errors.size(); ++rank) {
    EXPECT_EQ(errors[rank].type, type) << rank;
    EXPECT_EQ(errors[rank].what, what) << rank;
    EXPECT_EQ(errors[rank].is_told, rank == 0) << rank;
  }
}

TEST(Agreement, OfRanksThatAreAlikeHolds) {
  run_local_ranks(3, [](Communicator& ranks) {
    const std::vector<RankFact> facts = {{"version", "0.1.0"}, {"--seq-len", "256"}, {"", ""}};
    check_agreement(ranks, facts);
  });
}

TEST(Agreement, NamesTheFirstRankThatDiffersAndTheFirstDifference) {
  const auto errors = errors_of(4, [](Communicator& ranks) {
    const std::vector<RankFact> facts = {{"version", "0.1.0"},
                                         {"--seq-len", ranks.rank() >= 2 ? "128" : "256"},
                                         {"data", ranks.rank() == 3 ? "a" : "b"}};
    check_agreement(ranks, facts);
  });
  expect_on_all(errors, "invalid",
                "the ranks differ: rank 2 has --seq-len 128, rank 0 has --seq-len 256; try the same program, flags and "
                "files for all");
}

TEST(Agreement, IsNotFooledByBordersAndMissingFacts) {
  const auto borders = errors_of(2, [](Communicator& ranks) {
    const std::vector<RankFact> facts = {ranks.rank() == 0 ? RankFact{"a", "b 1 c"} : RankFact{"a 1 b", "c"}};
    check_agreement(ranks, facts);
  });
  expect_on_all(
      borders, "invalid",
      "the ranks differ: rank 1 has a 1 b c, rank 0 has a b 1 c; try the same program, flags and files for all");
  const auto missing = errors_of(2, [](Communicator& ranks) {
    std::vector<RankFact> facts = {{"a", "b"}};
    if (ranks.rank() == 0) facts.push_back({"flag", "on"});
    check_agreement(ranks, facts);
  });
  expect_on_all(
      missing, "invalid",
      "the ranks differ: rank 1 has nothing more, rank 0 has flag on; try the same program, flags and files for all");
}

TEST(RankOutcome, OfWhatGoesWellOnAllIsNothing) {
  run_local_ranks(3, [](Communicator& ranks) { do_together(ranks, [] {}); });
}

TEST(RankOutcome, OfTheFirstRankWithAnErrorIsThatOfAll) {
  expect_on_all(errors_of(3,
                          [](Communicator& ranks) {
                            do_together(ranks, [&] {
                              if (ranks.rank() > 0) throw BudgetExceeded(70 + ranks.rank(), "too small");
                            });
                          }),
                "budget 71", "rank 1: too small");
  expect_on_all(errors_of(3,
                          [](Communicator& ranks) {
                            do_together(ranks, [&] {
                              if (ranks.rank() == 2) throw InternalError("broken");
                            });
                          }),
                "internal", "internal error: rank 2: broken");
}

TEST(RankOutcome, ThatIsAlikeOnAllNamesNoRank) {
  expect_on_all(
      errors_of(3,
                [](Communicator& ranks) { do_together(ranks, [] { throw InvalidInput("no such file: data.txt"); }); }),
      "invalid", "no such file: data.txt");
}

TEST(RankOutcome, OfASignalIsAFailureOfTheOthers) {
  const auto errors = errors_of(3, [](Communicator& ranks) {
    do_together(ranks, [&] {
      if (ranks.rank() == 1) throw 15;
    });
  });
  EXPECT_EQ(errors[0].type, "machine");
  EXPECT_EQ(errors[0].what, "rank 1: the work was stopped");
  EXPECT_EQ(errors[1].type, "signal 15");
  EXPECT_EQ(errors[2].what, "rank 1: the work was stopped");
}

TEST(StopVote, HasOneAnswerForAll) {
  run_local_ranks(3, [](Communicator& ranks) {
    StopVote vote(ranks);
    for (int round = 0; round < 5; ++round) {
      ensure(vote.ask(0) == 0, "nobody asked");
      ensure(vote.ask(ranks.rank() == 2 ? 15 : 0) == 15, "rank 2 asked");
      ensure(vote.ask(ranks.rank() == 0 ? 0 : ranks.rank()) == 1, "rank 1 is the first that asked");
    }
    ensure(ranks.traffic().sent_bytes == 15 * 2, "{} bytes", ranks.traffic().sent_bytes);
  });
}

TEST(SentenceToTell, IsThatOfTheErrorUnlessAnotherRankTellsIt) {
  EXPECT_EQ(sentence_to_tell(std::runtime_error("x"), "why"), "why");
  struct Told : std::runtime_error, AgreedFailure {
    explicit Told(bool here) : std::runtime_error("x") { is_told_here = here; }
  };
  EXPECT_EQ(sentence_to_tell(Told(true), "why"), "why");
  EXPECT_EQ(sentence_to_tell(Told(false), "why"), std::nullopt);
}

}  // namespace
}  // namespace headroom
