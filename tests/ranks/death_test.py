"""How a job ends when a rank is killed, throws or leaves."""

import os
import signal
import time

from mpirun import RanksTest, is_running, launch, main, parent_of, ranks_of, run


class Ranks(RanksTest):
    def test_a_rank_that_is_killed_is_named_and_ends_the_job_with_4(self):
        why = ": by hand, or since its machine or container is out of memory"
        for rank, in_waits in ((0, 1), (2, 0)):
            words = f"headroom: rank {rank} was killed by SIGKILL{why}\n"
            self.expect_end(4, words, "be-killed", rank, int(signal.SIGKILL), in_waits)

    def test_a_rank_that_throws_tells_it_and_ends_the_others_without_a_word(self):
        for rank, in_waits, name in ((2, 0, "rank 2: "), (0, 1, "")):
            self.expect_end(3, f"headroom: {name}the disk is full; try another\n", "throw", rank, in_waits)

    def test_the_exit_code_of_a_rank_that_leaves_is_the_jobs(self):
        self.assertEqual(run(3, "exit", 1, 5)[0], 5)

    def test_a_rank_does_not_outlive_its_guard(self):
        process = launch(3, "vote")
        self.assertEqual(process.stdout.readline(), "ready\n")
        ranks = ranks_of(process.pid)
        os.kill(parent_of(ranks[1]), signal.SIGKILL)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 128 + signal.SIGKILL)
        # The kernel ends them when their guards are gone, but they must run once more for it.
        end = time.monotonic() + 10
        while any(is_running(rank) for rank in ranks) and time.monotonic() < end:
            time.sleep(0.01)
        self.assertFalse([rank for rank in ranks if is_running(rank)])


if __name__ == "__main__":
    main()
