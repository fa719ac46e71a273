"""What quantised weights cost in perplexity: trained models on held-out text, once for each format and arithmetic.

  python3 bench/weight_accuracy.py MODEL... --data held-out.txt [--formats 8:128,4:128,4:32,3:32] [--seq-len 512]

For each format (bits:group) `headroom quantize` makes a small model, which `headroom eval --reference MODEL` holds
against the whole one, with products of the decoded weights (f32) and of whole numbers (int8). Prints both changes of
perplexity (targets for 8 bits: at most +0.1 %, and as much again for int8), the KL divergence in thousandths of a nat,
and bits per weight. A change of perplexity has chance in it, the divergence has little.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", required=True)
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--formats", default="8:128,4:128,4:32,3:32")
    parser.add_argument("--seq-len", type=int, default=512)
    parser.add_argument("--stride", type=int, default=256)
    return parser.parse_args()


class Bench:
    def __init__(self, options, directory):
        self.options = options
        self.report = directory / "report.json"
        self.small = directory / "small"

    def headroom(self, *arguments):
        command = [self.options.headroom, *map(str, arguments), "--report", str(self.report), "--quiet"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return json.loads(self.report.read_text(encoding="utf-8"))

    def evaluate(self, model, compute):
        rows = ["--seq-len", self.options.seq_len, "--stride", self.options.stride]
        return self.headroom(
            "eval", self.small, "--reference", model, "--data", self.options.data, "--compute", compute, *rows
        )

    def measure(self, model, bits, group):
        made = self.headroom("quantize", model, "--bits", bits, "--group-size", group, "--output", self.small)
        changes = []
        for compute in ("f32", "int8"):
            got = self.evaluate(model, compute)
            changes.append(100 * (got["perplexity"] / got["reference_perplexity"] - 1))
        line = f"{Path(model).name:<16} {bits} bits, groups of {group:>3} {made['bits_per_weight']:>8.3f}"
        line += f" {got['reference_perplexity']:>10.3f} {changes[0]:>+9.4f} % {changes[1]:>+9.4f} %"
        print(f"{line} {1000 * got['kl_divergence']:>10.4f}", flush=True)
        subprocess.run(["rm", "-r", str(self.small)], check=True)


def main():
    options = arguments()
    print(f"{'model':<16} {'format':<23} {'bits/w':>8} {'perplexity':>10} {'f32':>11} {'int8':>11} {'KL / 1000':>10}")
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(options, Path(directory))
        for model in options.models:
            for one in options.formats.split(","):
                bits, group = one.split(":")
                bench.measure(model, bits, group)


if __name__ == "__main__":
    main()
