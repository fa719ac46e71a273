"""Prefill and decode of headroom and of llama.cpp, side by side: tokens a second, peak memory, their ratios.

  python3 bench/inference.py MODEL --gguf MODEL.gguf --python ~/llamacpp/bin/python [--prompt 512] [--generate 64]
      [--repeat 3] [--rounds 2] [--headroom build/headroom]

MODEL and the GGUF file are the same model (`headroom convert --format gguf --dtype f16`). The sides run one after
the other in each round, so that a machine that drifts lies to none of them; medians are over all rounds. Decoding
begins with an empty cache. bench/peers/README.md says how to install llama-cpp-python.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--gguf", required=True)
    parser.add_argument("--python", required=True, help="of an environment with llama-cpp-python")
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    return parser.parse_args()


def run(command):
    command = [str(part) for part in command]
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8")
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout[done.stdout.index("{") :])


class Side:
    def __init__(self, name, measure):
        self.name, self.measure = name, measure
        self.prefill, self.decode, self.shares, self.peak = [], [], {}, 0

    def run(self):
        prefill, decode, peak, shares = self.measure()
        self.prefill.append(prefill)
        self.decode.append(decode)
        for test, share in shares.items():
            self.shares.setdefault(test, []).append(share)
        self.peak = max(self.peak, peak)
        print(f"  {self.name:<20} {prefill:8.1f} {decode:8.2f} tokens/s, {peak / 1e9:6.3f} GB", file=sys.stderr)


def sides(args):
    lengths = ["--prompt", args.prompt, "--generate", args.generate, "--repeat", args.repeat]

    def headroom(model):
        report = run([args.headroom, "bench", model, *lengths, "--json", "--quiet"])
        tests = {test["test"]: test for test in report["tests"]}
        rates = [tests[name]["tokens_per_second"] for name in ("prefill", "decode")]
        return *rates, report["measured_peak_bytes"], {name: test["share"] for name, test in tests.items()}

    def llamacpp(*flags):
        report = run([args.python, HERE / "peers" / "run_llamacpp.py", args.gguf, *lengths, *flags])
        return report["prefill_median"], report["decode_median"], report["peak_bytes"], {}

    return [
        Side("headroom", lambda: headroom(args.model)),
        Side("headroom, GGUF", lambda: headroom(args.gguf)),
        Side("llama.cpp", llamacpp),
        Side("llama.cpp, f32 cache", lambda: llamacpp("--f32-cache")),
    ]


def main():
    args = arguments()
    all_sides = sides(args)
    for number in range(args.rounds):
        print(f"round {number + 1} of {args.rounds}", file=sys.stderr)
        for side in all_sides:
            side.run()
    ours = all_sides[0]
    print(f"{'':<20} {'prefill':>9} {'':>7} {'decode':>9} {'':>7} {'peak GB':>8}")
    for side in all_sides:
        prefill, decode = statistics.median(side.prefill), statistics.median(side.decode)
        ratios = [prefill / statistics.median(ours.prefill), decode / statistics.median(ours.decode)]
        print(
            f"{side.name:<20} {prefill:9.2f} {ratios[0]:6.2f}x {decode:9.3f} {ratios[1]:6.2f}x {side.peak / 1e9:8.3f}"
        )
    for side in all_sides:
        for test, shares in side.shares.items():
            limit = "reading memory" if test == "decode" else "the FMA peak"
            print(f"{side.name}: {test} at {100 * statistics.median(shares):.0f} % of {limit}")
    print(f"tokens a second, as multiples of {ours.name}'s; prompt {args.prompt}, {args.generate} new tokens")


if __name__ == "__main__":
    main()
