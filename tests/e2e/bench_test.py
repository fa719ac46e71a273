"""`headroom bench`: the machine's limits and the kernels' shares of them, and how it refuses."""

import json

import frame

SCALAR = {"HEADROOM_ISA": "reference"}


class BenchTest(frame.CommandTest):
    def headroom(self, *arguments, environment=None, **options):
        """What is measured here is not remembered for the user of the machine."""
        here = {"XDG_CACHE_HOME": str(self.directory / "cache"), **(environment or {})}
        return super().headroom(*arguments, environment=here, **options)

    def bench(self, *arguments, **options):
        return json.loads(self.headroom("bench", "--json", "--threads", 1, *arguments, **options).stdout)


class Bench(BenchTest):
    def test_limits_cases_and_memory(self):
        result = self.bench("--filter", "matmul 2048x768x768, x W^T", "--report", "report.json")
        self.assertEqual(result["machine"]["threads"], 1)
        self.assertIn(result["machine"]["isa"].split("_")[0], ("reference", "avx2", "avx512"))
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

    def test_a_refusal_is_in_the_report(self):
        done = self.headroom("bench", "--memory", "1MiB", "--report", "r.json", expect=frame.OVER_BUDGET)
        report = self.read_json("r.json")
        self.assertIn(report["refused"], done.stderr)
        self.assertEqual(report["budget_bytes"], 2**20)
        small = ["--filter", "clip_scale", "--memory", report["smallest_budget_bytes"]]
        self.headroom("bench", *small, environment=SCALAR)

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


class BenchOfAModel(BenchTest):
    SHAPE = ["--prompt", 24, "--generate", 3, "--batch", 2, "--train", "--seq-len", 16, "--repeat", 2]

    def check(self, result):
        self.assertEqual([(test["test"], test["batch"], test["tokens"]) for test in result["tests"]],
                         [("prefill", 2, 24), ("decode", 2, 3), ("train", 2, 16)])
        for test in result["tests"]:
            tokens = test["tokens_per_second"] * test["seconds"]
            self.assertAlmostEqual(tokens, test["batch"] * test["tokens"], places=6)
        for job in result["jobs"]:
            measured, predicted = job["measured_peak_bytes"], job["predicted_peak_bytes"]
            self.assertLessEqual(measured, predicted)
            self.assertLessEqual(predicted - measured, max(predicted // 100, 8 * 2**20))
            self.assertLessEqual(predicted, job["budget_bytes"])
        self.assertEqual(result["predicted_peak_bytes"], max(job["predicted_peak_bytes"] for job in result["jobs"]))

    def test_a_cache_in_fewer_bits(self):
        self.check(self.bench("tiny-300k", *self.SHAPE, "--kv-cache-dtype", "q4", "--memory", "64MiB", "--quiet"))
        words = self.refused("bench", "tiny-300k", *self.SHAPE, "--kv-cache-dtype", "q5")
        self.assertIn("--kv-cache-dtype q5: expected f32, bf16, f16, q8 or q4", words)

    def test_preset_with_random_weights(self):
        result = self.bench("tiny-300k", *self.SHAPE, "--memory", "64MiB", "--report", "report.json", "--quiet")
        self.check(result)
        self.assertEqual(self.read_json("report.json"), result)
        prefill, _, train = result["tests"]
        # Two flops a parameter of the products and token, twice that again backwards, and attention on top.
        self.assertGreater(prefill["flops_per_second"] * prefill["seconds"], 2 * 48 * 200_000)
        self.assertGreater(train["flops_per_second"] * train["seconds"], 6 * 30 * 200_000)
        self.assertLess(train["flops_per_second"] * train["seconds"], 10 * 30 * 400_000)

    def test_files(self):
        self.headroom("init", "tiny-300k", "--output", "model", "--quiet")
        self.check(self.bench("model", *self.SHAPE, "--quiet"))
        flags = ["--generate", 2, "--prompt", 0, "--repeat", 1, "--quiet"]
        text = self.headroom("bench", "model/config.json", *flags).stdout
        self.assertRegex(text, r"^decode 2 +[0-9.]+ tokens/s .* GB/s")

    def test_few_bits(self):
        self.headroom("init", "tiny-4m", "--output", "model", "--quiet")
        self.headroom("quantize", "model", "--group-size", 64, "--output", "four", "--quiet")
        flags = ["--prompt", 64, "--generate", 2, "--repeat", 1, "--quiet"]
        result = self.bench("four", *flags)
        self.assertEqual(result["model"]["dtype"], "f32 and int4_g64 and int8_g64")
        self.assertEqual(result["choices"], ["1 sequence, prefill in chunks of 64, products in int8"])
        # Whole numbers are not held against multiply-adds of f32.
        self.assertNotIn("share", result["tests"][0])
        self.assertIn("share", self.bench("four", *flags, "--compute", "f32")["tests"][0])

    def test_bad_shapes(self):
        for arguments, words in (
            (["tiny-300k", "--repeat", 0], "--repeat 0"),
            (["tiny-300k", "--batch", 0], "--batch 0"),
            (["tiny-300k", "--prompt", -1], "--prompt -1"),
            (["tiny-300k", "--prompt", 100000], "the model has"),
            (["tiny-300k", "--generate", 100000], "the model has"),
            (["tiny-300k", "--prompt", 0, "--generate", 0], "nothing is left to measure"),
            (["tiny-300k", "--train", "--seq-len", 1], "--seq-len 1"),
            (["tiny-300k", "--train", "--seq-len", 100000], "--seq-len 100000"),
            (["tiny-300k", "--filter", "add"], "--filter"),
            (["--prompt", 8], "--prompt"),
            (["no-such-model"], "no-such-model"),
        ):
            with self.subTest(arguments=arguments):
                self.assertIn(words, self.refused("bench", *arguments))

    def test_a_budget_that_works(self):
        command = ["bench", "tiny-300k", *self.SHAPE, "--threads", 1, "--quiet", "--report", "report.json"]
        self.refused(*command, "--memory", 1, expect=frame.OVER_BUDGET)
        smallest = self.read_json("report.json")["smallest_budget_bytes"]
        self.refused(*command, "--memory", smallest - 1, expect=frame.OVER_BUDGET)
        self.headroom(*command, "--memory", smallest)
        self.assertEqual(self.read_json("report.json")["predicted_peak_bytes"], smallest)



if __name__ == "__main__":
    frame.main()
