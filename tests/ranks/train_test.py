"""`train` on several ranks: the files of one rank with as many data shards, byte for byte, whatever ranks divide; and
one sentence for what cannot be."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

import frame  # noqa: E402
import mpirun  # noqa: E402

STEPS = 3
ROWS = 12
FLAGS = ["--seq-len", 24, "--threads", 1, "--lr", 0.01]
FILES = ["model.safetensors", f"checkpoint-{STEPS}/model.safetensors", f"checkpoint-{STEPS}/optimizer.safetensors"]


def tokens(steps):
    choose = random.Random(3)
    return {"batches": [[[choose.randrange(256) for _ in range(24)] for _ in range(ROWS)] for _ in range(steps)]}


class TrainTest(frame.CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.home = Path(tempfile.mkdtemp(prefix="headroom-ranks-"))
        command = [frame.HEADROOM, "init", "tiny-300k", "--output", cls.home / "model"]
        subprocess.run(command, check=True, **mpirun.PIPES)
        (cls.home / "tokens.json").write_text(json.dumps(tokens(STEPS)), encoding="utf-8")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.home)

    def command(self, *flags, output="out"):
        return ["train", self.home / "model", "--tokens", self.home / "tokens.json", *FLAGS, "--output",
                self.directory / output, *flags]  # fmt: skip

    def on(self, ranks, *flags, output="out", expect=0):
        """Returns the standard error of the job."""
        code, _, errors, _ = mpirun.run(ranks, *self.command(*flags, output=output), program=frame.HEADROOM)
        self.assertEqual(code, expect, errors)
        return errors

    def alone(self, shards, *flags, output="one"):
        self.headroom(*self.command("--data-shards", shards, *flags, output=output))
        return self.files(output)

    def files(self, output):
        directory = self.directory / output
        lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
        return {
            "metrics": [[line[key] for key in ("step", "loss", "grad_norm")] for line in lines],
            **{name: (directory / name).read_bytes() for name in FILES},
        }

    def expect_same(self, ranks, shards, way, numbers=(), alone=()):
        for output in ("out", "one"):
            shutil.rmtree(self.directory / output, ignore_errors=True)
        with self.subTest(ranks=ranks, shards=shards, way=way, numbers=numbers):
            expected = self.alone(shards, *numbers, *alone)
            self.on(ranks, "--data-shards", shards, *numbers, *way)
            self.assertEqual(self.files("out"), expected)

    def test_every_stage_writes_the_files_of_one_rank(self):
        for stage in range(4):
            self.expect_same(2, 2, ["--zero", stage])
        self.expect_same(3, 3, ["--zero", 3])

    def test_the_report_and_the_trace_say_what_went_over_the_network_and_when(self):
        self.on(2, "--zero", 3, "--report", self.directory / "r.json", "--profile", self.directory / "profile")
        report = self.read_json("r.json")
        for rank in report["ranks"]:
            self.assertGreater(rank["waited_seconds"], 0)
            self.assertGreater(rank["hidden_seconds"], 0)
        self.assertGreater(report["link"]["bytes_per_second"], 1e6)
        self.assertGreater(report["predicted_transfer_seconds"], 0)
        self.assertGreaterEqual(report["predicted_step_seconds"], report["predicted_compute_seconds"])
        events = self.read_json("profile/trace.json")["traceEvents"]
        begins = {event["id"]: event for event in events if event["ph"] == "b"}
        ends = {event["id"]: event for event in events if event["ph"] == "e"}
        self.assertEqual(begins.keys(), ends.keys())
        self.assertEqual({event["cat"] for event in begins.values()}, {"gather", "scatter"})
        self.assertTrue(all(ends[at]["ts"] >= begins[at]["ts"] >= 0 for at in begins))

    def test_compressed_communication_sends_less_says_so_and_is_repeatable(self):
        sent, losses = {}, {}
        for choice in ("none", "both"):
            way = ["--zero", 3, "--compress-communication", choice, "--report", self.directory / "r.json"]
            words = self.on(2, *way, output=choice)
            said = "weights in 8 bits and gradients in 4 bits between ranks, lossy" in words
            self.assertEqual(said, choice == "both")
            sent[choice] = self.read_json("r.json")["ranks"][0]["sent_bytes"]
            losses[choice] = self.read_json("r.json")["loss"]
        self.assertLess(sent["both"], 0.4 * sent["none"])  # the rest is of weights that are not cut
        self.assertNotEqual(losses["both"], losses["none"])
        self.assertAlmostEqual(losses["both"][-1], losses["none"][-1], delta=0.02)
        self.on(2, "--zero", 3, "--compress-communication", "both", output="again")
        self.assertEqual(self.files("again"), self.files("both"))

    def test_compressed_communication_is_refused_where_there_is_nothing_to_compress(self):
        refused = self.headroom(*self.command("--compress-communication", "both"), expect=2)
        self.assertIn("one rank sends nothing; expected several, under mpirun, or none", refused.stderr)
        errors = self.on(2, "--zero", 2, "--compress-communication", "weights", expect=2)
        self.assertIn("expected that, or gradients; got --zero 2", errors)
        weights = ["--zero", 3, "--compress-communication", "weights", "--master-weights", "bf16"]
        self.assertIn("compresses weights of f32", self.on(2, *weights, expect=2))

    def test_with_what_else_a_run_may_do(self):
        disk = ["--disk", self.directory / "disk", "--offload", "all"]
        self.expect_same(2, 4, ["--zero", 2, "--grad-accum", 2])
        self.expect_same(2, 2, ["--zero", 3, "--clip-mode", "two-pass"])
        self.expect_same(2, 2, ["--zero", 3, "--checkpointing", "full", "--grad-accum", 3])
        self.expect_same(2, 2, ["--zero", 3, *disk])
        self.expect_same(2, 2, ["--zero", 1, *disk], ["--optimizer", "adamw8bit"])
        self.expect_same(2, 2, ["--zero", 3], ["--precision", "bf16", "--master-weights", "bf16"])
        self.expect_same(2, 2, ["--zero", 2], ["--precision", "f16", "--loss-scale", "dynamic"])
        self.expect_same(2, 2, ["--zero", 3], ["--compress-activations", 8])

    def test_adapters(self):
        for numbers in (["--lora-rank", 8, "--lora-dropout", 0.1], ["--lora-rank", 8, "--base-bits", 4]):
            flags = ["--data-shards", 2, *numbers]
            self.headroom(*self.command(*flags, output="one"))
            self.on(2, "--zero", 3, *flags)
            files = [self.directory / run / "adapter_model.safetensors" for run in ("out", "one")]
            self.assertEqual(*(file.read_bytes() for file in files), numbers)
            for file in files:
                shutil.rmtree(file.parent)

    def test_ranks_that_were_told_different_things_stop_with_one_sentence(self):
        command = " ".join(map(str, [frame.HEADROOM, *self.command()])).replace("--lr 0.01", "--lr 0.0${RANK}1")
        script = f"RANK=$OMPI_COMM_WORLD_RANK; exec {command}"
        code, _, errors, _ = mpirun.run(2, "-c", script, program="sh")
        self.assertEqual(code, frame.BAD_INPUT, errors)
        self.assertIn("the ranks differ: rank 1 has --lr 0.011, rank 0 has --lr 0.001", errors)
        self.assertEqual(errors.count("headroom: "), 1, errors)
        self.assertFalse((self.directory / "out").exists())

    def test_a_killed_job_goes_on_with_other_ranks(self):
        (self.home / "tokens.json").write_text(json.dumps(tokens(40)), encoding="utf-8")
        self.addCleanup((self.home / "tokens.json").write_text, json.dumps(tokens(STEPS)), encoding="utf-8")
        self.headroom(*self.command("--data-shards", 2, output="one"))
        flags = ["--save-every", 1, "--zero", 3]
        process = mpirun.launch(2, *self.command(*flags), program=frame.HEADROOM)
        deadline = time.monotonic() + 60
        while not list((self.directory / "out").glob("checkpoint-[0-9]")) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(mpirun.ranks_of(process.pid)[1], signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, frame.MACHINE_FAILED, errors)
        self.assertIn("rank 1 was killed by SIGKILL", errors)
        self.headroom(*self.command("--data-shards", 2, "--resume"))
        for name in ("model.safetensors", "checkpoint-40/optimizer.safetensors"):
            self.assertEqual(*((self.directory / run / name).read_bytes() for run in ("out", "one")), name)

    def test_what_cannot_be_is_refused_with_one_sentence(self):
        for ranks, flags, sentence in [
            (2, ["--data-shards", 6], "2 ranks do not cut the tree of its sums into whole parts; expected 2, or "),
            (2, ["--data-shards", 3], "it runs on 1 or 3 ranks"),
            (2, ["--memory", "1GiB,2GiB,3GiB"], "expected one size for all ranks, or one for each of 2; got 3"),
        ]:
            errors = self.on(ranks, *flags, expect=frame.BAD_INPUT)
            self.assertIn(sentence, errors)
            self.assertEqual(errors.count("headroom: "), 1, errors)
            self.assertFalse((self.directory / "out").exists())

    def test_a_budget_too_small_on_one_rank_ends_all(self):
        errors = self.on(2, "--memory", "1GiB,4MiB", expect=frame.OVER_BUDGET)
        self.assertIn("smallest budget that works", errors)
        self.assertEqual(errors.count("headroom: "), 1, errors)


if __name__ == "__main__":
    if not (frame.BUILD / "headroom_mpi.so").exists() or shutil.which("mpirun") is None:
        print("skipped: no mpirun or no headroom_mpi.so; apt-get install libopenmpi-dev openmpi-bin")
        sys.exit(mpirun.SKIPPED)
    frame.main()
