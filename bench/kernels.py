"""Every kernel's share of its limit, on each instruction set of this machine, with one thread and with all.

  python3 bench/kernels.py [--headroom build/headroom] [--filter SUBSTRING] [--save FILE.json]

Runs `headroom bench --json` once for each of them and prints one markdown table: the share of the limit that bounds the
kernel (the peak of fused multiply-adds, or the rate of reading, copying or updating memory, measured beside it), and
what the last thread count gains over one thread, against what the limit itself gains. --save keeps the raw figures.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--filter", default="")
    parser.add_argument("--save")
    return parser.parse_args()


def bench(args, isa, threads):
    command = [args.headroom, "bench", "--json", "--quiet", "--threads", str(threads)]
    if args.filter:
        command += ["--filter", args.filter]
    environment = os.environ | {"HEADROOM_ISA": isa}
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", env=environment)
    if done.returncode == 2 and "does not have it" in done.stderr:
        return None
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def main():
    args = arguments()
    processors = len(os.sched_getaffinity(0))
    runs = {}
    for isa in ("avx2", "avx512"):
        for threads in sorted({1, processors}):
            print(f"{isa}, {threads} threads", file=sys.stderr)
            result = bench(args, isa, threads)
            if result is not None:
                runs[isa, threads] = result
    if args.save:
        raw = [{"isa": isa, "threads": threads, **result} for (isa, threads), result in runs.items()]
        Path(args.save).write_text(json.dumps(raw, indent=1), encoding="utf-8")
    gains = [isa for isa in ("avx2", "avx512") if (isa, 1) in runs and processors > 1]
    heads = [f"{isa}, {threads}" for isa, threads in runs] + [f"{isa}, gain" for isa in gains]
    print(f"| kernel | limit | {' | '.join(heads)} |\n| --- | --- |{' ---: |' * len(heads)}")
    cases = {key: {case["name"]: case for case in run["cases"]} for key, run in runs.items()}
    for name, first in next(iter(cases.values())).items():
        if "share" not in first:
            continue
        shares = [f"{100 * cases[key][name]['share']:.0f} %" for key in runs]
        for isa in gains:
            one, all_ = cases[isa, 1][name], cases[isa, processors][name]
            gain = one["seconds"] / all_["seconds"]
            of_limit = gain * one["share"] / all_["share"]  # what the limit gained, measured beside both
            shares.append(f"{gain:.2f} of {of_limit:.2f}")
        print(f"| {name} | {first['limit']} | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
