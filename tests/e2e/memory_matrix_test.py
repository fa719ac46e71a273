"""A small sample of the matrix of `make bench-memory`: random jobs keep their budgets, under the kernel's limit."""

import subprocess
import sys
import unittest

import frame


class MemoryMatrix(unittest.TestCase):
    def test_a_sample_keeps_its_promises(self):
        command = [sys.executable, "-B", frame.ROOT / "bench" / "memory.py", "--headroom", frame.HEADROOM]
        command += ["--runs", 5, "--seed", 20]
        done = subprocess.run([str(word) for word in command], capture_output=True, encoding="utf-8", check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("5 configurations, 10 runs", done.stdout)
        self.assertIn("broken promises: 0", done.stdout)


if __name__ == "__main__":
    frame.main()
