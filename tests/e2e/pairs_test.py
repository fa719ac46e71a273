"""Two runs with --memory auto at once in one container: a sample of what bench/pairs.py does a hundred times."""

import subprocess
import sys
import unittest

import frame

NO_CGROUP = 77


class Pairs(unittest.TestCase):
    def test_none_of_two_runs_at_once_is_killed(self):
        command = [sys.executable, "-B", frame.ROOT / "bench" / "pairs.py", "--headroom", frame.HEADROOM]
        command += ["--pairs", 4, "--seed", 3]
        done = subprocess.run([str(word) for word in command], capture_output=True, encoding="utf-8", check=False)
        if done.returncode == NO_CGROUP:
            self.skipTest(done.stdout.strip())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("broken promises: 0", done.stdout)


if __name__ == "__main__":
    frame.main()
