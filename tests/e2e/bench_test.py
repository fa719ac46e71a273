"""`headroom bench`: the machine's limits and the kernels' shares of them, and how it refuses."""

import json

import frame

SCALAR = {"HEADROOM_ISA": "reference"}


class Bench(frame.CommandTest):
    def headroom(self, *arguments, environment=None, **options):
        """What is measured here is not remembered for the user of the machine."""
        here = {"XDG_CACHE_HOME": str(self.directory / "cache"), **(environment or {})}
        return super().headroom(*arguments, environment=here, **options)

    def bench(self, *arguments, **options):
        return json.loads(self.headroom("bench", "--json", "--threads", 1, *arguments, **options).stdout)

    def test_limits_cases_and_memory(self):
        result = self.bench("--filter", "matmul 2048x768x768, x W^T", "--report", "report.json")
        self.assertEqual(result["machine"]["threads"], 1)
        self.assertIn(result["machine"]["isa"], ("reference", "avx2", "avx512"))
        for peak in result["limits"]["fma"]:
            self.assertGreater(peak["flops_per_second"], 1e7)
        (memory,) = result["limits"]["memory"]
        for kind in ("read", "copy", "stream", "update"):
            self.assertGreater(memory[f"{kind}_bytes_per_second"], 1e8)
        self.assertNotIn("disk", result["limits"])
        (case,) = result["cases"]
        self.assertAlmostEqual(case["flops_per_second"] * case["seconds"], 2 * 2048 * 768 * 768, delta=1e3)
        self.assertEqual((case["op"], case["limit"]), ("matmul", "fma"))
        self.assertGreaterEqual(case["rounds"], 5)
        self.assertTrue(0.01 < case["share"] < 1.5, case)
        use = result["memory"]
        self.assertLessEqual(use["measured_peak_bytes"], use["predicted_peak_bytes"])
        self.assertLessEqual(use["predicted_peak_bytes"] - use["measured_peak_bytes"], 8 * 2**20)
        self.assertLessEqual(use["predicted_peak_bytes"], use["budget_bytes"])
        self.assertEqual(self.read_json("report.json"), result)

    def test_table_of_a_forced_path(self):
        text = self.headroom("bench", "--filter", "clip_scale", environment=SCALAR).stdout
        self.assertIn(", reference, ", text)
        self.assertIn("f32 FMA", text)
        self.assertIn("clip_scale of 100 tensors", text)

    def test_disk_leaves_no_file(self):
        (self.directory / "disk").mkdir()
        result = self.bench("--disk", "disk", environment=SCALAR)  # limits and the disk alone
        self.assertEqual(result["cases"], [])
        self.assertEqual(list((self.directory / "disk").iterdir()), [])
        disk = result["limits"]["disk"]
        if "skipped" not in disk:
            self.assertGreater(disk["read_bytes_per_second"], 1e6)
            self.assertGreater(disk["write_bytes_per_second"], 1e6)

    def test_bad_input(self):
        for arguments, words in (
            (["--filter", "no such kernel"], "no case has that in its name"),
            (["--threads", "-1"], "--threads -1"),
            (["--filter", "clip_scale", "--memory", "1 potato"], "--memory"),
            (["--disk", "not-there"], "not-there"),
        ):
            with self.subTest(arguments=arguments):
                self.assertIn(words, self.refused("bench", *arguments, environment=SCALAR))

    def test_budget(self):
        words = self.refused("bench", "--filter", "clip_scale", "--memory", "100MiB", expect=frame.OVER_BUDGET)
        self.assertIn("smallest budget that works", words)


if __name__ == "__main__":
    frame.main()
