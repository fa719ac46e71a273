"""Ranks under mpirun keep what every Communicator promises, and a process alone pays nothing."""

from mpirun import TIMEOUT, RanksTest, main, run


class Ranks(RanksTest):
    def test_ranks_keep_every_promise_of_a_communicator(self):
        for ranks in (2, 3, 4):
            code, out, errors, _ = run(ranks, "cases")
            self.assertEqual((code, errors), (0, ""))
            self.assertEqual(len(out.splitlines()), 12, out)

    def test_a_rank_that_is_done_waits_for_the_others_beyond_the_timeout(self):
        self.assertEqual(run(3, "end-apart", TIMEOUT + 2, timeout=TIMEOUT)[:3], (0, "", ""))

    def test_one_process_of_a_launcher_is_alone(self):
        self.assertEqual(run(1, "cases")[:3], (0, "alone\n", ""))


if __name__ == "__main__":
    main()
