"""A signal while a job plans, reads text or loads: one sentence, the signal's exit code, and nothing left behind."""

import signal
import time
from pathlib import Path

import frame
from training import TrainingTest, words

SIZE = 24 << 20


class Signals(TrainingTest):
    def wait(self, process, moment):
        deadline = time.monotonic() + 60
        while process.poll() is None and not moment():
            self.assertLess(time.monotonic(), deadline, "the moment never came")

    def has_handler(self, process):
        """Whether the command has come to where it handles SIGTERM."""

        def look():
            for line in Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines():
                if line.startswith("SigCgt:"):
                    return int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1
            return False

        return look

    def long_text(self):
        text = words(20000, seed=1)
        return self.write("long.txt", text * (SIZE // len(text)))

    def test_every_verb_ends_with_its_sentence(self):
        model = self.text_model()
        long = self.long_text()
        self.write("texts.json", [long.read_text(encoding="utf-8")])
        commands = {
            "plan": ["plan", "deepseek-llm-67b", "--memory", "2TiB", "--batch-size", 64, "--seq-len", 4096],
            "train": ["train", model, "--data", long, "--seq-len", 24, "--output", "out"],
            "eval": ["eval", model, "--data", long],
            "generate": ["generate", model, "--prompt", "a " * 10000, "--context", 60],
            "init": ["init", "tiny-124m", "--output", "out"],
            "init of a tokenizer": ["init", "tiny-4m", "--output", "out", "--tokenizer-data", long],
            "tokenize": ["tokenize", model, "--input", "texts.json", "--output", "out"],
            "bench": ["bench", "--filter", "matmul"],
        }
        for name, command in commands.items():
            for number in (signal.SIGTERM, signal.SIGINT):
                with self.subTest(verb=name, signal=number.name):
                    process = self.start(*command)
                    self.wait(process, self.has_handler(process))
                    process.send_signal(number)
                    _, errors = process.communicate(timeout=60)
                    if name == "generate" and process.returncode == frame.BAD_INPUT:
                        continue  # it was that quick
                    self.assertEqual(process.returncode, 128 + number, errors)
                    self.assertRegex(errors.splitlines()[-1], f"^headroom: stopped by {number.name}")
                    self.assertFalse((self.directory / "out").exists())

    def test_a_signal_while_text_is_encoded_leaves_nothing(self):
        model, long = self.text_model(), self.long_text()
        process = self.start("train", model, "--data", long, "--seq-len", 24, "--output", "out")
        self.wait(process, lambda: any((self.directory / "out").glob("train.tokens*")))
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, frame.TERMINATED, errors)
        self.assertEqual(errors.splitlines()[-1], "headroom: stopped by SIGTERM; nothing was written")
        self.assertFalse((self.directory / "out").exists())

    def test_a_signal_while_a_model_is_made_leaves_nothing(self):
        for command in (["init", "tiny-124m"], ["init", "tiny-4m", "--tokenizer-data", self.long_text()]):
            process = self.start(*command, "--output", "new")
            self.wait(process, lambda: any(self.directory.glob("new*")))
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
            self.assertEqual(process.returncode, frame.INTERRUPTED, errors)
            self.assertEqual(errors.splitlines()[-1], "headroom: stopped by SIGINT")
            self.assertEqual(list(self.directory.glob("new*")), [])


if __name__ == "__main__":
    frame.main()
