"""Two runs at once with --memory auto in one container, many times: the kernel kills none.

  python3 bench/pairs.py [--headroom build/headroom] [--pairs 100] [--seed 1] [--only N]

A pair is two random jobs (train, generate, eval) of one model that share a memory cgroup of random size; the second
starts a random time after the first, while that plans, encodes its text, commits its arena, loads or runs. Each must
end well, or be refused (exit code 3) in words that say that memory is short. Text is long enough that encoding takes a
while. Pair N is a function of seed and N alone, but for the clock.

Prints a line a pair and a summary; the exit code is the number of broken promises (at most 100). Needs to be able to
make a memory cgroup (KernelLimit of bench/memory.py), and says so where it is not.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from memory import MIB, OVER_BUDGET, KernelLimit

TEXT_BYTES = [200_000, 2_000_000, 8_000_000]
NO_CGROUP = 77  # what ctest reads as "skipped"


def kills(group):
    """How many processes the kernel has killed in a cgroup."""
    for name in ("memory.oom_control", "memory.events"):
        if (group / name).exists():
            for line in (group / name).read_text(encoding="ascii").splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


class Pairs:
    def __init__(self, headroom, directory, seed):
        self.headroom, self.directory, self.seed = headroom, directory, seed
        words = [f"{number * number % 7919:x}" for number in range(3000)]
        rng = random.Random(seed)
        for size in TEXT_BYTES:
            line = " ".join(rng.choice(words) for _ in range(2000)) + ".\n"
            (directory / f"text-{size}.txt").write_text(line * (size // len(line) + 1), encoding="ascii")
        flags = ["--tokenizer-data", directory / f"text-{TEXT_BYTES[0]}.txt", "--vocabulary", 1000]
        subprocess.run(
            [str(word) for word in [headroom, "init", "tiny-4m", "--output", directory / "model", *flags, "--quiet"]],
            check=True,
        )

    def draw(self, rng, output):
        text = self.directory / f"text-{rng.choice(TEXT_BYTES)}.txt"
        verb = rng.choice(["train", "train", "train", "train", "generate", "eval"])
        threads = ["--threads", rng.choice([1, 2])]
        model = self.directory / "model"
        if verb == "train":
            shape = ["--batch-size", rng.choice([4, 8, 16]), "--seq-len", 128, "--steps", 1]
            return ["train", model, "--data", text, "--output", output, *shape, *threads]
        if verb == "generate":
            return ["generate", model, "--prompt", "the", "--max-new-tokens", 24, "--context", 1024, *threads]
        short = self.directory / f"text-{TEXT_BYTES[0]}.txt"
        return ["eval", model, "--data", short, "--seq-len", 128, "--batch-size", rng.choice([1, 8]), *threads]

    def run(self, number):
        """(words of the pair, how each ended, what is wrong)."""
        rng = random.Random(f"{self.seed}/{number}")
        limit = rng.randint(80, 280) * MIB  # a training job takes 72 to 201
        delay = rng.choice([0, rng.uniform(0, 0.3), rng.uniform(0, 3)])
        scratch = self.directory / f"pair-{number}"
        scratch.mkdir()
        kernel = KernelLimit()
        processes = []
        try:
            for at in range(2):
                command = [str(word) for word in [self.headroom, *self.draw(rng, scratch / f"out-{at}")]]
                command += ["--memory", "auto", "--quiet"]
                if at == 1:
                    time.sleep(delay)
                processes.append(
                    subprocess.Popen(
                        kernel.wrap(command, limit, 2),
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.PIPE,
                        encoding="utf-8",
                        errors="replace",
                    )
                )
            words = f"{number:4} {limit // MIB:4} MiB {delay:5.2f} s  "
            ends, wrong = [], []
            for process in processes:
                message = process.communicate()[1].strip()
                code = process.returncode
                ends.append(code)
                words += f" {process.args[5]} {code}"
                if code == OVER_BUDGET and ("does not fit" in message or "free" in message):
                    continue
                if code != 0:
                    wrong.append(f"exit {code}: {message[:300]}")
            if kills(kernel.group) > 0:
                wrong.append(f"the kernel killed {kills(kernel.group)}")
            return words, ends, wrong
        finally:
            for process in processes:
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
            kernel.close()
            shutil.rmtree(scratch, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="run this pair alone")
    arguments = parser.parse_args()
    limit = KernelLimit()
    has_group = limit.group is not None
    limit.close()
    if not has_group:
        print("no memory cgroup can be made here")
        return NO_CGROUP
    headroom = Path(arguments.headroom).resolve()
    numbers = range(arguments.pairs) if arguments.only is None else [arguments.only]
    ends, broken = Counter(), 0
    # Beside the program: in a file system of memory what a run writes would count against its cgroup.
    with tempfile.TemporaryDirectory(prefix="headroom-pairs-", dir=headroom.parent) as temporary:
        pairs = Pairs(str(headroom), Path(temporary), arguments.seed)
        for number in numbers:
            words, codes, wrong = pairs.run(number)
            ends.update(codes)
            broken += len(wrong)
            print("\n".join([words, *(f"     BROKEN: {how}" for how in wrong)]), flush=True)
    print(
        f"{len(numbers)} pairs: {ends[0]} runs ended well, {ends[OVER_BUDGET]} gave way in words; "
        f"broken promises: {broken}"
    )
    return min(broken, 100)


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.exit(main())
