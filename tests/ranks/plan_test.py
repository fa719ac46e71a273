"""`plan --mesh data=N` starts no rank and says of a job what its ranks say: the memory of each, and what it sends."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

import frame  # noqa: E402
import mpirun  # noqa: E402

ROWS = 8
LENGTH = 24
STEPS = 1


class PlanTest(frame.CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.home = Path(tempfile.mkdtemp(prefix="headroom-ranks-"))
        command = [frame.HEADROOM, "init", "tiny-300k", "--output", cls.home / "model"]
        subprocess.run(command, check=True, **mpirun.PIPES)
        batches = [[[(7 * at + row) % 256 for at in range(LENGTH)] for row in range(ROWS)] for _ in range(STEPS)]
        (cls.home / "tokens.json").write_text(json.dumps({"batches": batches}), encoding="utf-8")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.home)

    def expect_as_planned(self, ranks, *flags):
        with self.subTest(ranks=ranks, flags=flags):
            command = [self.home / "model", "--tokens", self.home / "tokens.json", "--threads", 1, *flags]
            plan = json.loads(self.headroom("plan", *command, "--mesh", f"data={ranks}", "--json").stdout)
            run = ["train", *command, "--output", self.directory / "out", "--report", self.directory / "r.json"]
            code, _, errors, _ = mpirun.run(ranks, *run, program=frame.HEADROOM)
            self.assertEqual(code, 0, errors)
            report = self.read_json("r.json")
            shutil.rmtree(self.directory / "out")
            for key in ("predicted_peak_bytes", "arena_bytes", "choices"):
                self.assertEqual(plan[key], report[key], key)
            for rank in report["ranks"]:
                self.assertEqual(rank["predicted_peak_bytes"], plan["predicted_peak_bytes"])
                self.assertLessEqual(rank["measured_peak_bytes"], plan["predicted_peak_bytes"])
            self.assertEqual(report["ranks"][0]["sent_bytes"], sum(plan["sent_bytes"].values()))
            self.assertEqual(plan["ranks"], len(report["ranks"]))
            return plan

    def test_of_every_stage(self):
        for ranks in (2, 4):
            for stage in range(4):
                plan = self.expect_as_planned(ranks, "--zero", stage)
                self.assertEqual(plan["zero"], stage)

    def test_with_what_else_a_run_may_do(self):
        self.assertEqual(self.expect_as_planned(2)["zero"], 2)
        self.expect_as_planned(2, "--zero", 2, "--data-shards", 4, "--grad-accum", 2)
        self.expect_as_planned(4, "--zero", 3, "--checkpointing", "full", "--clip-mode", "two-pass")
        self.expect_as_planned(2, "--zero", 3, "--disk", self.directory / "disk", "--offload", "all")
        self.expect_as_planned(2, "--zero", 3, "--lora-rank", 4)
        least = self.expect_as_planned(4, "--zero", 3, "--memory", "1GiB")["predicted_peak_bytes"]
        self.expect_as_planned(4, "--memory", least)


if __name__ == "__main__":
    if not (frame.BUILD / "headroom_mpi.so").exists() or shutil.which("mpirun") is None:
        print("skipped: no mpirun or no headroom_mpi.so; apt-get install libopenmpi-dev openmpi-bin")
        sys.exit(mpirun.SKIPPED)
    frame.main()
