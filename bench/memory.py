"""Predicted against measured peak over a random matrix of runs.

  python3 bench/memory.py [--headroom build/headroom] [--runs 60] [--seed 1]

Each case is a random model shape with random data, settings and verb. It is refused under a budget of one byte, which
names the smallest budget; then runs under exactly that, is refused with 1 MiB less, and runs under a larger one. The
promise, checked on every run from its report:

  measured (VmHWM) <= predicted <= budget,   predicted - measured <= max(1 % of predicted, 8 MiB)

Prints a line a run and a summary; the exit code is the number of broken promises (at most 100).
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

MIB = 2**20
SLACK_BYTES = 8 * MIB
OVER_BUDGET = 3


def random_config(rng):
    head_dim = rng.choice([8, 16, 32, 64])
    heads = rng.choice([1, 2, 4, 6, 8])
    features = max(head_dim * heads, 16)
    return {
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": rng.choice([259, 512, 1000, 4096, 8192, 16000]),
        "hidden_size": features,
        "intermediate_size": rng.choice([24, 64, 172, 344, 688, 1376]),
        "num_hidden_layers": rng.randint(1, 12),
        "num_attention_heads": heads,
        "num_key_value_heads": rng.choice([kv for kv in (1, 2, 3, 4, 6, 8) if heads % kv == 0]),
        "head_dim": head_dim,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": rng.random() < 0.5,
        "torch_dtype": rng.choice(["float32", "bfloat16", "float16"]),
    }


class Bench:
    def __init__(self, headroom, directory):
        self.headroom = headroom
        self.directory = directory
        self.broken = 0
        self.margins = []

    def run(self, *arguments):
        return subprocess.run(
            [self.headroom, *map(str, arguments)], capture_output=True, encoding="utf-8", errors="replace", check=False
        )

    def make_model(self, name, config, text):
        path = self.directory / f"{name}.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        tokenizer = ["--tokenizer-data", text, "--vocabulary", config["vocab_size"]]
        done = self.run("init", path, "--output", self.directory / name, "--quiet", *tokenizer)
        if done.returncode != 0:
            sys.exit(f"init: {done.stderr}")
        return self.directory / name

    def judge(self, what, report):
        measured, predicted = report["measured_peak_bytes"], report["predicted_peak_bytes"]
        budget = report["budget_bytes"]
        margin = predicted - measured
        kept = measured <= predicted <= budget and margin <= max(predicted // 100, SLACK_BYTES)
        self.margins.append(margin)
        self.broken += not kept
        print(
            f"{what:58} {measured / MIB:9.2f} {predicted / MIB:9.2f} {budget / MIB:9.2f} {margin / MIB:7.2f}"
            f"  {report['choices'][0]:18} {'' if kept else 'BROKEN'}",
            flush=True,
        )

    def case(self, what, command):
        """One job under its smallest budget, 1 MiB less, and a larger one."""
        report_path = self.directory / "report.json"
        self.attempt = 0

        def under(budget):
            self.attempt += 1
            report_path.unlink(missing_ok=True)
            arguments = [str(part).replace("{run}", f"{self.attempt}") for part in command]
            done = self.run(*arguments, "--memory", budget, "--report", report_path, "--quiet")
            report = json.loads(report_path.read_text(encoding="utf-8")) if report_path.exists() else {}
            return done, report

        refused, report = under(1)
        smallest = report.get("smallest_budget_bytes")
        if refused.returncode != OVER_BUDGET or smallest is None:
            self.broken += 1
            print(f"{what:58} BROKEN: exit {refused.returncode}: {refused.stderr.strip()[:200]}")
            return
        less, _ = under(smallest - MIB)
        if less.returncode != OVER_BUDGET:
            self.broken += 1
            print(f"{what:58} BROKEN: {smallest} - 1 MiB was not refused (exit {less.returncode})")
        for budget in (smallest, smallest * 2):
            done, report = under(budget)
            if done.returncode != 0:
                self.broken += 1
                print(f"{what:58} BROKEN: exit {done.returncode}: {done.stderr.strip()[:200]}")
                continue
            self.judge(what, report)


def train_command(rng, bench, model, text):
    batch = rng.choice([1, 2, 4, 8])
    flags = {
        "--batch-size": batch,
        "--seq-len": rng.choice([16, 64, 128, 200, 256]),
        "--grad-accum": rng.choice([n for n in (1, 2, 4) if batch % n == 0]),
        "--grad-clip": rng.choice([0, 1]),
        "--optimizer": rng.choice(["adamw", "adamw", "sgd"]),
        "--checkpointing": rng.choice(["auto", "auto", "none", "full"]),
        "--threads": rng.choice([1, 2, 3]),
        "--steps": rng.choice([1, 2]),
    }
    command = ["train", model, "--data", text, "--output", bench.directory / f"{model.name}-trained-{{run}}"]
    if rng.random() < 0.3:
        command += ["--eval-data", text]
    words = f"train b{batch}/{flags['--grad-accum']} s{flags['--seq-len']} clip{flags['--grad-clip']}"
    return words, command + [part for pair in flags.items() for part in pair]


def generate_command(rng, model):
    context = rng.choice([32, 256, 1024])
    chunk = rng.choice([1, 16, 128])
    command = ["generate", model, "--prompt", "The budget", "--max-new-tokens", 4, "--context", context]
    command += ["--prefill-chunk", chunk, "--threads", rng.choice([1, 2])]
    return f"generate context {context} chunk {chunk}", command


def eval_command(rng, model, text):
    length = rng.choice([32, 128, 512])
    command = ["eval", model, "--data", text, "--seq-len", length, "--batch-size", rng.choice([1, 4])]
    return f"eval s{length}", command


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    root = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory(prefix="headroom-memory-") as temporary:
        bench = Bench(str(Path(arguments.headroom).resolve()), Path(temporary))
        text = bench.directory / "text.txt"
        sources = sorted(root.glob("src/headroom/*/*.cc"))
        text.write_text("".join(path.read_text(encoding="utf-8") for path in sources)[:60_000], encoding="utf-8")
        columns = ("job", "measured", "predicted", "budget", "margin")
        print(f"{columns[0]:58} {columns[1]:>9} {columns[2]:>9} {columns[3]:>9} {columns[4]:>7}  MiB")
        for index in range((arguments.runs + 1) // 2):
            config = random_config(rng)
            model = bench.make_model(f"model-{index}", config, text)
            shape = f"{config['num_hidden_layers']}x{config['hidden_size']} v{config['vocab_size']}"
            verb = rng.choice(["train", "train", "train", "generate", "eval"])
            if verb == "train":
                words, command = train_command(rng, bench, model, text)
            elif verb == "generate":
                words, command = generate_command(rng, model)
            else:
                words, command = eval_command(rng, model, text)
            bench.case(f"{words}  {shape}{' tied' if config['tie_word_embeddings'] else ''}", command)
    margins = sorted(bench.margins)
    if margins:
        print(
            f"{len(margins)} runs, predicted - measured: least {margins[0] / MIB:.2f} MiB, median "
            f"{margins[len(margins) // 2] / MIB:.2f}, largest {margins[-1] / MIB:.2f}; broken promises: {bench.broken}"
        )
    return min(bench.broken, 100)


if __name__ == "__main__":
    sys.exit(main())
