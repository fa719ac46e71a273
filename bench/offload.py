"""Step time over the budget, from all of the memory down to the least, with what does not fit on disk.

  python3 bench/offload.py SHAPE --disk DIR [--headroom build/headroom] [--points 8] [--steps 3] [--threads N]
                           [--budgets 256MiB,512MiB] [--svg curve.svg] [--json curve.json] [-- FLAG...]

SHAPE is one of those below. The model is made from random numbers, the data are random tokens. Each budget is a run of
its own: the seconds of a step (the median without the first), predicted and measured memory, what a step reads and
writes on disk, and whether losses and gradient norms equal, to the last bit, those of the run in all of the memory. The
exit code is 1 where one does not. Further flags go to `headroom train`.
"""

import argparse
import json
import math
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

MIB = 2**20
OVER_BUDGET = 3


def llama(vocabulary, features, layers, mlp_features, heads, tied):
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": vocabulary,
        "hidden_size": features, "intermediate_size": mlp_features, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": heads, "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": tied, "torch_dtype": "float32",
        "hidden_act": "silu", "initializer_range": 0.02,
    }  # fmt: skip


# Shape, rows of an update, tokens of a row.
SHAPES = {
    "160m": (llama(32000, 768, 12, 3072, 12, tied=False), 4, 128),  # 162M parameters: JackFrost/llama-160m
    "gpt2-small": (llama(50257, 768, 12, 2048, 12, tied=True), 4, 128),  # 124M
    "tiny": (llama(2048, 128, 4, 344, 4, tied=False), 4, 64),
}


class Bench:
    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        config, self.rows, self.length = SHAPES[options.shape]
        self.vocabulary = config["vocab_size"]
        (directory / "shape.json").write_text(json.dumps(config), encoding="utf-8")
        self.headroom("init", directory / "shape.json", "--output", directory / "model", "--quiet")
        choose = random.Random(1)
        batches = [
            [[choose.randrange(self.vocabulary) for _ in range(self.length)] for _ in range(self.rows)]
            for _ in range(options.steps)
        ]
        (directory / "tokens.json").write_text(json.dumps({"batches": batches}), encoding="utf-8")

    def headroom(self, *arguments, expect=0):
        command = [self.options.headroom, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
        if done.returncode != expect:
            sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
        return done

    def flags(self):
        flags = ["--tokens", self.directory / "tokens.json", "--steps", self.options.steps, *self.options.flags]
        return flags + (["--threads", self.options.threads] if self.options.threads else [])

    def smallest(self, *flags):
        """The least budget that works with these flags."""
        report = self.directory / "report.json"
        plan = ["plan", self.directory / "model", "--task", "train", *self.flags(), *flags]
        self.headroom(*plan, "--memory", 1, "--report", report, expect=OVER_BUDGET)
        return json.loads(report.read_text(encoding="utf-8"))["smallest_budget_bytes"]

    def all_of_it(self):
        """What the job takes when nothing is saved."""
        done = self.headroom("plan", self.directory / "model", "--task", "train", *self.flags(), "--memory", "1TB",
                             "--json")  # fmt: skip
        return json.loads(done.stdout)["predicted_peak_bytes"]

    def run(self, budget):
        output, report = self.directory / "out", self.directory / "report.json"
        shutil.rmtree(output, ignore_errors=True)
        self.headroom("train", self.directory / "model", "--output", output, "--report", report, "--quiet",
                      "--memory", budget, "--disk", self.options.disk, *self.flags())  # fmt: skip
        lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        report = json.loads(report.read_text(encoding="utf-8"))
        graphs = {graph["name"]: graph for graph in report["graphs"]}
        step = graphs["step"]
        shutil.rmtree(output, ignore_errors=True)
        return {
            "budget": budget,
            "seconds": statistics.median([line["seconds"] for line in lines][1:] or [lines[0]["seconds"]]),
            "predicted": report["predicted_peak_bytes"],
            "measured": report["measured_peak_bytes"],
            "disk": report["disk_bytes"],
            "read": step["disk_read_bytes"],
            "written": step["disk_written_bytes"],
            "choices": report["choices"],
            "numbers": [(line["loss"], line["grad_norm"]) for line in lines],
        }


def parse_size(text):
    for unit, factor in (("GiB", 2**30), ("MiB", MIB)):
        if text.endswith(unit):
            return int(float(text[: -len(unit)]) * factor)
    return int(text)


def round_step(most, about):
    """Of 1, 2, 5, 10, ...: what cuts 0 to `most` into about so many parts."""
    unit = 10 ** math.floor(math.log10(most / about))
    return next(unit * step for step in (1, 2, 5, 10) if unit * step >= most / about)


def draw(rows, title, path):
    """The curve as a picture that needs nothing else."""
    width, height, left, right, top, bottom = 720, 420, 76, 24, 46, 62
    most_memory = max(row["budget"] for row in rows) / 2**30
    most_seconds = 1.1 * max(row["seconds"] for row in rows)

    def place(memory, seconds):
        x = left + (width - left - right) * memory / most_memory
        return x, height - bottom - (height - bottom - top) * seconds / most_seconds

    marks = []

    def text(what, x, y, how):
        marks.append(f'<text x="{x:.0f}" y="{y:.0f}" {how}>{what}</text>')

    step = round_step(most_seconds, 5)
    for tick in range(int(most_seconds / step) + 1):
        _, y = place(0, tick * step)
        marks.append(f'<line x1="{left}" x2="{width - right}" y1="{y:.0f}" y2="{y:.0f}" stroke="#ddd"/>')
        text(f"{tick * step:g}", left - 8, y + 4, 'text-anchor="end"')
    step = round_step(most_memory, 6)
    for tick in range(int(most_memory / step) + 1):
        x, y = place(tick * step, 0)
        marks.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{y:.0f}" y2="{y + 5:.0f}" stroke="#888"/>')
        text(f"{tick * step:g}", x, y + 20, 'text-anchor="middle"')
    points = [place(row["budget"] / 2**30, row["seconds"]) for row in sorted(rows, key=lambda row: row["budget"])]
    marks.append('<polyline fill="none" stroke="#2463b0" stroke-width="2" points="%s"/>'
                 % " ".join(f"{x:.1f},{y:.1f}" for x, y in points))  # fmt: skip
    marks += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="#2463b0"/>' for x, y in points]
    text(f"{title}: time of a training step under budgets, the rest on disk", left, 24, 'font-weight="bold"')
    text("budget of the process, GiB", left + (width - left - right) / 2, height - 16, 'text-anchor="middle"')
    middle = top + (height - top - bottom) / 2
    text("seconds a step", 20, middle, f'text-anchor="middle" transform="rotate(-90 20 {middle:.0f})"')
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>{"".join(marks)}</svg>\n',
        encoding="utf-8",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("--disk", required=True)
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--points", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--budgets", help="these instead of --points between all and the least")
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("flags", nargs="*", help="more flags of train, behind --")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.disk) as directory:
        bench = Bench(options, Path(directory))
        most = bench.all_of_it()
        least = bench.smallest("--disk", options.disk)
        in_memory = bench.smallest()
        print(f"{options.shape}: {most / MIB:.0f} MiB when nothing is saved, {in_memory / MIB:.0f} MiB at least in "
              f"memory, {least / MIB:.0f} MiB with a disk", flush=True)  # fmt: skip
        if options.budgets:
            budgets = [most, *map(parse_size, options.budgets.split(","))]
        else:
            budgets = [most - (most - least) * i // (options.points - 1) for i in range(options.points)]
        print("  budget MiB  predicted  measured   disk MiB  read/step  written/step  s/step  bits", flush=True)
        rows = []
        for budget in budgets:
            row = bench.run(budget)
            rows.append(row)
            same = row["numbers"] == rows[0]["numbers"]
            print(f"  {budget / MIB:10.1f}  {row['predicted'] / MIB:9.1f}  {row['measured'] / MIB:8.1f}  "
                  f"{row['disk'] / MIB:9.0f}  {row['read'] / MIB:9.0f}  {row['written'] / MIB:12.0f}  "
                  f"{row['seconds']:6.3f}  {'equal' if same else 'DIFFERENT'}  {', '.join(row['choices'])}",
                  flush=True)  # fmt: skip
        if options.svg:
            draw(rows, options.shape, options.svg)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        broken = [row for row in rows if row["numbers"] != rows[0]["numbers"] or row["measured"] > row["predicted"]]
        sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
