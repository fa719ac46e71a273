"""Completion in bash offers every verb and every flag that --help names, and the choices of a flag."""

import os
import re
import subprocess
from pathlib import Path

import frame

SCRIPT = frame.ROOT / "completions/headroom.bash"


class Completion(frame.CommandTest):
    def complete(self, *words):
        """What bash would offer for the last of `words`."""
        quoted = " ".join(f"'{word}'" for word in words)
        script = (
            f"source '{SCRIPT}'; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
            "_headroom; printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        path = f"{Path(frame.HEADROOM).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=60, check=True,
        )
        return done.stdout.split()

    def verbs(self):
        return self.complete("headroom", "")

    def test_verbs(self):
        for verb in ("plan", "init", "train", "generate", "eval", "tokenize", "inspect"):
            self.assertIn(verb, self.verbs())
        self.assertEqual(self.complete("headroom", "tra"), ["train"])

    def test_every_flag_of_every_verb(self):
        for verb in self.verbs():
            # A flag is declared at the start of a line; the texts mention others.
            declared = re.findall(r"(?m)^\s+(?:-\w,)?(--[a-z][a-z0-9-]*)", self.headroom(verb, "--help").stdout)
            self.assertIn("--help", declared)
            self.assertEqual(set(self.complete("headroom", verb, "--")), set(declared), verb)

    def test_choices_of_a_flag(self):
        self.assertEqual(set(self.complete("headroom", "train", "--optimizer", "")), {"adamw", "adamw8bit", "sgd"})
        self.assertEqual(self.complete("headroom", "train", "--lr-schedule", "co"), ["cosine", "constant"])

    def test_other_words_complete_as_files(self):
        self.assertEqual(self.complete("headroom", "inspect", "some"), [])


if __name__ == "__main__":
    frame.main()
