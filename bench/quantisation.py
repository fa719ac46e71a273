"""What methods of choosing codes keep of a model: rtn, gptq and best, beside GPTQModel where it is installed.

  python3 bench/quantisation.py MODEL... --calibration text.txt --data held-out.txt
                                [--formats 4:128,3:128,2:32] [--samples 64] [--seq-len 512] [--peer PYTHON]

For each model, format (bits:group) and method: bits per weight, perplexity on text that the calibration has not seen,
the divergence from the whole model in thousandths of a nat (a change of perplexity has chance in it, the divergence
has little), seconds of the calibration and what was predicted, and the peak of memory. Tables and output layers have 8
bits. PYTHON is one that has gptqmodel: it gets the same rows of tokens, its tables and output layers stay whole, and
what it wrote is measured by the same `headroom eval`.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--calibration", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--formats", default="4:128,3:128,2:32")
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--seq-len", type=int, default=512)
    parser.add_argument("--damping", default="0.01")
    parser.add_argument("--peer", help="a Python that has gptqmodel")
    return parser.parse_args()


class Bench:
    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        self.small = directory / "small"

    def headroom(self, *words):
        report = self.directory / "report.json"
        command = [self.options.headroom, *map(str, words), "--report", str(report), "--quiet"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return json.loads(report.read_text(encoding="utf-8"))

    def rows(self):
        return ["--samples", self.options.samples, "--seq-len", self.options.seq_len]

    def quantise(self, model, method, bits, group):
        words = ["--method", method, "--bits", bits, "--group-size", group, "--embedding-bits", 8]
        if method != "rtn":
            words += ["--calibration", self.options.calibration, "--damping", self.options.damping, *self.rows()]
        made = self.headroom("quantize", model, "--output", self.small, *words)
        took = made.get("calibration", {"seconds": made["seconds"], "predicted_seconds": 0})
        return took["seconds"], took["predicted_seconds"], made["measured_peak_bytes"], made["bits_per_weight"]

    def quantise_by_peer(self, model, bits, group):
        script = Path(__file__).parent / "peers" / "gptqmodel_quantize.py"
        command = [self.options.peer, script, model, self.small, "--calibration", self.options.calibration]
        command += ["--bits", bits, "--group-size", group, "--damping", self.options.damping, *self.rows()]
        begin = time.monotonic()
        done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
        peak = next(int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("peak_bytes "))
        return time.monotonic() - begin, 0, peak, 0

    def measure(self, model, method, bits, group):
        if method == "GPTQModel":
            seconds, predicted, peak, size = self.quantise_by_peer(model, bits, group)
        else:
            seconds, predicted, peak, size = self.quantise(model, method, bits, group)
        rows = ["--seq-len", self.options.seq_len, "--compute", "f32"]
        got = self.headroom("eval", self.small, "--reference", model, "--data", self.options.data, *rows)
        shutil.rmtree(self.small)
        line = f"| {Path(model).name} | {bits} | {group} | {method} | {f'{size:.3f}' if size else ''} "
        line += f"| {got['perplexity']:.4f} | {100 * (got['perplexity'] / got['reference_perplexity'] - 1):+.3f} % "
        line += f"| {1000 * got['kl_divergence']:.4f} | {seconds:.1f} | {f'{predicted:.1f}' if predicted else ''} "
        print(line + f"| {peak / 2**20:.0f} |", flush=True)


def main():
    options = arguments()
    print("| model | bits | group | method | bits/w | perplexity | change | KL / 1000 | s | predicted | MiB |")
    print("| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(options, Path(directory))
        for model in options.models:
            for form in options.formats.split(","):
                bits, group = map(int, form.split(":"))
                for method in ["rtn", "gptq", *(["GPTQModel"] if options.peer else []), "best"]:
                    bench.measure(model, method, bits, group)


if __name__ == "__main__":
    main()
