"""Ranks that were not started as they must be are refused, once."""

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from mpirun import PIPES, PROGRAM, RanksTest, main, run


class Ranks(RanksTest):
    def test_a_build_without_mpi_says_so_once(self):
        directory = Path(self.enterContext(TemporaryDirectory()))
        program = shutil.copy(PROGRAM, directory)
        code, _, errors, _ = run(2, "cases", program=program)
        self.assertEqual(code, 2)
        self.assertIn("this build has no MPI: no headroom_mpi.so", errors)
        self.assertEqual(len(errors.splitlines()), 1, errors)

    def test_a_usage_error_of_the_command_is_told_once(self):
        code, out, errors, _ = run(3, "train", "--no-such-flag", program=PROGRAM.parent / "headroom")
        self.assertEqual((code, out, len(errors.splitlines())), (2, "", 1), errors)
        self.assertTrue(errors.startswith("headroom: "), errors)

    def test_a_verb_that_is_the_work_of_one_process_is_refused_once(self):
        code, out, errors, _ = run(2, "inspect", "model", program=PROGRAM.parent / "headroom")
        words = "headroom: mpirun of Open MPI started 2 processes, and inspect is the work of one; expected train; try "
        self.assertEqual((code, out, errors), (2, "", words + "inspect without it\n"))
        code, out, errors, _ = run(2, "generate", "--help", program=PROGRAM.parent / "headroom")
        self.assertEqual((code, errors), (0, ""))

    def test_what_is_installed_finds_the_module_below_its_prefix(self):
        prefix = Path(self.enterContext(TemporaryDirectory()))
        directory = prefix / os.environ.get("MODULE_DIRECTORY", "lib/headroom")
        (prefix / "bin").mkdir()
        directory.mkdir(parents=True)
        shutil.copy(PROGRAM.parent / "headroom_mpi.so", directory)
        program = shutil.copy(PROGRAM, prefix / "bin")
        self.assertEqual(run(3, "end-apart", 0, program=program)[:3], (0, "", ""))

    def test_processes_of_another_launcher_are_refused(self):
        """As MPICH's mpiexec would start them: MPI connects one process each."""
        environment = {**os.environ, "PMI_RANK": "0", "PMI_SIZE": "2"}
        done = subprocess.run([PROGRAM, "cases"], env=environment, timeout=60, check=False, **PIPES)
        words = "headroom: mpiexec of MPICH started 2 processes, but MPI connects 1: headroom was built with"
        self.assertTrue(done.stderr.startswith(words), done.stderr)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1))


if __name__ == "__main__":
    main()
