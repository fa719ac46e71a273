"""`train` without --steps: one pass over the data shows each row once, whatever the batch is."""

import json

import frame
from training import TrainingTest

MODEL = frame.ROOT / "tests" / "data" / "finetune" / "model"
FLAGS = ["--seq-len", 24, "--lr-schedule", "constant", "--optimizer", "sgd", "--report", "r.json"]
WORDS = "the cat sat on the mat and two and two is four".split()


class OnePass(TrainingTest):
    def examples(self, rows):
        """Each fills a row of its own; they count in 6 to 10 predictions or so."""
        lines = [{"prompt": " ".join(WORDS[: 5 + n % 3]), "completion": f" {WORDS[n % 12]}" * (6 + n % 5)}
                 for n in range(rows)]  # fmt: skip
        return self.write("data.jsonl", "".join(json.dumps(line) + "\n" for line in lines))

    def run_over(self, rows, *flags, lr=1e-20):
        """bits() of the run, and its report's `data`."""
        found = self.train(MODEL, "--data", self.examples(rows), *FLAGS, "--lr", lr, *flags)
        return found, self.read_json("r.json")["data"]

    @staticmethod
    def sums_of(lines):
        return sum(line["predictions"] for line in lines), sum(line["loss"] * line["predictions"] for line in lines)

    def test_each_row_is_seen_once_and_each_prediction_counts_the_same(self):
        (whole, _), _ = self.run_over(15, "--batch-size", 15)
        predictions, loss = self.sums_of(whole)
        for batch in (1, 2, 7, 8, 14, 16, 40):
            with self.subTest(batch=batch):
                (lines, _), data = self.run_over(15, "--batch-size", batch)
                self.assertEqual(len(lines), -(-15 // batch))
                self.assertEqual((data["documents"], data["rows"], data["rows_seen"]), (15, 15, 15))
                self.assertEqual(lines[-1]["tokens"], 15 * 24)
                self.assertEqual(self.sums_of(lines)[0], predictions)
                self.assertAlmostEqual(self.sums_of(lines)[1] / loss, 1, delta=1e-5)

    def test_a_smaller_last_update_has_the_same_bits_for_any_cut(self):
        expected = self.run_over(9, "--batch-size", 8, lr=0.01)
        for more in (["--grad-accum", 4], ["--grad-accum", 8], ["--clip-mode", "two-pass"], ["--threads", 3]):
            with self.subTest(more=more):
                self.assertEqual(self.run_over(9, "--batch-size", 8, *more, lr=0.01), expected)

    def test_an_interrupted_pass_is_resumed_to_the_same_bits(self):
        flags = ["--data", self.examples(9), *FLAGS, "--lr", 0.01, "--batch-size", 4, "--save-every", 1]
        expected = self.train(MODEL, *flags)
        self.assertEqual(len(expected[0]), 3)
        self.train(MODEL, *flags, "--steps", 2)
        self.assertEqual(self.go_on(MODEL, *flags, "--steps", 0, "--resume"), expected)  # 0: one pass

    def test_rows_that_divide_evenly_are_the_steps_of_any_run(self):
        expected, _ = self.run_over(8, "--batch-size", 4, lr=0.01)
        self.assertEqual(self.run_over(8, "--batch-size", 4, "--steps", 2, lr=0.01)[0], expected)

    def test_what_is_not_seen_is_counted_and_said(self):
        data = self.examples(15)
        def say(path, output, *flags):
            command = self.command(MODEL, "--data", path, *FLAGS, "--batch-size", 8, *flags, output=output)
            command.remove("--quiet")
            return self.headroom(*command).stderr, self.read_json("r.json")["data"]

        self.assertIn("15 rows in 2 updates, 7 in the last", say(data, "whole")[0])
        said, counts = say(data, "part", "--steps", 1)
        self.assertIn("1 update sees 8 of 15 rows", said)
        self.assertEqual(counts["rows_seen"], 8)
        said, counts = say(self.write("text.txt", "the cat sat on the mat and " * 40), "texts")
        self.assertEqual(counts["tokens"] - counts["tokens_left_out"], 24 * counts["rows"])
        self.assertIn(f"the last {counts['tokens_left_out']} tokens fill no row and are left out", said)


if __name__ == "__main__":
    frame.main()
