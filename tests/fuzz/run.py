#!/usr/bin/env python3
"""Runs the fuzzers and prints what each did; exits non-zero when one found something.

  tests/fuzz/run.py --build build/fuzz --seconds 600             all of them, as many at a time as there are processors
  tests/fuzz/run.py --build build/fuzz --seconds 10 safetensors  one

Each starts from its seeds (tests/data/fuzz/NAME) and keeps what it learns in BUILD/corpus/NAME. An input that is at
fault is left in BUILD/findings/NAME-*: mend the reader, then move the input to the seeds, where every run tries it.
Exit code 77: the fuzzers are not built.
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SEEDS = HERE.parent / "data" / "fuzz"
WIDTHS = {"executions": 12, "a second": 10, "edges": 8, "inputs": 8, "slowest s": 11, "peak MiB": 10}  # of the table
# One input may not take more: the readers promise memory and time in proportion to a file.
LIMITS = ["-timeout=5", "-rss_limit_mb=1024", "-malloc_limit_mb=128"]


def fuzz(build, name, seconds):
    """Runs one fuzzer. Returns its exit code, the figures of its last lines, and all that it said."""
    corpus, findings = build / "corpus" / name, build / "findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    seeds = SEEDS / name
    dictionary = SEEDS / f"{name}.dict"
    command = [str(build / "tests/fuzz" / f"{name}_fuzzer"), *LIMITS, f"-max_total_time={seconds}"]
    command += ["-print_final_stats=1", f"-artifact_prefix={findings}/{name}-"]
    if dictionary.exists():
        command.append(f"-dict={dictionary}")
    command += [str(corpus), str(seeds)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return done.returncode, figures(done.stderr), done.stderr


def figures(text):
    """Executions, their rate, edges covered, inputs kept, the slowest in seconds and the peak in MiB."""

    def last(pattern):
        found = re.findall(pattern, text)
        return int(found[-1]) if found else 0

    return {
        "executions": last(r"stat::number_of_executed_units: *(\d+)"),
        "a second": last(r"stat::average_exec_per_sec: *(\d+)"),
        "edges": last(r"cov: (\d+)"),
        "inputs": last(r"corp: (\d+)"),
        "slowest s": last(r"stat::slowest_unit_time_sec: *(\d+)"),
        "peak MiB": last(r"stat::peak_rss_mb: *(\d+)"),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    names = arguments.names or sorted(path.name[: -len("_fuzzer.cc")] for path in HERE.glob("*_fuzzer.cc"))
    if not all((arguments.build / "tests/fuzz" / f"{name}_fuzzer").exists() for name in names):
        print(f"{arguments.build}: the fuzzers are not built; try make fuzzers", file=sys.stderr)
        sys.exit(77)
    print(f"{'fuzzer':<14}" + "".join(f"{key:>{width}}" for key, width in WIDTHS.items()))
    failed = False
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        runs = {name: pool.submit(fuzz, arguments.build.resolve(), name, arguments.seconds) for name in names}
        for name, run in runs.items():
            code, found, text = run.result()
            print(f"{name:<14}" + "".join(f"{found[key]:>{width}}" for key, width in WIDTHS.items()), flush=True)
            if code != 0 or found["executions"] == 0:
                failed = True
                print(text[-6000:], file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
