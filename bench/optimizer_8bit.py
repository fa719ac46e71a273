"""The step of 8-bit AdamW beside bitsandbytes' on the same processors: parameters a second, and their ratio.

  python3 bench/optimizer_8bit.py --python ~/peers/bin/python [--headroom build/headroom] [--threads N] [--rounds 5]

One weight of 8192 x 2048, the case of `headroom bench`; bitsandbytes' AdamW8bit over one parameter of that shape. The
sides run in turn, medians are over all rounds. --python (or HEADROOM_PEERS_PYTHON) is of an environment with torch and
bitsandbytes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

SHAPE = (8192, 2048)
CASES = {"f32": "adamw8bit 8192x2048, f32", "bf16 weights": "adamw8bit 8192x2048, bf16"}

PEER = """
import statistics, sys, time, torch, bitsandbytes
rows, columns, threads = map(int, sys.argv[1:])
torch.set_num_threads(threads)
weight = torch.nn.Parameter(torch.randn(rows, columns) * 0.02)
weight.grad = torch.randn(rows, columns) * 1e-3
step = bitsandbytes.optim.AdamW8bit([weight], lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1).step
step()
seconds = []
for _ in range(5):
    start = time.perf_counter()
    step()
    seconds.append(time.perf_counter() - start)
print(statistics.median(seconds))
"""


def run(command, **options):
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", **options)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command[:4])} ... ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=os.environ.get("HEADROOM_PEERS_PYTHON"))
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    if not args.python:
        raise SystemExit("--python, or HEADROOM_PEERS_PYTHON: expected an environment with torch and bitsandbytes")
    seconds = {}
    for number in range(args.rounds):
        print(f"round {number + 1} of {args.rounds}", file=sys.stderr)
        bench = [args.headroom, "bench", "--json", "--quiet", "--filter", "adamw8bit", "--threads", str(args.threads)]
        cases = {case["name"]: case["seconds"] for case in json.loads(run(bench))["cases"]}
        for side, name in CASES.items():
            seconds.setdefault(f"headroom, {side}", []).append(cases[name])
        peer = run([args.python, "-c", PEER, *map(str, SHAPE), str(args.threads)])
        seconds.setdefault("bitsandbytes, f32", []).append(float(peer.split()[-1]))
    first = statistics.median(seconds["headroom, f32"])
    print(f"one step of {SHAPE[0]} x {SHAPE[1]} parameters, {args.threads} threads, medians of {args.rounds} rounds")
    for side, times in seconds.items():
        median = statistics.median(times)
        rate = SHAPE[0] * SHAPE[1] / median / 1e6
        print(f"{side:<24} {median * 1e3:8.1f} ms  {rate:8.1f} M parameters/s  {median / first:6.2f}x the time")


if __name__ == "__main__":
    main()
