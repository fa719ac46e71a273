"""What the command says about itself, and how it refuses what it does not know."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

import frame

VERBS = ["plan", "init", "train", "generate", "eval", "convert", "quantize", "tokenize", "inspect", "bench"]


def at_a_terminal(command, columns):
    """What the command writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    text = b""
    with contextlib.suppress(OSError):  # of the end
        while piece := os.read(ours, 65536):
            text += piece
    process.wait()
    os.close(ours)
    return text.decode()


class Usage(frame.CommandTest):
    def test_version_is_the_projects(self):
        declared = re.search(r"project\(headroom VERSION ([0-9.]+)", (frame.ROOT / "CMakeLists.txt").read_text())[1]
        self.assertIn(declared, self.headroom("--version").stdout)

    def test_help_names_every_verb(self):
        text = self.headroom("--help").stdout
        for verb in VERBS:
            self.assertRegex(text, rf"(?m)^\s+{verb}\b")

    def test_every_verb_explains_its_flags(self):
        for verb in VERBS:
            with self.subTest(verb=verb):
                self.assertIn("--help", self.headroom(verb, "--help").stdout)

    def test_bad_usage_is_exit_code_2(self):
        for arguments in (["no-such-verb"], ["train", "--no-such-flag"], []):
            with self.subTest(arguments=arguments):
                done = self.headroom(*arguments, expect=frame.BAD_INPUT)
                self.assertEqual(done.stdout, "")
                self.assertIn("--help", done.stderr)

    def test_what_is_mistyped_is_what_is_named(self):
        for words, expected in (
            (["train", "m", "--memroy", "3GiB"], "--memroy: train has no such flag; did you mean --memory?; try: "
             "headroom train --help"),
            (["plan", "tiny-4m", "--memroy=3GiB"], "--memroy: plan has no such flag; did you mean --memory?"),
            (["convert", "a", "b", "--ouput", "x"], "--ouput: convert has no such flag; did you mean --output?"),
            (["train", "--frobnicate"], "--frobnicate: train has no such flag; try"),
            (["plan", "tiny-4m", "extra"], "extra: plan takes no further argument; try"),
            (["trian", "model"], "trian: there is no such verb; expected one of plan, init, train, generate, eval, "
             "convert, quantize, tokenize, inspect, bench; did you mean train?; try: headroom --help"),
            ([], "a verb is missing; expected one of plan, init"),
            (["--memory", "3GiB"], "--memory: stands before the verb; expected one of plan, init"),
            (["--memory", "3GiB", "plan", "tiny-4m"], "--memory: stands before the verb, expected behind it; try"),
            (["plan", "tiny-4m", "--lr", "--memory", "64MiB"], "--lr"),
            (["plan", "tiny-4m", "--batch-size", "x"], "--batch-size x: expected a whole number; try"),
            (["plan", "tiny-4m", "--lr", "fast"], "--lr fast: expected a number; try"),
            (["plan", "tiny-4m", "--steps"], "--steps: expected a value; try"),
            (["plan", "tiny-4m", "--zero", 7], "--zero 7: expected auto, 0, 1, 2 or 3; try"),
            (["plan", "tiny-4m", "--task", "fly"], "--task fly: expected train or generate; try"),
            (["plan", "tiny-4m", "--lr-schedule", "step"],
             "--lr-schedule step: expected cosine, linear or constant; try"),
        ):  # fmt: skip
            with self.subTest(words=words):
                self.assertIn("headroom: " + expected, self.refused(*words))

    def test_whole_numbers_are_what_they_look_like(self):
        for words, expected in (
            (["--seed", "-1"], "--seed -1: expected a whole number from 0 to 2^64 - 1; try"),
            (["--seed", "18446744073709551616"], "--seed 18446744073709551616: expected a whole number from 0 to"),
            (["--steps", "99999999999999999999"], "--steps 99999999999999999999: expected a whole number; try"),
            (["--steps", "1e3"], "--steps 1e3: expected a whole number; try"),
            (["--threads", "4294967297"], "--threads 4294967297: expected less; try"),
            (["--steps", "0x10"], "--steps 0x10: expected a whole number"),
        ):
            with self.subTest(words=words):
                self.assertIn("headroom: " + expected, self.refused("plan", "tiny-300k", *words, "--memory", "1GiB"))
        plan = ["plan", "tiny-300k", "--memory", "1GiB", "--threads", 1]
        eight = self.headroom(*plan, "--batch-size", 8, "--seq-len", 30).stdout
        self.assertEqual(self.headroom(*plan, "--batch-size", "08", "--seq-len", "+030").stdout, eight)

    def test_what_is_no_model_is_called_so(self):
        self.write("text.txt", "a text of some length, and no model at all")
        (self.directory / "empty").mkdir()
        for verb in (["generate"], ["eval", "--data", "text.txt"], ["quantize", "--output", "o"], ["plan"],
                     ["convert", "--output", "o"], ["train", "--data", "text.txt", "--output", "o"]):  # fmt: skip
            with self.subTest(verb=verb):
                said = self.refused(verb[0], "text.txt", *verb[1:])
                self.assertIn("text.txt: is no model; expected a model directory, a config.json or a .gguf file", said)
                said = self.refused(verb[0], "empty", *verb[1:])
                self.assertIn("empty: has no config.json; expected the directory of a model", said)
        self.assertIn("did you mean deepseek-llm-7b?", self.refused("plan", "deepseek-lm-7b"))
        said = self.refused("convert", "tiny-4m", "--output", "o")
        self.assertIn("tiny-4m: there is no such file or directory; expected a model directory or a .gguf file; "
                      "make one with: headroom init tiny-4m --output DIR", said)  # fmt: skip

    def test_help_fits_the_terminal(self):
        for verb in [[], *([verb] for verb in VERBS)]:
            piped = self.headroom(*verb, "--help").stdout
            for columns in (80, 120):
                with self.subTest(verb=verb, columns=columns):
                    shown = at_a_terminal([frame.HEADROOM, *verb, "--help"], columns)
                    self.assertLessEqual(max(map(len, shown.splitlines())), columns)
                    self.assertEqual(shown.split(), piped.split())
        described = [line for line in shown.splitlines() if line.startswith(30 * " ")]
        self.assertGreater(len(described), 3)

    def test_no_help_ends_in_the_tutorial_of_another_verb(self):
        tutorial = "A first model from nothing but text"
        self.assertIn(tutorial, self.headroom("--help").stdout)
        for verb in VERBS:
            text = self.headroom(verb, "--help").stdout
            self.assertNotIn(tutorial, text)
            self.assertRegex(text, rf"(?m)^  headroom {verb} |^Example: headroom {verb} ")

    def test_times_and_sizes_have_units_that_suit_them(self):
        plan = ["plan", "tiny-4m", "--memory", "4GiB", "--threads", 1]
        text = self.headroom(*plan, "--batch-size", 256, "--seq-len", 1024, "--grad-accum", 8).stdout
        self.assertRegex(text, r"Predicted time of a step: [\d.]+ (s|min)")
        text += self.headroom(*plan, "--device", "rtx-4090").stdout
        text += self.headroom("plan", "deepseek-llm-67b", "--memory", "4TiB", "--device", "rtx-4090").stdout
        text += self.headroom("plan", "tiny-300k", "--mesh", "tensor=2").stdout
        self.assertNotRegex(text, r"\de[+-]\d|0\.00 billion|[+-][\d.]+ % of the time")
        self.assertRegex(text, r"rtx-4090: [\d.]+ [GT]flop and [\d.]+ [GM]B of traffic")
        self.assertRegex(text, r"(?m)^[\d,]+ parameters")
        for share in re.findall(r"(?:saves|takes) [\d.]+ \w+, (.*)", text):
            self.assertRegex(share, r"^(no time|[\d.]+ % (more|less) time)( \(forced\))?$")

    def test_a_row_may_have_one_token_more_than_the_model_has_positions(self):
        message = self.refused("plan", "tiny-4m", "--seq-len", 1026, "--memory", "4GiB")
        self.assertIn("--seq-len 1026: the model has 1024 positions, and the last token of a row is predicted without "
                      "being read; expected at most 1025", message)  # fmt: skip
        self.headroom("plan", "tiny-4m", "--seq-len", 1025, "--memory", "4GiB")

    def test_one_run_has_no_spread(self):
        bench = ["bench", "tiny-300k", "--prompt", 8, "--generate", 0, "--memory", "256MiB", "--threads", 1]
        self.assertRegex(self.headroom(*bench, "--repeat", 1).stdout, r"tokens/s +one run ")
        self.assertIn("% spread", self.headroom(*bench, "--repeat", 2).stdout)

    def test_results_go_to_stdout(self):
        self.assertEqual(self.headroom("--help").stderr, "")


if __name__ == "__main__":
    frame.main()
