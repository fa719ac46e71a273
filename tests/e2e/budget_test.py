"""The budget is kept: refusals name the smallest that works, it does, and what is measured is what was predicted.

  measured (VmHWM) <= predicted <= budget,  predicted - measured <= max(1 %, 8 MiB)
"""

import json
import resource
import time

import frame
from training import QWEN2, TIED, UNTIED, TrainingTest

MIB = 1 << 20
REPORTED = [
    "budget_bytes", "predicted_peak_bytes", "measured_peak_bytes", "arena_bytes", "huge_page_bytes", "reserve_bytes",
    "tokens", "seconds", "tokens_per_second", "choices", "loss",
]  # fmt: skip


class Budget(TrainingTest):
    def smallest(self, model, *flags):
        """What the refusal of one byte names; it is the same on stderr and in the report."""
        command = self.command(model, *flags, "--memory", 1, "--report", "refusal.json", output="never")
        start = time.monotonic()
        message = self.refused(*command, expect=frame.OVER_BUDGET)
        self.assertLess(time.monotonic() - start, 1.0)
        self.assertFalse((self.directory / "never").exists())
        smallest = self.read_json("refusal.json")["smallest_budget_bytes"]
        self.assertIn(f"{smallest:,} bytes", message)
        lines = message.splitlines()
        for role in ("weight", "gradient", "activation", "scratch"):
            self.assertRegex(lines[0], rf"{role} [0-9.]+ [KMG]?i?B")
        largest = [line for line in lines[1:6] if line.endswith(")")]
        self.assertEqual(len(largest), 5, "expected the five largest values")
        self.assertEqual([line for line in lines[6:] if not line.startswith("  would fit: ")], [])
        return smallest

    def run_within(self, budget, model, *flags):
        """A run under `budget` bytes, held to what its report says. Returns the report."""
        self.train(model, *flags, "--memory", budget, "--report", "r.json")
        report = self.read_json("r.json")
        for key in REPORTED:
            self.assertIn(key, report)
        measured, predicted = report["measured_peak_bytes"], report["predicted_peak_bytes"]
        self.assertEqual(report["budget_bytes"], budget)
        self.assertLessEqual(predicted, budget)
        self.assertLessEqual(measured, predicted)
        self.assertLessEqual(predicted - measured, max(predicted // 100, 8 * MIB))
        self.assertEqual(predicted, report["arena_bytes"] + report["reserve_bytes"])
        self.assertLessEqual(report["huge_page_bytes"], report["arena_bytes"])
        return report

    def tiny(self):
        """A model of 0.3M parameters and the flags of a step whose activations outweigh it."""
        self.headroom("init", "tiny-300k", "--output", "tiny", "--quiet")
        rows = [[(31 * row + at * at) % 512 for at in range(128)] for row in range(8)]
        return self.directory / "tiny", ["--tokens", self.write("tokens.json", {"batches": [rows]})]

    def shapes(self):
        yield TIED, ["--tokens", TIED / "curve_tokens.json", "--steps", 2]
        yield UNTIED, ["--tokens", UNTIED / "curve_tokens.json", "--steps", 2, "--grad-clip", 0, "--grad-accum", 2]
        yield QWEN2, ["--tokens", QWEN2 / "curve_tokens.json", "--steps", 2, "--checkpointing", "full"]
        model, flags = self.tiny()
        yield model, [*flags, "--threads", 2]
        yield model, [*flags, "--grad-clip", 0, "--optimizer", "sgd", "--checkpointing", "none"]
        yield model, [*flags, "--grad-accum", 4, "--checkpointing", "full"]
        text_model = self.text_model(tied=True)
        flags = ["--data", "text.txt", "--eval-data", "text.txt", "--seq-len", 33, "--batch-size", 4, "--steps", 2]
        yield text_model, flags

    def test_the_smallest_budget_works_and_every_larger_one(self):
        for model, flags in self.shapes():
            with self.subTest(model=model.name, flags=flags):
                smallest = self.smallest(model, *flags)
                for budget in (smallest, smallest + 1, smallest + MIB, smallest + 9 * MIB, 2 * smallest, 1 << 30):
                    self.run_within(budget, model, *flags)
                for budget in (smallest - 1, smallest - MIB):
                    command = self.command(model, *flags, "--memory", budget, output="never")
                    self.refused(*command, expect=frame.OVER_BUDGET)

    def test_a_larger_budget_is_used(self):
        """Less and less is computed again as it grows, and the bits stay."""
        model, tokens = self.tiny()
        flags = [*tokens, "--grad-accum", 1, "--disable-pass", "fuse_loss_gradients"]
        full = self.smallest(model, *flags, "--checkpointing", "full")
        fast = self.smallest(model, *flags, "--checkpointing", "none")
        lean = self.smallest(model, *flags)
        self.assertLess(lean + 2 * MIB, fast)
        self.assertLessEqual(lean, full)
        depths, seconds, expected = [], [], None
        for budget in [lean, *(lean + (fast - lean) * part // 8 for part in range(1, 8)), fast, 1 << 30]:
            result = self.train(model, *flags, "--memory", budget, "--report", "r.json")
            expected = expected or result
            self.assertEqual(result, expected, f"budget {budget}")
            report = self.read_json("r.json")
            self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
            self.assertLessEqual(report["predicted_peak_bytes"], budget)
            word = report["choices"][0].split(",")[0].removeprefix("checkpointing ")
            depths.append({"none": 0, "full": 17}[word] if word.isalpha() else int(word.split("/")[0]))
            seconds.append(report["predicted_step_seconds"])
        self.assertEqual(depths, sorted(depths, reverse=True))
        self.assertEqual(depths[-2:], [0, 0])
        self.assertGreater(len(set(depths)), 4)
        self.assertEqual(seconds, sorted(seconds, reverse=True))
        self.train(model, *tokens, "--memory", "auto", "--report", "r.json")
        self.assertEqual(self.read_json("r.json")["choices"], ["checkpointing none, logits made once"])

    def test_the_plan_says_what_each_technique_saves_and_costs(self):
        model, flags = self.tiny()
        flags += ["--threads", 2]
        smallest = self.smallest(model, *flags, "--checkpointing", "full")
        table = self.headroom("plan", model, *flags, "--checkpointing", "full", "--memory", smallest).stdout
        self.assertRegex(table, r"Predicted time of a step: [0-9.]+ (us|ms|s), by ")
        self.assertRegex(table, r"checkpointing full +\(forced\)")
        self.assertRegex(table, r"[0-9]+ micro-batches +saves [0-9.]+ [KM]iB, (no time|[0-9.]+ % (more|less) time)")
        plan = json.loads(self.headroom("plan", model, *flags, "--memory", smallest, "--json").stdout)
        self.assertGreater(plan["predicted_step_seconds"], 0)
        techniques = {one["name"]: one for one in plan["techniques"]}
        self.assertFalse(techniques["checkpointing"]["forced"])

    def test_a_refusal_says_what_would_fit(self):
        model, flags = self.tiny()
        lean = self.smallest(model, *flags)
        forced = [*flags, "--grad-accum", 1]
        self.assertLess(lean + MIB, self.smallest(model, *forced))
        message = self.refused(*self.command(model, *forced, "--memory", lean + MIB), expect=frame.OVER_BUDGET)
        self.assertIn("would fit: --grad-accum 0 (the same numbers)", message)
        message = self.refused(*self.command(model, *flags, "--memory", lean - MIB), expect=frame.OVER_BUDGET)
        lossless = [line for line in message.splitlines() if "(the same numbers)" in line]
        self.assertEqual([line for line in lossless if "--disk DIR" not in line], [])
        self.assertIn("would fit: --optimizer sgd (another optimizer)", message)
        self.run_within(lean - MIB, model, *flags, "--optimizer", "sgd")

    def test_the_batch_is_cut_into_micro_batches_where_that_helps(self):
        """More of them as the budget falls, and the same bits."""
        model, flags = self.tiny()
        flags += ["--checkpointing", "none"]
        counts, expected = [], None
        lean, whole = self.smallest(model, *flags), self.smallest(model, *flags, "--grad-accum", 1)
        self.assertLess(lean + 4 * MIB, whole)
        for budget in (1 << 30, whole, whole - 1, (lean + whole) // 2, lean):
            result = self.train(model, *flags, "--memory", budget, "--report", "r.json")
            expected = expected or result
            self.assertEqual(result, expected, f"budget {budget}")
            words = self.read_json("r.json")["choices"][0].split(", ")
            counts.append(next((int(word.split()[0]) for word in words if "micro-batches" in word), 1))
        self.assertEqual(counts, sorted(counts))
        self.assertEqual(counts[:2], [1, 1])
        self.assertGreater(counts[2], 1)
        self.assertGreater(counts[-1], counts[2])
        self.run_within(lean, model, *flags)

    def test_memory_outside_the_arena_does_not_grow_with_the_run(self):
        """Checkpoints, metrics and 200 steps stay within what was predicted for one."""
        flags = ["--tokens", self.write("tokens.json", {"batches": [[[1, 2, 3, 4, 5, 6, 7, 8]] * 2] * 200})]
        one = self.run_within(64 * MIB, UNTIED, *flags, "--steps", 1)
        many = self.run_within(64 * MIB, UNTIED, *flags, "--save-every", 20)
        self.assertEqual(len(many["loss"]), 200)
        self.assertEqual(one["predicted_peak_bytes"], many["predicted_peak_bytes"])
        self.assertLess(many["measured_peak_bytes"] - one["measured_peak_bytes"], MIB)

    def test_the_report_may_lie_in_the_output(self):
        """Which a refusal makes for it, and which then does not stand in the way of the run that fits."""
        flags = ["--tokens", TIED / "curve_tokens.json", "--steps", 2, "--report", "out/r.json"]
        self.refused(*self.command(TIED, *flags, "--memory", 1), expect=frame.OVER_BUDGET)
        smallest = self.read_json("out/r.json")["smallest_budget_bytes"]
        self.go_on(TIED, *flags, "--memory", smallest)
        self.assertEqual(len(self.read_json("out/r.json")["loss"]), 2)

    def test_what_the_machine_cannot_give_is_refused(self):
        model, _ = self.tiny()
        self.write("text.txt", "text")
        flags = ["--data", "text.txt", "--seq-len", 257, "--batch-size", 1 << 20, "--memory", "1000TiB"]
        message = self.refused(*self.command(model, *flags), expect=frame.OVER_BUDGET)
        self.assertRegex(message, "memory of the machine|container")
        flags = ["--data", "text.txt", "--seq-len", 257, "--batch-size", 512, "--memory", "1000TiB"]
        limit = (512 * MIB, 512 * MIB)
        message = self.refused(
            *self.command(model, *flags),
            expect=frame.OVER_BUDGET,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit),
        )
        self.assertIn("RLIMIT_AS", message)
        self.assertFalse((self.directory / "out").exists())

    def test_the_plan_is_the_jobs(self):
        text_model = self.text_model()
        flags = ["--seq-len", 33, "--batch-size", 4, "--grad-clip", 0, "--memory", "64MiB", "--threads", 2]
        for extra in ([], ["--grad-accum", 2], ["--checkpointing", "full"], ["--eval-data", "text.txt"]):
            self.headroom("plan", text_model, *flags, *extra, "--report", "plan.json")
            self.train(text_model, "--data", "text.txt", "--steps", 1, *flags, *extra, "--report", "r.json")
            plan, run = self.read_json("plan.json"), self.read_json("r.json")
            for key in ("predicted_peak_bytes", "arena_bytes", "reserve_bytes", "choices", "peak"):
                self.assertEqual(plan[key], run[key], f"{key} with {extra}")

    def test_the_plan_takes_every_flag_of_training(self):
        text_model = self.text_model()
        self.write("tokens.json", {"batches": [[[5, 6, 7, 8, 9]] * 3] * 2})
        flags = ["--tokens", "tokens.json", "--memory", "64MiB", "--threads", 2, "--steps", 1, "--seed", 3]
        flags += ["--save-every", 1, "--keep-checkpoints", 1, "--lr", 1e-3, "--output", "planned"]
        self.headroom("plan", text_model, *flags, "--report", "plan.json")
        self.assertFalse((self.directory / "planned").exists())
        self.headroom("train", text_model, *flags, "--report", "r.json")
        plan, run = self.read_json("plan.json"), self.read_json("r.json")
        self.assertEqual(run["tokens"], 3 * 5)
        for key in ("predicted_peak_bytes", "arena_bytes", "reserve_bytes"):
            self.assertEqual(plan[key], run[key], key)


if __name__ == "__main__":
    frame.main()
