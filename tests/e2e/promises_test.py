"""Complaints of users of other systems, as tests: what must not happen here. docs/promises.md lists them with the
threads they are from; each test is named after its number there.

The runs have a kernel limit on their data, the budget and 16 MiB, so that a promise that breaks ends them.
"""

import json
import os
import re
import resource
import subprocess
import time
import unittest

import frame
from training import TrainingTest, words

MIB = 1 << 20
DOCS = (frame.ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
# 4 layers of 1.0 MiB, tables of 2 MiB, rows long enough that activations count.
SHAPE = {"hidden_size": 128, "intermediate_size": 344, "num_hidden_layers": 4, "num_attention_heads": 4,
         "num_key_value_heads": 4, "vocab_size": 4096, "max_position_embeddings": 256}  # fmt: skip


class Promises(TrainingTest):
    def has_flag(self, verb, flag):
        return re.search(rf"{flag}\b", self.headroom(verb, "--help").stdout) is not None

    def needs_flag(self, verb, flag):
        if not self.has_flag(verb, flag):
            self.skipTest(f"headroom {verb} has no {flag} yet")

    def model(self, **changes):
        shape = {"architectures": ["LlamaForCausalLM"], "rms_norm_eps": 1e-5, "torch_dtype": "float32", **SHAPE}
        config = self.write("shape.json", {**shape, **changes})
        self.headroom("init", config, "--output", "model", "--seed", 7, "--quiet")
        return self.directory / "model"

    def tokens(self, rows=4, length=128, steps=2, vocabulary=4096):
        ids = [[[(31 * row + at * at + step) % vocabulary for at in range(length)] for row in range(rows)]
               for step in range(steps)]  # fmt: skip
        return ["--tokens", self.write("tokens.json", {"batches": ids})]

    def within(self, budget, *arguments):
        """Runs a command with a report under a kernel limit; holds the report to the budget and returns it."""
        limit = budget + 16 * MIB
        self.headroom(
            *arguments, "--memory", budget, "--report", "report.json",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
        )  # fmt: skip
        report = self.read_json("report.json")
        self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
        self.assertLessEqual(report["predicted_peak_bytes"], budget)
        return report

    def training(self, *flags, output="out"):
        return ["train", "model", "--output", output, "--threads", 2, "--quiet", *flags]

    def smallest(self, *arguments):
        command = [*arguments, "--memory", 1, "--report", "refusal.json"]
        self.refused(*command, expect=frame.OVER_BUDGET)
        return self.read_json("refusal.json")["smallest_budget_bytes"]

    def peak_of(self, *arguments):
        """VmHWM of a command that has no report, as the kernel counts it."""
        process = subprocess.Popen([frame.HEADROOM, *map(str, arguments)], cwd=self.directory)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        return usage.ru_maxrss * 1024

    def test_01_the_estimate_is_the_peak(self):
        self.model()
        flags = self.training(*self.tokens())
        plan = json.loads(self.headroom("plan", *flags[1:], "--memory", "128MiB", "--json").stdout)
        report = self.within(128 * MIB, *flags)
        self.assertEqual(plan["predicted_peak_bytes"], report["predicted_peak_bytes"])
        error = report["predicted_peak_bytes"] - report["measured_peak_bytes"]
        self.assertLessEqual(error, max(report["predicted_peak_bytes"] // 100, 8 * MIB))

    def test_02_more_ranks_hold_less(self):
        """By the formulas on cards the states divide to the byte; on ranks that run, as evenly as whole blocks of 1,024
        elements go, and the whole of a rank's memory falls with their number."""
        held, kept, peaks = [], [], []
        for ranks in (1, 2, 4, 8):
            mesh = ["tiny-124m", "--mesh", f"data={ranks}", "--zero", 3, "--json"]
            stage = json.loads(self.headroom("plan", *mesh, "--device", "h100").stdout)["stages"][0]
            held.append(stage["weight_bytes"] + stage["gradient_bytes"] + stage["optimizer_bytes"])
            plan = json.loads(self.headroom("plan", *mesh, "--memory", "8GiB").stdout)
            kept.append(plan["persistent_bytes"])
            peaks.append(plan["predicted_peak_bytes"])
        self.assertEqual(held, [-(-held[0] // ranks) for ranks in (1, 2, 4, 8)])
        self.assertEqual(peaks, sorted(peaks, reverse=True))
        for ranks, size in zip((1, 2, 4, 8), kept, strict=True):
            self.assertAlmostEqual(size / (kept[0] / ranks), 1, delta=0.01)

    def test_03_the_calculator_says_what_it_counts(self):
        for zero in range(4):
            flags = ["--mesh", "data=4", "--zero", zero, "--json"]
            plan = json.loads(self.headroom("plan", "7B", *flags).stdout)
            stage, bytes_each = plan["stages"][0], plan["bytes_per_parameter"]
            self.assertEqual(bytes_each, {"weights": 4, "gradients": 4, "optimizer": 8})
            for state, least in (("weight", 3), ("gradient", 2), ("optimizer", 1)):
                each = bytes_each[state + ("" if state == "optimizer" else "s")]
                self.assertEqual(stage[f"{state}_bytes"], 7e9 * each / (4 if zero >= least else 1))

    def test_04_a_higher_stage_never_needs_more(self):
        needed = []
        for zero in range(4):
            flags = ["--mesh", "data=8", "--zero", zero, "--memory", "1TiB", "--json"]
            plan = json.loads(self.headroom("plan", "deepseek-llm-7b", *flags).stdout)
            needed.append(plan["predicted_peak_bytes"])
        self.assertEqual(needed, sorted(needed, reverse=True))

    def test_05_training_keeps_the_memory_it_was_given(self):
        self.model()
        flags = self.training(*self.tokens())
        smallest = self.smallest(*flags)
        self.refused(*flags, "--memory", smallest - MIB, expect=frame.OVER_BUDGET)
        self.within(smallest, *flags)

    def test_06_every_budget_is_used(self):
        """Five budgets from the least to what is plenty: none is overrun, and not all get the same plan."""
        self.model()
        flags = self.training(*self.tokens(rows=8))
        smallest = self.smallest(*flags)
        plenty = json.loads(self.headroom("plan", *flags[1:], "--memory", "1GiB", "--json").stdout)
        most = plenty["predicted_peak_bytes"]
        self.assertGreater(most, smallest)
        budgets = [smallest + (most - smallest) * share // 4 for share in range(5)]
        predicted = []
        for budget in budgets:
            plan = json.loads(self.headroom("plan", *flags[1:], "--memory", budget, "--json").stdout)
            predicted.append(plan["predicted_peak_bytes"])
            self.assertLessEqual(predicted[-1], budget)
        self.assertGreaterEqual(len(set(predicted)), 3, predicted)

    def test_07_the_start_takes_no_more_than_a_step(self):
        self.model()
        flags = self.training(*self.tokens(steps=4))
        budget = self.smallest(*flags)
        peak = json.loads(self.headroom("plan", *flags[1:], "--memory", budget, "--json").stdout)["peak"]
        self.assertNotEqual(peak["graph"], "", "the peak is where files are read, not in a step")
        short = self.within(budget, *flags, "--steps", 1)["measured_peak_bytes"]
        whole = self.within(budget, *self.training(*self.tokens(steps=4), output="whole"))["measured_peak_bytes"]
        self.assertLessEqual(abs(whole - short), MIB)

    def test_08_offload_to_disk_needs_no_sizes_of_buffers(self):
        self.needs_flag("train", "--disk")
        self.model()
        flags = self.training(*self.tokens(), "--grad-clip", 0)
        (self.directory / "disk").mkdir()
        in_memory = self.smallest(*flags)
        on_disk = self.smallest(*flags, "--disk", self.directory / "disk")
        self.assertLess(on_disk, in_memory)
        self.within(on_disk, *flags, "--disk", self.directory / "disk")

    def test_09_saving_again_and_again_takes_no_more(self):
        self.model()
        budget = self.smallest(*self.training(*self.tokens(steps=8)))
        once = self.within(budget, *self.training(*self.tokens(steps=8)))["measured_peak_bytes"]
        often = self.training(*self.tokens(steps=8), "--save-every", 1, output="often")
        self.assertLessEqual(self.within(budget, *often)["measured_peak_bytes"], once + MIB)

    def test_10_making_a_model_takes_no_model_of_memory(self):
        config = self.write("shape.json", {"architectures": ["LlamaForCausalLM"], **SHAPE, "vocab_size": 1 << 18})
        peak = self.peak_of("init", config, "--output", "large", "--quiet")
        self.assertGreater((self.directory / "large" / "model.safetensors").stat().st_size, 256 * MIB)
        self.assertLess(peak, 64 * MIB)

    def test_12_resuming_takes_no_more_than_training(self):
        self.model()
        flags = self.training(*self.tokens(steps=4))
        budget = self.smallest(*flags)
        trained = self.within(budget, *flags, "--steps", 2)["measured_peak_bytes"]
        resumed = self.within(budget, *flags, "--resume", "--steps", 4)
        self.assertEqual(len(resumed["loss"]), 4)
        self.assertLessEqual(resumed["measured_peak_bytes"], trained + MIB)

    def test_15_converting_takes_no_model_of_memory(self):
        self.model(vocab_size=1 << 17)
        report = self.within(32 * MIB, "convert", "model", "--output", "converted", "--dtype", "bf16", "--quiet")
        self.assertGreater(report["read_bytes"], 128 * MIB)

    def test_16_the_final_save_fits_where_training_did(self):
        self.model()
        budget = self.smallest(*self.training(*self.tokens()))
        report = self.within(budget, *self.training(*self.tokens()))
        self.assertTrue((self.directory / "out" / "model.safetensors").exists())
        self.assertEqual(len(report["loss"]), 2)

    def test_17_the_longest_example_may_come_last(self):
        model = self.text_model()
        examples = [{"prompt": "a", "completion": words(4, seed)} for seed in range(40)]
        examples.append({"prompt": words(2000, 1), "completion": words(2000, 2)})
        data = self.write("data.jsonl", "".join(json.dumps(example) + "\n" for example in examples))
        shape = ["--data", data, "--seq-len", 32, "--batch-size", 2, "--threads", 1, "--quiet"]
        flags = ["train", model, *shape, "--output", "out"]
        report = self.within(self.smallest(*flags), *flags)
        self.assertEqual(report["data"]["documents"], 41)
        self.assertGreaterEqual(report["data"]["truncated"] + report["data"]["dropped"], 1)

    def test_20_eight_bit_states_take_a_quarter(self):
        self.needs_flag("train", "adamw8bit")
        self.model()
        states = {}
        for optimizer in ("adamw", "adamw8bit"):
            flags = ["model", *self.tokens(), "--optimizer", optimizer, "--memory", "128MiB", "--json"]
            plan = json.loads(self.headroom("plan", *flags).stdout)
            states[optimizer] = plan["peak"]["bytes_by_role"]["optimizer_state"]
        self.assertLess(states["adamw8bit"], 0.27 * states["adamw"])

    def test_22_the_estimate_is_of_this_batch(self):
        predicted = []
        for rows in (1, 4, 16):
            shape = ["--batch-size", rows, "--seq-len", 512, "--checkpointing", "none", "--grad-accum", 1]
            plan = json.loads(self.headroom("plan", "tiny-10m", *shape, "--memory", "32GiB", "--json").stdout)
            predicted.append(plan["predicted_peak_bytes"])
        self.assertGreater(predicted[1] - predicted[0], 32 * MIB)
        self.assertGreater(predicted[2] - predicted[1], 3 * (predicted[1] - predicted[0]))

    def test_23_merging_an_adapter_takes_no_model_of_memory(self):
        self.needs_flag("convert", "--adapter")
        self.needs_flag("train", "--lora-rank")
        self.model(vocab_size=1 << 17)
        adapted = self.training(*self.tokens(steps=1), "--lora-rank", 4, "--memory", "1GiB", output="adapter")
        self.headroom(*adapted)
        largest = 4 * 128 * (1 << 17)
        merge = ["convert", "model", "--adapter", "adapter", "--output", "merged", "--quiet"]
        self.assertLess(self.within(largest + 48 * MIB, *merge)["measured_peak_bytes"], largest + 48 * MIB)

    def test_25_what_does_not_fit_does_not_start(self):
        self.model()
        start = time.monotonic()
        self.refused(*self.training(*self.tokens()), "--memory", "12MiB", expect=frame.OVER_BUDGET)
        self.assertLess(time.monotonic() - start, 5)
        self.assertFalse((self.directory / "out").exists())

    def test_the_list_is_that_of_the_docs(self):
        tests = {name.split("_")[1] for name in unittest.TestLoader().getTestCaseNames(Promises)} - {"the"}
        listed = re.findall(r"^\| ([0-9]+) \|", DOCS, re.MULTILINE)
        self.assertEqual(sorted(int(number) for number in tests), [int(number) for number in listed])


if __name__ == "__main__":
    frame.main()
