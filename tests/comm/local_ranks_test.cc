#include "headroom/comm/local_ranks.h"

#include <gtest/gtest.h>

#include <string>

#include "headroom/base/errors.h"
#include "headroom/comm/collectives.h"
#include "tests/comm/communicator_cases.h"
#include "tests/local_rank_threads.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

TEST(LocalRanks, KeepEveryPromiseOfACommunicator) {
  for (const int size : {1, 2, 3, 8}) {
    for (const CommunicatorCase& one : communicator_cases()) {
      EXPECT_NO_THROW(run_local_ranks(size, one.run)) << one.name << ", " << size << " ranks";
    }
  }
}

std::string text_of(const std::exception_ptr& error) {
  if (!error) return "";
  try {
    std::rethrow_exception(error);
  } catch (const MachineFailure& failure) {
    return failure.what();
  }
}

TEST(LocalRanks, ARankThatLeavesIsNamedByAllThatWait) {
  for (const int left : {0, 1, 2}) {
    const auto errors = run_local_ranks_to_end(3, [&](Communicator& ranks) {
      barrier(ranks);
      if (ranks.rank() == left) return;
      barrier(ranks);
    });
    for (int rank = 0; rank < 3; ++rank) {
      const std::string text = text_of(errors[static_cast<size_t>(rank)]);
      if (rank == left) {
        EXPECT_EQ(text, "");
      } else {
        EXPECT_NE(text.find("rank " + std::to_string(left) + " has left the job"), std::string::npos) << text;
      }
    }
  }
}

TEST(LocalRanks, TheRankThatLeftFirstIsNamedDownTheChain) {
  // Rank 2 waits for rank 1, which waits for rank 0, which is gone.
  const auto errors = run_local_ranks_to_end(3, [](Communicator& ranks) {
    if (ranks.rank() == 0) return;
    std::byte byte{};
    Exchange exchange{.sends = {}, .receives = {{ranks.rank() - 1, &byte, 1}}};
    ranks.begin(exchange);
    ranks.wait(exchange);
  });
  for (const size_t rank : {1, 2}) {
    EXPECT_EQ(text_of(errors[rank]), "rank 0 has left the job, and rank " + std::to_string(rank) +
                                         " waits for it; what it said last tells why");
  }
}

TEST(LocalRanks, RanksThatNeedNothingOfTheOneThatLeftGoOn) {
  EXPECT_NO_THROW(run_local_ranks(3, [](Communicator& ranks) {
    if (ranks.rank() == 2) return;
    int64_t number = ranks.rank(), other = -1;
    for (int round = 0; round < 100; ++round) {
      Exchange exchange{.sends = {{1 - ranks.rank(), reinterpret_cast<std::byte*>(&number), 8}},
                        .receives = {{1 - ranks.rank(), reinterpret_cast<std::byte*>(&other), 8}}};
      ranks.begin(exchange);
      ranks.wait(exchange);
      ensure(other == 1 - ranks.rank(), "got {}", other);
    }
  }));
}

TEST(LocalRanks, EndsOfDifferentLengthsAreAnInternalError) {
  auto ranks = make_local_ranks(2);
  std::byte bytes[2] = {};
  Exchange sends{.sends = {{1, bytes, 2}}, .receives = {}}, receives{.sends = {}, .receives = {{0, bytes, 1}}};
  ranks[0]->begin(sends);
  EXPECT_ERROR(InternalError, "rank 1 has 1 bytes for rank 0, which has 2 for it", ranks[1]->begin(receives));
}

TEST(LocalRanks, ASenderMayRunAhead) {
  constexpr int kAhead = 3, kRounds = 40;
  auto ranks = make_local_ranks(2);
  std::vector<int> sent(kAhead), received(1);
  std::vector<Exchange> sends(kAhead);
  const auto bytes_of = [](int& number) { return reinterpret_cast<std::byte*>(&number); };
  for (int i = 0; i < kAhead; ++i) sends[i].sends = {{1, bytes_of(sent[i]), 4}};
  Exchange receives{.sends = {}, .receives = {{0, bytes_of(received[0]), 4}}};
  for (int round = 0; round < kRounds + kAhead; ++round) {
    if (round >= kAhead) {
      ranks[1]->begin(receives);
      ranks[1]->wait(receives);
      ASSERT_EQ(received[0], round - kAhead);
      ranks[0]->wait(sends[round % kAhead]);
    }
    sent[round % kAhead] = round;
    ranks[0]->begin(sends[round % kAhead]);
  }
}

TEST(LocalRanks, AnExchangeIsBegunOnceAtATime) {
  auto ranks = make_local_ranks(2);
  std::byte byte{};
  Exchange exchange{.sends = {{1, &byte, 1}}, .receives = {}};
  ranks[0]->begin(exchange);
  EXPECT_ERROR(InternalError, "begun again", ranks[0]->begin(exchange));
}

}  // namespace
}  // namespace headroom
