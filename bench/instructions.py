"""Instructions that a kernel executes on a small fixed shape: a figure that no neighbour of the machine moves.

  python3 bench/instructions.py [build/bench/bench_instructions]

Needs valgrind (callgrind), which knows no AVX-512. Prints one markdown table. matmul is [96, 160] x [192, 160]^T with
one thread, 2.95 million multiply-adds; rms_norm is 64 rows of 768.
"""

import re
import subprocess
import sys


def count(program, isa, op):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
               f"--toggle-collect=headroom::{isa}::{op}(headroom::Invocation const&)", program, isa, op]
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8")
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or collected is None or int(collected[1]) == 0:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return int(collected[1])


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "build/bench/bench_instructions"
    print("| kernel | reference | avx2 |\n| --- | ---: | ---: |")
    for op in ("matmul", "rms_norm"):
        print(f"| {op} | {count(program, 'reference', op):,} | {count(program, 'avx2', op):,} |")


if __name__ == "__main__":
    main()
