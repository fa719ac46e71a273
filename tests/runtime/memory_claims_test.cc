#include "headroom/runtime/memory_claims.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "headroom/base/bytes.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

// A process that has claimed memory, until it is killed.
class Claimant {
 public:
  Claimant(const std::string& ledger, int64_t peak_bytes) {
    int ready[2];
    EXPECT_EQ(::pipe(ready), 0);
    process_ = ::fork();
    if (process_ == 0) {
      MemoryClaims claims(ledger);
      claims.claim(peak_bytes);
      const char done = 1;
      if (::write(ready[1], &done, 1) == 1) ::pause();
      ::_exit(0);
    }
    char done = 0;
    EXPECT_EQ(::read(ready[0], &done, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Claimant() { kill(); }
  void kill() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = 0;
  }
  int64_t process() const { return process_; }

 private:
  pid_t process_ = 0;
};

TEST(MemoryClaims, OfOthersCountUntilTheirProcessEnds) {
  const TemporaryDirectory directory;
  const MemoryClaims claims(directory / "ledger");
  EXPECT_TRUE(claims.of_others().empty());
  Claimant first(directory / "ledger", 3 * kGiB);
  const Claimant second(directory / "ledger", 5 * kGiB);
  ASSERT_EQ(claims.of_others().size(), 2u);
  EXPECT_EQ(claims.of_others()[0].process, first.process());
  EXPECT_LT(claims.of_others()[0].bytes, 3 * kGiB) << "what it holds already";
  EXPECT_GT(claims.of_others()[0].bytes, 2 * kGiB);
  first.kill();
  ASSERT_EQ(claims.of_others().size(), 1u);
  EXPECT_EQ(claims.of_others()[0].process, second.process());
  const Claimant third(directory / "ledger", kGiB);
  EXPECT_EQ(claims.of_others().size(), 2u) << "in the place of the first";
}

TEST(MemoryClaims, OfOnesOwnAreNotOfOthers) {
  const TemporaryDirectory directory;
  std::optional<MemoryClaims> mine(directory / "ledger");
  mine->claim(kGiB);
  EXPECT_TRUE(mine->of_others().empty());
  const MemoryClaims other(directory / "ledger");
  EXPECT_EQ(other.of_others().size(), 1u);
  { const MemoryClaims closed(directory / "ledger"); }
  EXPECT_EQ(other.of_others().size(), 1u) << "closing another descriptor drops no lock";
  mine.reset();
  EXPECT_TRUE(other.of_others().empty());
}

TEST(MemoryClaims, OfAProcessThatHoldsAllOfItAreNothing) {
  const TemporaryDirectory directory;
  const Claimant small(directory / "ledger", 4 * kKiB);
  ASSERT_EQ(MemoryClaims(directory / "ledger").of_others().size(), 1u);
  EXPECT_EQ(MemoryClaims(directory / "ledger").of_others()[0].bytes, 0);
}

TEST(MemoryClaims, WithoutALedgerThereAreNone) {
  const TemporaryDirectory directory;
  MemoryClaims claims(directory / "none/ledger");
  const MemoryClaims::Turn turn(claims);
  claims.claim(kGiB);
  EXPECT_TRUE(claims.of_others().empty());
}

}  // namespace
}  // namespace headroom
