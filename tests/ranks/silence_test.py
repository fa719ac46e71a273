"""How a job ends when a rank stands still: it is missed after the timeout."""

import signal

from mpirun import TIMEOUT, RanksTest, main, run


class Ranks(RanksTest):
    def expect_to_be_missed(self, rank, in_waits):
        code, _, errors, seconds = run(3, "be-killed", rank, int(signal.SIGSTOP), in_waits)
        self.assertIn(f"rank {rank} has not answered for {TIMEOUT} s", errors)
        self.assertEqual(len(errors.splitlines()), 1, errors)
        self.assertEqual(code, 4)
        self.assertLess(seconds, TIMEOUT + 10)

    def test_a_rank_that_stops_answering_is_missed_by_those_that_wait(self):
        self.expect_to_be_missed(1, in_waits=1)

    def test_a_rank_that_stops_answering_is_missed_by_those_that_compute(self):
        self.expect_to_be_missed(0, in_waits=0)


if __name__ == "__main__":
    main()
