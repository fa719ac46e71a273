"""Tokens per second of a model over the budget, from all of it in memory down to the least, against the disk's rate.

  python3 bench/streaming.py MODEL [--headroom build/headroom] [--points 7] [--budgets 2GiB,4GiB] [--generate 8]
                             [--repeat 3] [--threads N] [--cgroup DIR] [--svg curve.svg] [--json curve.json]

MODEL is a directory with weights. Each budget is a run of `headroom bench` of its own. What stays in the files is read
once for each token, so bytes a second are that times tokens a second; the disk's rate is measured just before each run,
by direct reads of the model's own file into huge pages, one after the other. With --cgroup, a memory group that this
user may write to (cgroup v1), each run has a group below it with the budget as its hard limit. Exit code 1 where a run
took more than its budget.
"""

import argparse
import json
import mmap
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MIB = 2**20
OVER_BUDGET = 3
BLOCK = 4 * MIB


def disk_rate(path, most_bytes=2**31):
    """Bytes a second of direct reads from the file's beginning."""
    memory = mmap.mmap(-1, 2 * BLOCK)
    memory.madvise(mmap.MADV_HUGEPAGE)
    view = memoryview(memory)[:BLOCK]
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
    done = 0
    begin = time.monotonic()
    while done < most_bytes:
        got = os.preadv(descriptor, [view], done)
        if got < BLOCK:
            break
        done += got
    seconds = time.monotonic() - begin
    os.close(descriptor)
    return done / seconds


class Bench:
    def __init__(self, options):
        self.options = options
        self.file = max(Path(options.model).glob("*.safetensors"), key=lambda path: path.stat().st_size)
        self.directory = tempfile.TemporaryDirectory()

    def run(self, budget):
        """The report of a run in the budget, or None where that is too small."""
        report = Path(self.directory.name) / "report.json"
        command = [self.options.headroom, "bench", self.options.model, "--prompt", "0", "--memory", str(budget)]
        command += ["--generate", str(self.options.generate), "--repeat", str(self.options.repeat)]
        command += ["--threads", str(self.options.threads), "--quiet", "--report", str(report)]
        limit = self.limit(budget) if self.options.cgroup else None
        done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limit)
        if done.returncode not in (0, OVER_BUDGET):
            sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
        return json.loads(report.read_text(encoding="utf-8"))

    def limit(self, budget):
        group = Path(self.options.cgroup) / "headroom-streaming"
        group.mkdir(exist_ok=True)
        (group / "memory.limit_in_bytes").write_text(str(budget), encoding="utf-8")

        def enter():
            (group / "cgroup.procs").write_text(str(os.getpid()), encoding="utf-8")

        return enter

    def budgets(self):
        if self.options.budgets:
            units = {"KiB": 2**10, "MiB": MIB, "GiB": 2**30}
            return [int(float(text[:-3]) * units[text[-3:]]) for text in self.options.budgets.split(",")]
        limit, self.options.cgroup = self.options.cgroup, ""
        ample = self.run("64GiB")["predicted_peak_bytes"]
        least = self.run("16MiB")["smallest_budget_bytes"]
        self.options.cgroup = limit
        steps = self.options.points - 1
        return [ample - (ample - least) * step // steps for step in range(self.options.points)]


def draw(rows, path):
    """Tokens a second over the budget."""
    width, height, left, bottom = 640, 360, 60, 40
    most_x = max(row["budget"] for row in rows)
    most_y = max(row["tokens_per_second"] for row in rows)

    def at(x, y):
        return left + (width - left - 20) * x / most_x, height - bottom - (height - bottom - 20) * y / most_y

    points = [at(row["budget"], row["tokens_per_second"]) for row in rows]
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">']
    lines.append(f'<path d="M{left} 20V{height - bottom}H{width - 20}" fill="none" stroke="#888"/>')
    lines.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none" stroke="#06c"/>')
    for row, (x, y) in zip(rows, points):
        lines.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#06c"/>')
        lines.append(f'<text x="{x:.1f}" y="{y - 8:.1f}" font-size="11">{row["tokens_per_second"]:.2f}</text>')
    words = f"budget, up to {most_x / 2**30:.1f} GiB"
    lines.append(f'<text x="{width // 2}" y="{height - 10}" font-size="12" text-anchor="middle">{words}</text>')
    lines.append(f'<text x="10" y="14" font-size="12">tokens a second</text></svg>')
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--points", type=int, default=7)
    parser.add_argument("--budgets")
    parser.add_argument("--generate", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--cgroup", default="")
    parser.add_argument("--svg")
    parser.add_argument("--json")
    options = parser.parse_args()
    bench = Bench(options)
    rows = []
    broken = 0
    print(f"{'budget MiB':>12}{'in files MiB':>14}{'tokens/s':>10}{'read GB/s':>11}{'disk GB/s':>11}{'peak MiB':>10}")
    for budget in bench.budgets():
        rate = disk_rate(bench.file)
        report = bench.run(budget)
        if "tests" not in report:
            print(f"{budget / MIB:12.0f}  refused: the smallest is {report['smallest_budget_bytes'] / MIB:.1f} MiB")
            continue
        tokens = report["tests"][0]["tokens_per_second"]
        row = {"budget": budget, "model_bytes": report["model_bytes"], "tokens_per_second": tokens}
        row |= {"read": tokens * report["model_bytes"], "disk": rate, "peak": report["measured_peak_bytes"]}
        broken += row["peak"] > budget
        rows.append(row)
        print(
            f"{budget / MIB:12.0f}{row['model_bytes'] / MIB:14.0f}{tokens:10.3f}{row['read'] / 1e9:11.2f}"
            f"{rate / 1e9:11.2f}{row['peak'] / MIB:10.0f}",
            flush=True,
        )
    if options.svg:
        draw(rows, options.svg)
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
