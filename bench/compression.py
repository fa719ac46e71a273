"""What compressed activations cost in loss and time, and what they save: one small model on real text, once for each
format, from the same weights on the same batches.

  python3 bench/compression.py --data text.txt [--preset tiny-300k] [--steps 500] [--batch-size 8] [--seq-len 129]
      [--formats none,bf16,8,4] [--flags "--optimizer adamw8bit"] [--seeds 1]

The last tenth of the text is held out. Prints for each format the bytes that are kept between forward and backward, the
predicted peak, the mean training loss of the last twentieth of the steps and the held-out loss, both with their change
against `none`, and the median time of a step. --seeds N repeats all of it with N seeds: how far two runs lie apart by
chance alone is the spread of `none`.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

VOCABULARY = 512


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--preset", default="tiny-300k")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--seq-len", type=int, default=129)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--formats", default="none,bf16,8,4")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--flags", default="", help="further flags of train")
    return parser.parse_args()


def run(command):
    command = [str(part) for part in command]
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8")
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr[-2000:]}")


def train(args, directory, format_, seed):
    output, report = directory / "trained", directory / "report.json"
    data = ["--data", directory / "train.txt", "--eval-data", directory / "held-out.txt", "--seed", seed]
    shape = ["--batch-size", args.batch_size, "--seq-len", args.seq_len, "--steps", args.steps]
    run([args.headroom, "train", directory / "model", *data, *shape, "--lr", args.lr, "--warmup-steps",
         args.steps // 20, "--compress-activations", format_, "--checkpointing", "none", "--output", output,
         "--report", report, "--quiet", *args.flags.split()])  # fmt: skip
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text(encoding="ascii").splitlines()]
    told = json.loads(report.read_text(encoding="ascii"))
    run(["rm", "-r", output])
    kept = re.search(r"kept in (.*) instead of (.*) \(", told["choices"][0])
    return {
        "kept": f"{kept[1]} of {kept[2]}" if kept else "",
        "peak": told["predicted_peak_bytes"],
        "train": statistics.mean(line["loss"] for line in lines[-max(args.steps // 20, 1) :]),
        "held out": told["eval_loss"],
        "seconds": statistics.median(line["seconds"] for line in lines[1:]),
    }


def main():
    args = arguments()
    formats = args.formats.split(",")
    results = {}
    with tempfile.TemporaryDirectory(prefix="headroom-compression-") as name:
        directory = Path(name)
        text = Path(args.data).read_text(encoding="utf-8")
        border = len(text) * 9 // 10
        (directory / "train.txt").write_text(text[:border], encoding="utf-8")
        (directory / "held-out.txt").write_text(text[border:], encoding="utf-8")
        tokenizer = ["--tokenizer-data", directory / "train.txt", "--vocabulary", VOCABULARY]
        run([args.headroom, "init", args.preset, *tokenizer, "--output", directory / "model", "--seed", 1, "--quiet"])
        for seed in range(1, args.seeds + 1):
            for format_ in formats:
                result = train(args, directory, format_, seed)
                results.setdefault(format_, []).append(result)
                print(f"seed {seed}, {format_}: held-out loss {result['held out']:.5f}", file=sys.stderr)
    shape = f"{args.steps} steps of {args.batch_size} x {args.seq_len} tokens"
    print(f"{args.preset}, {shape}, {args.seeds} seeds {args.flags}")
    print(f"{'':<6}{'kept':>24}{'peak MiB':>10}{'train':>10}{'change':>9}{'held out':>10}{'change':>9}{'ms/step':>9}")
    for format_ in formats:
        figures = [f"{format_:<6}{results[format_][0]['kept']:>24}{results[format_][0]['peak'] / 2**20:10.1f}"]
        for key in ("train", "held out"):
            mean = statistics.mean(one[key] for one in results[format_])
            plain = statistics.mean(one[key] for one in results[formats[0]])
            figures.append(f"{mean:10.5f}{100 * (mean / plain - 1):+8.3f}%")
        figures.append(f"{1000 * statistics.median(one['seconds'] for one in results[format_]):9.1f}")
        print("".join(figures))
    if args.seeds > 1:
        spread = [one["held out"] for one in results[formats[0]]]
        print(f"held-out loss of {formats[0]} over the seeds: {min(spread):.5f} to {max(spread):.5f}")


if __name__ == "__main__":
    main()
