"""A training step of headroom and of PyTorch, side by side: seconds, peak memory, their ratios.

  python3 bench/training.py --python ~/peers/bin/python [--config bench/peers/llama-134m.json] [--batch-size 4]
      [--seq-len 512] [--steps 3] [--rounds 2]
      [--set plain|lean|checkpointing|adamw8bit|bf16 | --sides headroom,torch,...]

All sides start from the same weights and train on the same batches with AdamW on all processors, one after the
other in each round, so that a machine that drifts lies to none of them; the first step of each process is not timed,
and medians are over all rounds. Losses are compared: sides that trained something else are named. bench/peers/README.md
says what the sides are and how to install those of PyTorch; a C compiler and libjemalloc2 are needed for those that say
so. A side that cannot run here is left out, with the reason under the table.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
LEAN = ["--checkpointing", "--chunked-loss", "--in-backward"]

# MKL asks this function whether the processor is Intel's, and runs its best kernels only there.
MKL_SHIM = "int mkl_serv_intel_cpu_true(void) { return 1; }\nint mkl_serv_intel_cpu(void) { return 1; }\n"

# Sides of headroom: flags, and where it has one its budget in bytes, of the peaks that sides before it in the set had.
HEADROOM = {
    "headroom": ([], None),
    "headroom lean": (["--grad-clip", "0"], lambda peaks: "smallest"),  # clipping at once needs all gradients
    "headroom full": (["--checkpointing", "full"], None),
    "headroom as torch": ([], lambda peaks: peaks["torch checkpointed"]),
    "headroom share": ([], lambda peaks: peaks["headroom"] * peaks["torch checkpointed"] // peaks["torch"]),
    "headroom -42 %": ([], lambda peaks: peaks["headroom"] * 58 // 100),
    "headroom 8-bit": (["--optimizer", "adamw8bit"], None),
    "headroom bf16": (["--precision", "bf16"], None),
    "headroom bf16 sr": (["--precision", "bf16", "--master-weights", "bf16"], None),
}
# name: flags, libraries to preload.
TORCH = {
    "torch": ([], []),
    "torch compile": (["--compile"], []),
    "torch medium": (["--medium"], []),
    "torch mkl": ([], ["mkl"]),
    "torch lean": (LEAN, [JEMALLOC]),
    "torch lean mkl": (LEAN, [JEMALLOC, "mkl"]),
    "torch checkpointed": (["--checkpointing"], []),
    "torchao 8-bit": (["--optimizer", "torchao"], []),
    "bitsandbytes 8-bit": (["--optimizer", "bitsandbytes"], []),
    "torch bf16": (["--autocast"], []),
    "torch bf16 compile": (["--autocast", "--compile"], []),
}
SETS = {
    "plain": ["headroom", "torch", "torch compile", "torch medium", "torch mkl"],
    "lean": ["headroom", "headroom lean", "torch lean", "torch lean mkl"],
    "checkpointing": [
        "headroom", "torch", "torch checkpointed", "headroom full", "headroom as torch", "headroom share",
        "headroom -42 %",
    ],
    "adamw8bit": ["headroom", "headroom 8-bit", "torch", "torchao 8-bit", "bitsandbytes 8-bit"],
    "bf16": ["headroom", "headroom bf16", "headroom bf16 sr", "torch", "torch bf16", "torch bf16 compile"],
}  # fmt: skip


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="of an environment with torch and transformers")
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--config", default=str(HERE / "peers" / "llama-134m.json"))
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--seq-len", type=int, default=512)
    parser.add_argument("--steps", type=int, default=3, help="timed steps of each side in a round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--set", choices=list(SETS), default="plain", help="sides that belong together")
    parser.add_argument("--sides", help="or comma-separated: " + ", ".join([*HEADROOM, *TORCH]).replace("%", "%%"))
    return parser.parse_args()


class NotAvailable(Exception):
    """A side that cannot run here, and why."""


class Comparison:
    def __init__(self, args, directory):
        self.args = args
        self.directory = directory
        self.seconds, self.peaks, self.losses, self.reasons = {}, {}, {}, {}
        config = json.loads(Path(args.config).read_text(encoding="ascii"))
        self.model = directory / "model"
        self.tokens = directory / "tokens.json"
        self.check([args.headroom, "init", args.config, "--seed", "1", "--output", self.model, "--quiet"])
        make = [sys.executable, HERE / "peers" / "make_tokens.py", "--vocab", config["vocab_size"]]
        shape = ["--batch-size", args.batch_size, "--seq-len", args.seq_len, "--steps", args.steps + 1]
        self.tokens.write_text(self.check([*make, *shape]), encoding="ascii")

    def check(self, command, **more):
        command = [str(part) for part in command]
        done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", **more)
        if done.returncode != 0:
            last = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            said = [line for line in last if line.startswith("headroom: ")] or last[-1:]
            raise NotAvailable(said[0][:160])
        return done.stdout

    def smallest_budget(self, command, report):
        """What the refusal of one byte names."""
        subprocess.run([str(part) for part in command], check=False, capture_output=True)
        return json.loads(report.read_text(encoding="ascii"))["smallest_budget_bytes"]

    def mkl_shim(self):
        library = self.directory / "mkl_shim.so"
        if not library.exists():
            source = self.directory / "mkl_shim.c"
            source.write_text(MKL_SHIM, encoding="ascii")
            self.check(["cc", "-shared", "-fPIC", source, "-o", library])
        return str(library)

    def run_headroom(self, side):
        output, report = self.directory / "trained", self.directory / "report.json"
        shape = ["--batch-size", self.args.batch_size, "--seq-len", self.args.seq_len, "--steps", self.args.steps + 1]
        files = ["--tokens", self.tokens, "--output", output, "--report", report]
        command = [self.args.headroom, "train", self.model, *files, *shape, "--lr-schedule", "constant", "--quiet"]
        flags, budget_of = HEADROOM[side]
        command += flags
        if budget_of is not None:
            try:
                budget = budget_of(self.peaks)
            except KeyError as missing:
                raise NotAvailable(f"needs the peak of {missing}") from None
            if budget == "smallest":
                budget = self.smallest_budget([*command, "--memory", "1"], report)
            command += ["--memory", budget]
        shutil.rmtree(output, ignore_errors=True)
        self.check(command)
        lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text(encoding="ascii").splitlines()]
        shutil.rmtree(output)
        peak = json.loads(report.read_text(encoding="ascii"))["measured_peak_bytes"]
        return [line["seconds"] for line in lines[1:]], peak, [line["loss"] for line in lines]

    def run_torch(self, side):
        flags, libraries = TORCH[side]
        preload = [self.mkl_shim() if library == "mkl" else library for library in libraries]
        environment = os.environ | {"LD_PRELOAD": ":".join(preload)}
        script = HERE / "peers" / "train_torch.py"
        command = [self.args.python, script, self.model, "--tokens", self.tokens, "--steps", self.args.steps + 1]
        report = json.loads(self.check([*command, *flags], env=environment).splitlines()[-1])
        return report["seconds"], report["peak_bytes"], report["losses"]

    def run(self, side):
        if side in self.reasons:
            return
        try:
            seconds, peak, losses = self.run_headroom(side) if side in HEADROOM else self.run_torch(side)
        except NotAvailable as reason:
            self.reasons[side] = str(reason)
            print(f"  {side:<18} left out: {reason}", file=sys.stderr)
            return
        self.seconds.setdefault(side, []).extend(seconds)
        self.peaks[side] = max(peak, self.peaks.get(side, 0))
        self.losses[side] = losses
        print(f"  {side:<18} {statistics.median(seconds):7.3f} s a step, {peak / 1e9:6.3f} GB", file=sys.stderr)

    def print_table(self, sides):
        sides = [side for side in sides if side in self.seconds]
        if not sides:
            raise SystemExit("no side could run: " + "; ".join(f"{side}: {why}" for side, why in self.reasons.items()))
        ours = sides[0]
        tokens = self.args.batch_size * self.args.seq_len
        medians = {side: statistics.median(self.seconds[side]) for side in sides}
        heads = f"{'s/step':>8} {'range':>17} {'tokens/s':>9} {'peak GB':>8} {'time':>7} {'memory':>7}"
        print(f"{'':<18} {heads} {'extra time':>11} {'less memory':>12}")
        for side in sides:
            plain = "headroom" if side in HEADROOM else "torch"
            spread = f"{min(self.seconds[side]):.3f}-{max(self.seconds[side]):.3f}"
            figures = f"{medians[side]:8.3f} {spread:>17} {tokens / medians[side]:9.1f} {self.peaks[side] / 1e9:8.3f}"
            ratios = f"{medians[side] / medians[ours]:6.2f}x {self.peaks[side] / self.peaks[ours]:6.2f}x"
            if side != plain and plain in medians:
                ratios += f" {100 * (medians[side] / medians[plain] - 1):+10.1f}%"
                ratios += f" {100 * (self.peaks[side] / self.peaks[plain] - 1):+11.1f}%"
            print(f"{side:<18} {figures} {ratios}")
        print(f"time and memory: as multiples of {ours}'s; extra time and less memory: over the plain side of the same")
        print(f"engine; {len(self.seconds[ours])} timed steps of each side")
        for side in sides[1:]:
            apart = max(abs(a - b) for a, b in zip(self.losses[ours], self.losses[side], strict=True))
            if apart > 2e-3:
                print(f"{side}: losses differ by up to {apart:.2g}")
        for side, reason in self.reasons.items():
            print(f"{side}: left out: {reason}")


def main():
    args = arguments()
    sides = args.sides.split(",") if args.sides else SETS[args.set]
    for side in sides:
        if side not in HEADROOM and side not in TORCH:
            raise SystemExit(f"--sides {side}: expected some of {', '.join([*HEADROOM, *TORCH])}")
    with tempfile.TemporaryDirectory(prefix="headroom-training-") as name:
        comparison = Comparison(args, Path(name))
        for number in range(args.rounds):
            print(f"round {number + 1} of {args.rounds}", file=sys.stderr)
            for side in sides:
                comparison.run(side)
        comparison.print_table(sides)


if __name__ == "__main__":
    main()
