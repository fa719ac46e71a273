"""--compress-activations: less memory by what the plan says, other gradients, and the same bits however a run is cut,
interrupted or computed."""

import re
import shutil
import signal

import frame
from equal_bits_test import instruction_sets
from training import TrainingTest

FORMATS = ["bf16", "8", "4"]
MIB = 1 << 20


class Compression(TrainingTest):
    def setUp(self):
        super().setUp()
        self.headroom("init", "tiny-300k", "--output", "model", "--seed", 3, "--quiet")
        rows = [[[(31 * row + at * at + 7 * step) % 512 for at in range(49)] for row in range(4)] for step in range(6)]
        self.flags = ["--tokens", self.write("tokens.json", {"batches": rows}), "--lr", 0.01]

    def test_the_first_loss_is_exact_and_the_next_are_near(self):
        plain, _ = self.train("model", *self.flags)
        for format_ in FORMATS:
            lines, _ = self.train("model", *self.flags, "--compress-activations", format_)
            self.assertEqual(lines[0]["loss"], plain[0]["loss"], format_)
            self.assertNotEqual(lines[1]["loss"], plain[1]["loss"], format_)
            tolerance = {"bf16": 0.002, "8": 0.002, "4": 0.02}[format_]
            self.assertAlmostEqual(lines[-1]["loss"], plain[-1]["loss"], delta=tolerance * plain[-1]["loss"])

    def test_memory_falls_by_what_the_plan_says(self):
        flags = [*self.flags, "--checkpointing", "none", "--disable-pass", "fuse_loss_gradients"]
        reports = {}
        for format_ in ["none", *FORMATS]:
            self.train("model", *flags, "--compress-activations", format_, "--report", "r.json")
            reports[format_] = self.read_json("r.json")
            report = reports[format_]
            predicted, measured = report["predicted_peak_bytes"], report["measured_peak_bytes"]
            self.assertLessEqual(measured, predicted)
            self.assertLessEqual(predicted - measured, max(predicted // 100, 8 * MIB))
        self.assertNotIn("kept in", reports["none"]["choices"][0])
        least = {"bf16": 2.0, "8": 3.8, "4": 7.2}  # of rows of 64 and 172 elements; 7.76 of multiples of 128
        for format_ in FORMATS:
            times = float(re.search(r"\(([\d.]+) times less\)", reports[format_]["choices"][0])[1])
            self.assertGreaterEqual(times, least[format_])
        bytes_of = {format_: reports[format_]["lower_bound_bytes"] for format_ in reports}
        self.assertLess(bytes_of["4"], bytes_of["8"])
        self.assertLess(bytes_of["8"], bytes_of["bf16"])
        self.assertLess(bytes_of["bf16"], bytes_of["none"])

    def test_no_cut_changes_a_bit(self):
        ways = [["--threads", 3], ["--grad-accum", 2], ["--grad-accum", 4], ["--clip-mode", "two-pass"]]
        ways += [["--disable-pass", "fuse_loss_gradients"], ["--memory", "1GiB"]]
        for format_ in FORMATS:
            flags = [*self.flags, "--compress-activations", format_]
            expected = self.train("model", *flags)
            for way in ways if format_ == "4" else ways[:2]:
                with self.subTest(format=format_, way=way):
                    self.assertEqual(self.train("model", *flags, *way), expected)
        for isa in instruction_sets():
            with self.subTest(isa=isa):
                self.assertEqual(self.train("model", *flags, environment={"HEADROOM_ISA": isa}), expected)

    def test_with_checkpointing_it_is_another_run(self):
        """Which activations are kept decides which are rounded: the budget must not choose."""
        flags = [*self.flags, "--compress-activations", "8"]
        kept = self.train("model", *flags, "--report", "r.json")
        self.assertIn("checkpointing none", self.read_json("r.json")["choices"][0])
        recomputed = self.train("model", *flags, "--checkpointing", "full", "--steps", 4)
        self.assertNotEqual(recomputed, kept)
        message = self.refused(*self.command("model", *flags, "--resume", "--checkpointing", "none"))
        self.assertIn("--checkpointing full, got none", message)
        plain = ["--checkpointing", "full", "--compress-activations", "none"]
        message = self.refused(*self.command("model", *self.flags, "--resume", *plain))
        self.assertIn("--compress-activations 8, got absent", message)

    def test_a_killed_run_goes_on_to_the_same_bits(self):
        flags = [*self.flags, "--compress-activations", "4", "--save-every", 2]
        expected = self.train("model", *flags, output="plain")
        for step in (2, 4):
            process = self.start(*self.command("model", *flags))
            while process.poll() is None and not (self.directory / "out" / f"checkpoint-{step}").exists():
                pass
            process.send_signal(signal.SIGKILL)
            process.communicate()
            self.assertEqual(self.go_on("model", *flags, "--resume", "--grad-accum", 2), expected)
            shutil.rmtree(self.directory / "out")

    def test_text_with_short_rows_and_biases(self):
        """Rows that fill no block, padding and documents apart."""
        model = self.text_model(name="short", architectures=["Qwen2ForCausalLM"], model_type="qwen2")
        flags = ["--data", "text.txt", "--isolate-documents", "--batch-size", 4, "--seq-len", 24, "--steps", 3]
        flags += ["--compress-activations", "4"]
        expected = self.train(model, *flags)
        self.assertEqual(self.train(model, *flags, "--grad-accum", 2, "--threads", 2), expected)
        self.assertNotEqual(self.train(model, *flags, "--seed", 4), expected)

    def test_sparse_is_refused_with_its_reason(self):
        message = self.refused(*self.command("model", *self.flags, "--compress-activations", "sparse"))
        self.assertIn("no op of this model makes many zeros", message)


if __name__ == "__main__":
    frame.main()
