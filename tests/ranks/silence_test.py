"""How a job ends when a rank stands still: it is missed after the timeout."""

import os
import signal
import time

from mpirun import TIMEOUT, RanksTest, launch, main, ranks_of, run


class Ranks(RanksTest):
    def expect_to_be_missed(self, rank, in_waits):
        code, _, errors, seconds = run(3, "be-killed", rank, int(signal.SIGSTOP), in_waits, timeout=TIMEOUT)
        self.assertIn(f"rank {rank} has not answered for {TIMEOUT} s", errors)
        self.assertEqual(len(errors.splitlines()), 1, errors)
        self.assertEqual(code, 4)
        self.assertLess(seconds, TIMEOUT + 10)

    def test_a_rank_that_stops_answering_is_missed_by_those_that_wait(self):
        self.expect_to_be_missed(1, in_waits=1)

    def test_a_rank_that_stops_answering_is_missed_by_those_that_compute(self):
        self.expect_to_be_missed(0, in_waits=0)

    def test_nobody_is_blamed_for_the_time_in_which_all_stood_still(self):
        process = launch(3, "vote", timeout=TIMEOUT)
        self.assertEqual(process.stdout.readline(), "ready\n")
        ranks = ranks_of(process.pid)
        self.assertEqual(len(ranks), 3)
        for number, seconds in ((signal.SIGSTOP, TIMEOUT + 1.5), (signal.SIGCONT, 1.5), (signal.SIGUSR1, 0)):
            for rank in ranks:
                os.kill(rank, number)
            time.sleep(seconds)
        out, errors = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out, errors), (0, "stopped together\n", ""))


if __name__ == "__main__":
    main()
