"""What the tests of ranks share: jobs of test_ranks under mpirun. Skipped where MPI is missing."""

import os
import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path

PROGRAM = Path(os.environ.get("TEST_RANKS", Path(__file__).resolve().parent.parent.parent / "build" / "test_ranks"))
# In a container everybody is root.
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
TIMEOUT = 3  # of a silent rank, in seconds, where a test waits for it
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
SKIPPED = 77


def launch(ranks, *scenario, program=PROGRAM, options=(), timeout=60):
    command = ["mpirun", "--quiet", "--oversubscribe", *options, "-n", str(ranks), str(program), *map(str, scenario)]
    return subprocess.Popen(command, env={**ENVIRONMENT, "RANK_TIMEOUT": str(timeout)}, **PIPES)


def run(ranks, *scenario, **how):
    """Returns the exit code, standard output, standard error and seconds of a job."""
    begin = time.monotonic()
    process = launch(ranks, *scenario, **how)
    try:
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out, errors, time.monotonic() - begin


def parent_of(process):
    return int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])


def is_running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def ranks_of(launcher):
    """Ids of the processes that do the ranks' work: those below the ones that mpirun started."""
    children = {}
    for status in Path("/proc").glob("[0-9]*"):
        try:
            children.setdefault(parent_of(status.name), []).append(int(status.name))
        except OSError:
            continue
    return [rank for guard in sorted(children.get(launcher, [])) for rank in children.get(guard, [])]


class RanksTest(unittest.TestCase):
    def expect_end(self, code, errors, *scenario, seconds=10.0):
        """Three ranks in `scenario` end so: the exit code, all of standard error, and soon enough."""
        got_code, _, got_errors, got_seconds = run(3, *scenario)
        self.assertEqual(got_errors, errors)
        self.assertEqual(got_code, code)
        self.assertLess(got_seconds, seconds)


def main():
    if shutil.which("mpirun") is None or not (PROGRAM.parent / "headroom_mpi.so").exists():
        print("skipped: no mpirun or no headroom_mpi.so; apt-get install libopenmpi-dev openmpi-bin")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
