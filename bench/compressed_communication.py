"""What compressed communication costs in loss and saves on the wire: one small model on real text, two ranks of
--zero 3, once for each choice, from the same weights on the same batches.

  python3 bench/compressed_communication.py --data text.txt [--preset tiny-300k] [--steps 500] [--seeds 2]

The last tenth of the text is held out. Prints for each choice what a rank sends in a step, in bytes and in numbers of
f32 a parameter over (D - 1) / D (Psi), the mean training loss of the last twentieth of the steps and the held-out loss,
both with their change against `none`. How far two runs lie apart by chance alone is the spread of `none` over the
seeds.
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
CHOICES = ("none", "weights", "gradients", "both")
VOCABULARY = 512
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def run(command):
    done = subprocess.run([str(part) for part in command], env=ENVIRONMENT, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\nended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stderr


def train(args, directory, choice, seed):
    output, report = directory / "trained", directory / "report.json"
    data = ["--data", directory / "train.txt", "--eval-data", directory / "held-out.txt", "--seed", seed]
    shape = ["--batch-size", args.batch_size, "--seq-len", args.seq_len, "--steps", args.steps]
    run(["mpirun", "--quiet", "--oversubscribe", "-n", args.ranks, args.headroom, "train", directory / "model", *data,
         *shape, "--threads", "1", "--lr", args.lr, "--warmup-steps", args.steps // 20, "--zero", "3",
         "--save-every", "0", "--compress-communication", choice, "--output", output,
         "--report", report])  # fmt: skip
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text(encoding="ascii").splitlines()]
    told = json.loads(report.read_text(encoding="ascii"))
    shutil.rmtree(output)
    return {
        "sent": statistics.mean(rank["sent_bytes"] for rank in told["ranks"]),
        "loss": statistics.mean(line["loss"] for line in lines[-max(args.steps // 20, 1) :]),
        "eval": told["eval_loss"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--headroom", default=str(HERE.parent / "build" / "headroom"))
    parser.add_argument("--preset", default="tiny-300k", help="or the config of a model")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--seq-len", type=int, default=129)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    if shutil.which("mpirun") is None:
        sys.exit("skipped: no mpirun; apt-get install openmpi-bin")
    text = Path(args.data).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="headroom-communication-") as name:
        directory = Path(name)
        cut = len(text) * 9 // 10
        (directory / "train.txt").write_text(text[:cut], encoding="utf-8")
        (directory / "held-out.txt").write_text(text[cut:], encoding="utf-8")
        told = run([args.headroom, "init", args.preset, "--tokenizer-data", directory / "train.txt", "--vocabulary",
                    VOCABULARY, "--output", directory / "model"])  # fmt: skip
        parameters = int(told.split("model: ")[1].split(" parameters")[0].replace(",", ""))
        print(f"{parameters:,} parameters, {args.ranks} ranks, {args.steps} steps of {args.batch_size} rows")
        print("| choice | a rank sends in a step | of a parameter, Psi | loss at the end | against none | "
              "held-out loss | against none |")  # fmt: skip
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
        exact = []
        for choice in CHOICES:
            runs = [train(args, directory, choice, seed) for seed in range(1, args.seeds + 1)]
            exact = exact or runs
            mean = {key: statistics.mean(one[key] for one in runs) for key in runs[0]}
            base = {key: statistics.mean(one[key] for one in exact) for key in exact[0]}
            psi = mean["sent"] / (4 * parameters * (args.ranks - 1) / args.ranks)
            changes = {key: f"{mean[key]:.4f} | {mean[key] / base[key] - 1:+.2%}" for key in ("loss", "eval")}
            print(f"| {choice} | {mean['sent'] / 1e6:.3f} MB | {psi:.2f} | {changes['loss']} | {changes['eval']} |",
                  flush=True)  # fmt: skip
        for key, words in (("loss", "losses at the end"), ("eval", "held-out losses")):
            print(f"{words} of none by seed: {', '.join(f'{one[key]:.4f}' for one in exact)}")


if __name__ == "__main__":
    main()
