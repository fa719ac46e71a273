"""What a KV cache in fewer bits costs in perplexity: trained models on held-out text, once for each kind of cache.

  python3 bench/cache_accuracy.py MODEL... --data held-out.txt [--kinds bf16,f16,q8,q4] [--seq-len 512] [--stride 256]

Each line is one run of `headroom eval MODEL --reference MODEL --kv-cache-dtype KIND`: the same predictions with and
without a cache of that kind. Prints the perplexity without one, by how much the cache changes it (targets: q8 at most
+0.1 %, q4 at most +0.5 %), the KL divergence in thousandths of a nat, and how often both find the same token the
likeliest. A change of perplexity has chance in it, the divergence has little: where the text is short, look at the
second.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

TARGETS = {"q8": 0.1, "q4": 0.5}  # per cent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", required=True)
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--kinds", default="bf16,f16,q8,q4")
    parser.add_argument("--seq-len", type=int, default=512)
    parser.add_argument("--stride", type=int, default=256)
    return parser.parse_args()


def measure(options, model, kind, report):
    command = [options.headroom, "eval", model, "--reference", model, "--data", options.data]
    command += ["--kv-cache-dtype", kind]
    command += ["--seq-len", options.seq_len, "--stride", options.stride, "--report", report, "--quiet"]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    return json.loads(report.read_text(encoding="utf-8"))


def main():
    options = arguments()
    print(f"{'model':<24} cache  perplexity     change   target  KL / 1000  same top")
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.json"
        for model in options.models:
            for kind in options.kinds.split(","):
                got = measure(options, model, kind, report)
                change = 100 * (got["perplexity"] / got["reference_perplexity"] - 1)
                target = f"{TARGETS[kind]:+.1f} %" if kind in TARGETS else ""
                line = f"{Path(model).name:<24} {kind:<6}{got['reference_perplexity']:>11.3f} {change:>+8.4f} %"
                line += f" {target:>8} {1000 * got['kl_divergence']:>10.4f} {100 * got['top1_agreement']:>7.2f} %"
                print(line, flush=True)


if __name__ == "__main__":
    main()
