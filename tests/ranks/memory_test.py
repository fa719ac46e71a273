"""What joining takes of a rank's memory is what the reserve says: enough, and at most 8 MiB too much."""

from mpirun import RanksTest, main, run


class Ranks(RanksTest):
    def expect_memory(self, ranks, *options):
        code, out, errors, _ = run(ranks, "memory", options=options)
        self.assertEqual((code, errors, len(out.splitlines())), (0, "", ranks), out)

    def test_over_shared_memory(self):
        for ranks in (2, 4):
            self.expect_memory(ranks)

    def test_where_no_process_may_read_anothers_memory(self):
        self.expect_memory(4, "--mca", "btl_vader_single_copy_mechanism", "none")

    def test_over_a_network(self):
        self.expect_memory(3, "--mca", "btl", "self,tcp")


if __name__ == "__main__":
    main()
