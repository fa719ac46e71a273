"""Models that are larger than their memory: weights that stay in the files, the same results at every budget."""

import os
import struct
import time
import unittest

import frame

TEXT = "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.\n"
PROMPT = ["--prompt", "the age of", "--max-new-tokens", "12"]


class Streaming(frame.CommandTest):
    def setUp(self):
        super().setUp()
        self.write("text.txt", 40 * TEXT)
        vocabulary = ["--tokenizer-data", "text.txt", "--vocabulary", "400"]
        self.headroom("init", "tiny-10m", *vocabulary, "--output", "model", "--quiet")

    def generate(self, budget, model="model", threads=1):
        """Text, log-probabilities and report."""
        flags = [*PROMPT, "--memory", budget, "--threads", threads, "--quiet"]
        text = self.headroom("generate", model, *flags, "--logprobs", "log.json", "--report", "report.json").stdout
        return text, self.read_json("log.json"), self.read_json("report.json")

    def smallest(self, model="model"):
        flags = [*PROMPT, "--memory", "12MiB", "--threads", 1, "--report", "r.json", "--quiet"]
        self.refused("generate", model, *flags, expect=frame.OVER_BUDGET)
        return self.read_json("r.json")["smallest_budget_bytes"]

    def test_every_budget_gives_the_same(self):
        text, log, report = self.generate("1GiB")
        self.assertEqual(report["model_bytes"], 0)
        ample, smallest = report["predicted_peak_bytes"], self.smallest()
        self.assertLess(smallest, ample * 2 // 3)
        in_files = [0]
        for budget in [ample - 2**20, (ample + smallest) // 2, smallest]:
            got, got_log, report = self.generate(budget)
            self.assertEqual((got, got_log), (text, log))
            self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
            self.assertLessEqual(report["predicted_peak_bytes"], budget)
            self.assertGreater(report["predicted_peak_bytes"], budget - 2 * 2**20)
            self.assertGreater(report["model_bytes"], in_files[-1])
            in_files.append(report["model_bytes"])
            # What leaves is what had to, and room for what is read ahead.
            self.assertLess(report["model_bytes"], ample - budget + 5 * 2**20)
        self.assertEqual(self.generate(ample, threads=2)[:2], (text, log))
        flags = ["--memory", smallest, *PROMPT, "--threads", 1, "--report", "p.json"]
        plan = self.headroom("plan", "model", "--task", "generate", *flags).stdout
        self.assertIn("stay in the model's files", plan)
        self.assertEqual(self.read_json("p.json")["model_bytes"], in_files[-1])

    def test_evaluation_reads_them_too(self):
        flags = ["--data", "text.txt", "--seq-len", 32, "--threads", 1, "--report", "report.json", "--quiet"]
        loss = self.headroom("eval", "model", *flags, "--memory", "1GiB").stdout
        ample = self.read_json("report.json")["predicted_peak_bytes"]
        self.assertEqual(self.headroom("eval", "model", *flags, "--memory", ample * 2 // 3).stdout, loss)
        self.assertGreater(self.read_json("report.json")["model_bytes"], 0)

    def test_tensors_anywhere_in_a_file(self):
        text, log, report = self.generate("1GiB")
        path = self.directory / "model" / "model.safetensors"
        whole = path.read_bytes()
        length = struct.unpack("<Q", whole[:8])[0]
        for spaces in [1, 24]:
            header = struct.pack("<Q", length + spaces) + whole[8 : 8 + length] + b" " * spaces
            path.write_bytes(header + whole[8 + length :])
            got, got_log, streamed = self.generate(report["predicted_peak_bytes"] * 3 // 4)
            self.assertEqual((got, got_log), (text, log))
            self.assertGreater(streamed["model_bytes"], 0)
            self.assertLessEqual(streamed["measured_peak_bytes"], streamed["predicted_peak_bytes"])

    def test_a_file_that_changes_is_named(self):
        flags = ["--prompt", "the", "--max-new-tokens", 1000, "--memory", "40MiB", "--threads", 1]
        process = self.start("generate", "model", *flags)
        process.stdout.read(1)
        path = self.directory / "model" / "model.safetensors"
        time.sleep(0.05)
        os.utime(path)
        _, words = process.communicate(timeout=60)
        self.assertEqual(process.returncode, frame.BAD_INPUT, words)
        self.assertIn("model.safetensors: it has changed while weights were read from it", words)


if __name__ == "__main__":
    frame.main()
