"""A training step on two ranks of one thread: headroom's stages of ZeRO beside PyTorch's DDP and FSDP2, in turn.

  python3 bench/ranks_speed.py --python ~/peers/bin/python [--config bench/peers/llama-134m.json] [--rounds 3]

2 x 256 tokens a rank, AdamW, the same weights and batches; the first step of each process is not timed. Prints seconds
a step (medians over all rounds), the largest peak of a rank, what a rank sends, and all of it against DDP.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
STEPS, ROWS, TOKENS = 4, 4, 257
# In a container everybody is root.
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
STAGES = {f"headroom --zero {stage}": stage for stage in (0, 1, 2, 3)}


def run(command, directory):
    return subprocess.run(command, cwd=directory, env=ENVIRONMENT, text=True, capture_output=True, check=True).stdout


def run_headroom(headroom, stage, directory):
    flags = ["--output", "out", "--threads", "1", "--save-every", "0", "--zero", str(stage), "--report", "report.json"]
    run(["mpirun", "--quiet", "-n", "2", headroom, "train", "model", "--tokens", "tokens.json", *flags], directory)
    lines = [json.loads(line) for line in (directory / "out" / "metrics.jsonl").read_text().splitlines()]
    ranks = json.loads((directory / "report.json").read_text())["ranks"]
    shutil.rmtree(directory / "out")
    return ([line["seconds"] for line in lines[1:]], max(rank["measured_peak_bytes"] for rank in ranks),
            max(rank["sent_bytes"] for rank in ranks))  # fmt: skip


def run_torch(python, mode, directory):
    printed = run([python, str(HERE / "peers" / "ranks_torch.py"), mode, "model", "tokens.json"], directory)
    ranks = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return ranks[0]["seconds"][1:], max(rank["peak_bytes"] for rank in ranks), 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--headroom", default=str(HERE.parent / "build" / "headroom"))
    parser.add_argument("--python", help="of an environment with torch and transformers")
    parser.add_argument("--config", default=str(HERE / "peers" / "llama-134m.json"))
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    headroom = str(Path(arguments.headroom).resolve())
    if shutil.which("mpirun") is None:
        sys.exit("skipped: no mpirun; apt-get install openmpi-bin")
    sides = {}
    for name, stage in STAGES.items():
        sides[name] = lambda where, stage=stage: run_headroom(headroom, stage, where)
    if arguments.python:
        for mode in ("ddp", "fsdp2"):
            sides[f"torch {mode}"] = lambda where, mode=mode: run_torch(arguments.python, mode, where)
    seconds, peaks, sent = {name: [] for name in sides}, {}, {}
    with tempfile.TemporaryDirectory(prefix="headroom-ranks-") as name:
        directory = Path(name)
        run([headroom, "init", str(Path(arguments.config).resolve()), "--output", "model"], directory)
        vocabulary = json.loads((directory / "model" / "config.json").read_text())["vocab_size"]
        choose = random.Random(1)
        batches = [[[choose.randrange(vocabulary) for _ in range(TOKENS)] for _ in range(ROWS)] for _ in range(STEPS)]
        (directory / "tokens.json").write_text(json.dumps({"batches": batches}))
        for _ in range(arguments.rounds):
            for side, train in sides.items():
                took, peaks[side], sent[side] = train(directory)
                seconds[side] += took
    medians = {side: statistics.median(took) for side, took in seconds.items()}
    base = "torch ddp" if "torch ddp" in sides else "headroom --zero 0"
    print(f"| side | s a step | of {base} | peak of a rank, MB | of {base} | sent by a rank, MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for side in sides:
        moved = f"{sent[side] / 1e6:,.1f}" if sent[side] else "-"
        print(f"| {side} | {medians[side]:.2f} | {medians[side] / medians[base]:.2f} | {peaks[side] / 1e6:,.0f} | "
              f"{peaks[side] / peaks[base]:.2f} | {moved} |")  # fmt: skip


if __name__ == "__main__":
    main()
