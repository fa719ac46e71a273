"""scripts/identity.py against a command made of a few lines: equal results pass, another number or word fails."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND = """#!/bin/sh
case "$1" in
  plan) echo "headroom: $WORDS" >&2; exit 2 ;;
  --help) echo "$HELP" ;;
esac
[ "$1" = init ] && mkdir out && echo '{"loss": '$LOSS', "seconds": '$$'}' > out/metrics.jsonl
exit 0
"""
SAME = {"WORDS": "refused", "HELP": "help", "LOSS": "1.5"}


class Identity(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="headroom-identity-test-")
        self.addCleanup(directory.cleanup)
        self.command, self.file = Path(directory.name) / "headroom", Path(directory.name) / "identity.json"
        self.command.write_text(COMMAND, encoding="utf-8")
        self.command.chmod(0o755)
        self.assertEqual(self.run_script("record")[0], 0)

    def run_script(self, action, *flags, **changes):
        done = subprocess.run(
            [sys.executable, "-B", ROOT / "scripts/identity.py", action, self.command, self.file, *flags,
             "--only", "init", "meshes", "texts"],
            env={**os.environ, **SAME, **changes}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def test_the_same_command_is_identical(self):
        code, said = self.run_script("check")
        self.assertEqual((code, said.splitlines()[0].split()[0]), (0, "0"), said)

    def test_another_number_and_other_words_differ(self):
        code, said = self.run_script("check", LOSS="1.25")
        self.assertEqual(code, 1)
        self.assertIn("files/metrics.jsonl/0/loss: 1.5 -> 1.25", said)
        code, said = self.run_script("check", WORDS="no")
        self.assertEqual(code, 1)
        self.assertIn("stderr: 'headroom: refused\\n' -> 'headroom: no\\n'", said)

    def test_words_of_help_may_change_on_purpose(self):
        code, said = self.run_script("check", HELP="more help")
        self.assertEqual(code, 0)
        self.assertIn("may be on purpose", said)
        self.assertEqual(self.run_script("check", "--strict", HELP="more help")[0], 1)


if __name__ == "__main__":
    unittest.main()
