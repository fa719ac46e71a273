"""What ranks do together has one end and one sentence."""

import os
import signal

from mpirun import RanksTest, launch, main, parent_of, ranks_of


class Ranks(RanksTest):
    def test_what_fails_on_all_ranks_is_told_once(self):
        self.expect_end(2, "headroom: no such file: data.txt\n", "throw-alike")
        self.expect_end(3, "headroom: rank 1: the smallest that works is 5 B\n", "fail-together", 1)

    def test_ranks_that_differ_are_refused_with_one_sentence(self):
        words = "rank 2 has --seq-len 128, rank 0 has --seq-len 256"
        words = f"headroom: the ranks differ: {words}; try the same program, flags and files for all\n"
        self.expect_end(2, words, "differ", 2)

    def test_a_signal_to_a_rank_its_guard_or_mpirun_stops_all_after_the_same_step(self):
        for number, target in ((signal.SIGUSR1, "mpirun"), (signal.SIGTERM, "rank"), (signal.SIGTERM, "guard")):
            process = launch(3, "vote")
            self.assertEqual(process.stdout.readline(), "ready\n")
            rank = ranks_of(process.pid)[1]
            os.kill({"mpirun": process.pid, "rank": rank, "guard": parent_of(rank)}[target], number)
            out, errors = process.communicate(timeout=60)
            self.assertEqual((process.returncode, out, errors), (0, "stopped together\n", ""), target)


if __name__ == "__main__":
    main()
