"""The frame of the tests that run the built command: unittest, one class a subject, a temporary directory a test.

The command is $HEADROOM, or build/headroom when a file is run by hand:

  python3 tests/e2e/usage_test.py -v
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("HEADROOM_BUILD", ROOT / "build"))
HEADROOM = os.environ.get("HEADROOM", str(BUILD / "headroom"))

# Exit codes of the command line (docs/cli.md).
DONE, BAD_INPUT, OVER_BUDGET, MACHINE_FAILED, INTERRUPTED, TERMINATED = 0, 2, 3, 4, 130, 143

_ALL_SKIPPED = 77  # what ctest reads as "skipped"


class CommandTest(unittest.TestCase):
    """Each test gets `self.directory`, empty, which is also the working directory of the commands it runs."""

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="headroom-e2e-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def headroom(self, *arguments, expect=DONE, environment=None, timeout=240, **options):
        """Runs the command to its end; fails unless it exits with `expect`, or with one of several. Returns stdout and
        stderr as text."""
        done = subprocess.run(
            [HEADROOM, *map(str, arguments)],
            cwd=self.directory,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
            **options,
        )
        if done.returncode not in (expect if isinstance(expect, tuple) else (expect,)):
            words = " ".join(map(str, arguments))
            self.fail(f"headroom {words}: exit code {done.returncode}, expected {expect}\n{done.stdout}\n{done.stderr}")
        return done

    def refused(self, *arguments, expect=BAD_INPUT, **options):
        """Runs a command that must fail: nothing on stdout, one sentence on stderr, which is returned."""
        done = self.headroom(*arguments, expect=expect, **options)
        self.assertEqual(done.stdout, "")
        lines = done.stderr.strip().splitlines()
        self.assertTrue(lines and lines[0].startswith("headroom: "), done.stderr)
        return done.stderr.strip()

    def start(self, *arguments, stderr=subprocess.PIPE, **options):
        """Starts the command and returns the process; it is killed at the end of the test."""
        process = subprocess.Popen(
            [HEADROOM, *map(str, arguments)],
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="utf-8",
            errors="replace",
            **options,
        )
        self.addCleanup(self._end, process)
        return process

    @staticmethod
    def _end(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def read_json(self, name):
        return json.loads((self.directory / name).read_text(encoding="utf-8"))

    def write(self, name, text):
        """Writes a file of the test's directory: text, bytes, or anything else as JSON. Returns its path."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
        return path


def main():
    """Runs the tests of the calling file; exits 77 when every one of them was skipped."""
    result = unittest.main(exit=False, verbosity=2).result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(_ALL_SKIPPED if result.testsRun and len(result.skipped) == result.testsRun else 0)
