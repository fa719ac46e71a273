"""`plan` for machines one does not have: the figures that docs/machines.md prints, and the refusals of meshes."""

import json
import re

import frame

DOCS = (frame.ROOT / "docs" / "machines.md").read_text(encoding="utf-8")
ONE = ["--mesh", "data=1"]


class Machines(frame.CommandTest):
    def mesh(self, *arguments, **options):
        return json.loads(self.headroom("plan", *arguments, "--json", **options).stdout)

    def fullest(self, plan):
        return plan["stages"][plan["fullest_stage"]]

    def test_the_copied_table_is_reproduced_or_corrected(self):
        rows = re.findall(r"^\| [^|]+ \| `((?:deepseek-llm|13B|330B)[^`|]*)` \| ([^|]+) \|", DOCS, re.MULTILINE)
        self.assertEqual(len(rows), 6)
        for command, says in rows:
            weights = self.fullest(self.mesh(*command.split()))["weight_bytes"] / 1e9
            self.assertIn(f"{weights:.2f} GB", says, command)
        words = {
            "67B f16 on one card, the 134 GB": (["deepseek-llm-67b", "--dtype", "f16", *ONE], "134.85 GB is 16 bits"),
            "the mean of 8 stages": (["deepseek-llm-67b", "--dtype", "f16", *ONE], "16.86 GB is the mean"),
            "7B f32": (["deepseek-llm-7b", "--dtype", "f32", *ONE], "27.64 GB in f32"),
            "7B q8_0": (["deepseek-llm-7b", "--dtype", "q8_0", *ONE], "`q8_0` is 7.34 GB"),
            "330B f16": (["330B", "--dtype", "f16", "--mesh", "tensor=8,pipe=8"], "At 16 bits it is 10.31 GB"),
        }
        for name, (arguments, sentence) in words.items():
            weights = self.fullest(self.mesh(*arguments, "--task", "generate"))["weight_bytes"] / 1e9
            figure = float(re.search(r"[0-9]+\.[0-9]+", sentence).group())
            self.assertAlmostEqual(weights / (8 if "mean" in name else 1), figure, delta=0.006, msg=name)
            self.assertIn(sentence, DOCS)
        trained = self.mesh("330B", "--mesh", "data=64", "--zero", 3)["needed_bytes"] / 1e9
        self.assertAlmostEqual(trained, 82.5, delta=0.01)
        cache = self.mesh("deepseek-llm-7b", "--task", "generate", "--dtype", "f16", *ONE, "--context", 4096)
        self.assertAlmostEqual(self.fullest(cache)["cache_bytes"] / 1e9, 4.03, delta=0.006)

    def test_table_of_the_docs_is_that_of_the_program(self):
        listed = self.headroom("plan", "--device", "list").stdout.replace(",", "").splitlines()[2:]
        printed = {line.split()[0]: [float(word) for word in line.split()[1:]] for line in listed}
        columns = r"^\| `([a-z0-9-]+)` \| ([0-9,]+) \| ([0-9,]+) \| ([^|]+) \| ([0-9.]+) \|$"
        rows = re.findall(columns, DOCS, re.MULTILINE)
        self.assertEqual(len(rows), 6)
        for name, memory, bandwidth, rates, link in rows:
            figures = [memory.replace(",", ""), bandwidth.replace(",", ""), *rates.split(", "), link]
            self.assertEqual(printed[name], [float(figure) for figure in figures], name)

    def test_one_rank_is_the_plan_of_the_engine(self):
        """On a card, states by formula and working memory by the planner hold what the engine's plan holds at its peak;
        without one it is that plan."""
        for flags in (["--grad-clip", 0], ["--grad-accum", 4], ["--checkpointing", "full"], ["--optimizer", "sgd"]):
            flags = ["tiny-10m", *flags, "--threads", 1, "--memory", "8GiB"]
            own = self.mesh(*flags)
            rank = self.mesh(*flags, *ONE)
            for key in ("predicted_peak_bytes", "arena_bytes", "lower_bound_bytes", "choices"):
                self.assertEqual(rank[key], own[key], flags)
            self.assertEqual([rank["ranks"], rank["zero"], sum(rank["sent_bytes"].values())], [1, 0, 0])
            card = self.mesh(*flags, *ONE, "--device", "h100")
            self.assertEqual(card["stages"][0]["parameters"], card["parameters"])
            gradients = card["stages"][0]["gradient_bytes"]
            planned = card["needed_bytes"] - card["context_bytes"]
            self.assertGreaterEqual(planned, own["lower_bound_bytes"], flags)
            self.assertLessEqual(planned, own["lower_bound_bytes"] + gradients, flags)

    def test_data_ranks_divide_states_and_nothing_else(self):
        flags = ["tiny-124m", "--batch-size", 8, "--mesh", "data=4", "--device", "h100"]
        plans = [self.mesh(*flags, "--zero", zero) for zero in range(4)]
        stages = [plan["stages"][0] for plan in plans]
        parameters = plans[0]["parameters"]
        whole = [4 * parameters, 4 * parameters, 8 * parameters]
        for zero, stage in enumerate(stages):
            held = [stage["weight_bytes"], stage["gradient_bytes"], stage["optimizer_bytes"]]
            shares = [4 if zero >= least else 1 for least in (3, 2, 1)]
            self.assertEqual(held, [-(-size // share) for size, share in zip(whole, shares, strict=True)])
            self.assertEqual(stage["working_bytes"], stages[0]["working_bytes"])
        sent = [plan["sent_bytes"]["states"] for plan in plans]
        self.assertEqual(sent, [2 * 3 * parameters] * 3 + [3 * 3 * parameters])

    def test_ranks_that_train_send_what_the_formulas_say(self):
        """2, 2, 2 and 3 elements a parameter and (D - 1) / D, and what is small beside them."""
        flags = ["tiny-124m", "--batch-size", 4, "--seq-len", 64, "--mesh", "data=4", "--memory", "8GiB"]
        plans = [self.mesh(*flags, "--zero", zero) for zero in range(4)]
        self.assertEqual([plan["zero"] for plan in plans], [0, 1, 2, 3])
        predicted = [plan["predicted_peak_bytes"] for plan in plans]
        self.assertEqual(sorted(predicted, reverse=True), predicted)
        elements = 4 * 3 / 4 * self.mesh("tiny-124m", "--mesh", "data=4", "--device", "h100")["parameters"]
        for plan in plans:
            sent = plan["sent_bytes"]
            self.assertAlmostEqual(sent["reduce_scatter"] / elements, 1, delta=0.01)
            self.assertAlmostEqual(sent["all_gather"] / elements, 2 if plan["zero"] == 3 else 1, delta=0.01)
        words = self.headroom("plan", *flags, "--zero", 1, "--html", "plan.html").stdout
        self.assertIn("The plan of each of 4 ranks, ZeRO stage 1\n  a rank sends ", words)
        self.assertGreater((self.directory / "plan.html").stat().st_size, 0)

    def test_zero_is_chosen_for_the_memory_of_a_rank(self):
        flags = ["tiny-124m", "--seq-len", 64, "--mesh", "data=4"]
        ample = self.mesh(*flags, "--memory", "8GiB")
        self.assertEqual(ample["zero"], 2)
        least = self.mesh(*flags, "--memory", "8GiB", "--zero", 3)["predicted_peak_bytes"]
        tight = self.mesh(*flags, "--memory", least)
        self.assertEqual(tight["zero"], 3)
        self.assertLessEqual(tight["predicted_peak_bytes"], least)

    def test_a_device_is_the_budget(self):
        plan = json.loads(self.headroom("plan", "tiny-124m", "--device", "NVIDIA GeForce RTX 4090", "--json").stdout)
        self.assertEqual(plan["budget_bytes"], (24564 - 512) << 20)
        device = plan["device"]
        self.assertEqual(device["name"], "rtx-4090")
        # Forward and backward of the layers and the head: six flops a parameter in products and token, and attention.
        tokens, products = 8 * 255, 123.6e6
        self.assertGreater(device["flops"], 6 * tokens * products)
        self.assertLess(device["flops"], 8 * tokens * products)
        self.assertAlmostEqual(device["least_compute_seconds"], device["flops"] / 82.6e12)
        given = json.loads(self.headroom("plan", "tiny-4m", "--device", "h200", "--memory", "1GiB", "--json").stdout)
        self.assertEqual(given["budget_bytes"], 1 << 30)

    def test_a_token_moves_the_weights(self):
        plan = self.mesh("deepseek-coder-1.3b", "--task", "generate", "--device", "h100")
        self.assertGreater(plan["device"]["bytes"], 2 * 1.2e9)
        self.assertLess(plan["device"]["bytes"], 2 * 1.5e9)

    def test_techniques_are_chosen_for_the_memory_of_a_rank(self):
        flags = ["tiny-124m", "--mesh", "data=2", "--device", "h100"]
        ample = self.mesh(*flags)
        self.assertIn("checkpointing none", ample["stages"][0]["choice"])
        tight = self.mesh(*flags, "--memory", ample["needed_bytes"] - (200 << 20))
        self.assertNotEqual(tight["stages"][0]["choice"], ample["stages"][0]["choice"])
        self.assertLessEqual(tight["needed_bytes"], ample["needed_bytes"] - (200 << 20))
        # The ends of a pipeline hold a table more than its middle, which may keep more.
        flags = ["tiny-124m", "--seq-len", 1024, "--grad-accum", 1, "--mesh", "pipe=4"]
        ample = self.mesh(*flags)
        tight = self.mesh(*flags, "--memory", ample["needed_bytes"] - (300 << 20))
        self.assertLessEqual(tight["needed_bytes"], tight["memory_bytes"])
        self.assertGreater(len({stage["choice"] for stage in tight["stages"]}), 1)

    def test_stages_keep_micro_batches_in_flight(self):
        plan = self.mesh("tiny-124m", "--mesh", "pipe=4", "--seq-len", 1024, "--grad-accum", 8)
        self.assertEqual([stage["micro_batches_in_flight"] for stage in plan["stages"]], [4, 3, 2, 1])
        self.assertEqual(sum(stage["layers"] for stage in plan["stages"]), 12)
        working = [stage["working_bytes"] for stage in plan["stages"]]
        self.assertGreater(working[0], 2 * working[3])

    def test_a_mesh_too_small_is_refused_with_one_that_fits(self):
        command = ["plan", "deepseek-llm-67b", "--task", "generate", "--dtype", "f16", "--device", "a100-80gb"]
        done = self.headroom(*command, "--report", "r.json", expect=frame.OVER_BUDGET)
        self.assertIn("--mesh data=1,pipe=1,tensor=2 would fit", done.stderr)
        self.assertIn("--mesh data=1,pipe=1,tensor=2 would fit", self.read_json("r.json")["refused"])
        self.headroom(*command, "--mesh", "tensor=2")
        trained = ["plan", "deepseek-llm-7b", "--mesh", "data=4", "--device", "a100-80gb"]
        done = self.headroom(*trained, expect=frame.OVER_BUDGET)
        self.assertIn("--mesh data=4,pipe=1,tensor=1 --zero 1 would fit", done.stderr)
        self.headroom(*trained, "--zero", 1)

    def test_bad_meshes_are_refused(self):
        for arguments, words in [
            (["tiny-4m", "--mesh", "data"], "--mesh data: 'data'; expected ranks along each axis, as data=8,pipe=2,"),
            (["tiny-4m", "--mesh", "tensor=3"], "heads of keys and values; expected a divisor or a multiple of that"),
            (["tiny-4m", "--mesh", "pipe=5"], "pipe=5, but the model has 4 layers"),
            (["tiny-4m", "--mesh", "data=3"], "--batch-size 8: expected a multiple of the ranks, 3"),
            (["tiny-4m", "--mesh", "data=3,pipe=2"], "--batch-size 8: expected a multiple of the data ranks, 3"),
            (["tiny-4m", "--task", "generate", "--zero", "1"], "--zero 1: expected with --task train"),
            (["tiny-4m", "--dtype", "f16"], "--dtype f16: expected with --task generate"),
            (["tiny-4m", "--task", "generate", "--dtype", "i4"], "--dtype i4: expected f32, bf16, f16 or q8_0; with"),
            (["tiny-4m", "--device", "a100"], "--device a100: unknown device; expected one of rtx-3090, rtx-4090"),
            (["tiny-4m", "--mesh", "pipe=2", "--html", "x.html"], "--html x.html: expected without --mesh"),
            (["0.0000001M"], "0.0000001M: neither a file nor a directory nor a preset"),
            (["999999T"], "999999T: neither a file nor a directory nor a preset"),
            (["13Q"], "13Q: neither a file nor a directory nor a preset"),
        ]:  # fmt: skip
            self.assertIn(words, self.refused("plan", *arguments))
        self.assertIn("model is required", self.refused("plan"))


if __name__ == "__main__":
    frame.main()
