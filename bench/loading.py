"""How fast weights are loaded, against what the disk gives in the same run, and how much memory that takes.

  python3 bench/loading.py MODEL [--headroom build/headroom] [--rounds 5]

MODEL is a model directory on the disk in question, larger than a few hundred MB:

  headroom init deepseek-coder-1.3b --output model          # 2.7 GB of bf16

The page cache of its weight files is dropped before each measurement. First the disk alone: direct sequential reads
(O_DIRECT) of the same files with several numbers of requests and block sizes, of which the fastest is kept. Then
rounds: the disk at that setting, and `eval --tokens` of a few ids, whose report says what loading took; ratios are of
neighbours, because the rate of a shared disk changes by the minute. Last a load of what the page cache holds.
"""

import argparse
import ctypes
import json
import mmap
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

MIB = 2**20
HUGE_PAGE = 2 * MIB  # a direct read into small pages is much slower
SETTINGS = [(1, 4), (4, 4), (8, 4), (16, 4), (8, 16)]  # requests at a time, MiB of each


def drop_cache(files):
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def disk_rate(files, requests, block_mib):
    """MB/s of one direct pass over the files."""
    block = block_mib * MIB
    places = [(path, at) for path in files for at in range(0, path.stat().st_size, block)]
    descriptors = {path: os.open(path, os.O_RDONLY | os.O_DIRECT) for path in files}
    lock, done, ready = threading.Lock(), [], threading.Barrier(requests + 1)

    def work():
        memory = mmap.mmap(-1, block + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.madvise(mmap.MADV_HUGEPAGE)
        begin = -ctypes.addressof(ctypes.c_char.from_buffer(memory)) % HUGE_PAGE
        buffer = memoryview(memory)[begin : begin + block]
        buffer[::4096] = bytes(block // 4096)
        ready.wait()
        while True:
            with lock:
                if not places:
                    return
                path, at = places.pop(0)
            done.append(os.preadv(descriptors[path], [buffer], at))

    drop_cache(files)
    threads = [threading.Thread(target=work) for _ in range(requests)]
    for thread in threads:
        thread.start()
    ready.wait()
    start = time.monotonic()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - start
    for descriptor in descriptors.values():
        os.close(descriptor)
    return sum(done) / 1e6 / seconds


class Loader:
    def __init__(self, headroom, model, directory):
        self.command = [headroom, "eval", model, "--tokens", directory / "ids.json", "--quiet"]
        self.report = directory / "report.json"
        (directory / "ids.json").write_text('{"ids": [[1, 2, 3, 4, 5, 6, 7, 8]]}')

    def load(self):
        """The report of a run, and the whole run's seconds."""
        start = time.monotonic()
        done = subprocess.run(
            [*map(str, self.command), "--report", str(self.report)], capture_output=True, encoding="utf-8", check=False
        )
        if done.returncode != 0:
            sys.exit(done.stderr)
        return json.loads(self.report.read_text()), time.monotonic() - start


def rate_of(report):
    return report["load_bytes"] / 1e6 / report["load_seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    files = sorted(options.model.glob("*.safetensors"))
    total = sum(path.stat().st_size for path in files)
    busy = os.getloadavg()[0]
    print(f"{options.model}: {total / 1e6:,.0f} MB of weights; {os.cpu_count()} processors, load {busy:.1f}")

    print("the disk, direct sequential reads, MB/s")
    rates = {setting: disk_rate(files, *setting) for setting in SETTINGS}
    for (requests, block), rate in rates.items():
        print(f"  {requests:2} x {block:2} MiB {rate:8.0f}")
    best = max(rates, key=rates.get)

    with tempfile.TemporaryDirectory() as directory:
        loader = Loader(options.headroom, options.model, Path(directory))
        print(f"rounds: the disk at {best[0]} x {best[1]} MiB, then headroom\n   disk MB/s   load MB/s   ratio   run s")
        rounds = []
        for _ in range(options.rounds):
            disk = disk_rate(files, *best)
            drop_cache(files)
            report, seconds = loader.load()
            rounds.append((disk, rate_of(report), rate_of(report) / disk))
            print(f"{disk:12.0f}{rate_of(report):12.0f}{rounds[-1][2]:8.2f}{seconds:8.2f}", flush=True)
        disk, load, ratio = (statistics.median(column) for column in zip(*rounds))
        print(f"median{disk:6.0f}{load:12.0f}{ratio:8.2f}")
        for path in files:
            with open(path, "rb") as file:
                while file.read(16 * MIB):
                    pass
        report, seconds = loader.load()
        print(f"from the page cache{rate_of(report):5.0f} MB/s{seconds:16.2f}")
    names = ["measured_peak_bytes", "predicted_peak_bytes", "arena_bytes", "reserve_bytes"]
    print("memory: " + ", ".join(f"{name[:-6].replace('_', ' ')} {report[name] / MIB:,.1f} MiB" for name in names))


if __name__ == "__main__":
    main()
