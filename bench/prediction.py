"""Predicted against measured times over training runs, or generation, of many shapes.

  python3 bench/prediction.py [--task generate] [--headroom build/headroom] [--runs 24] [--seed 1] [--threads N]

Measures the machine's profile first (`plan --measure`, into a cache of its own), then for each random shape asks `plan`
for the step time and runs a few steps; the first is not counted. Shapes and budgets are such that a step takes some
tenth of a second and all choices of the tuner occur. For generation the shapes are of some hundred million parameters,
kept in 32, 16, 8 or 4 bits, in memory or partly in their files, and the tokens per second are compared; where weights
are read from files, the rate of the disk is measured just before. Prints a line a run, the median error and the
largest; the exit code is 1 where the median is above 15 %.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def random_config(rng):
    head_dim = rng.choice([32, 64, 128])
    features = rng.choice([256, 384, 512, 768, 1024])
    heads = features // head_dim
    return {
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": rng.choice([2048, 8192, 16000, 32000]),
        "hidden_size": features,
        "intermediate_size": features * 8 // 3 // 8 * 8,
        "num_hidden_layers": rng.choice([2, 3, 4, 6, 8]),
        "num_attention_heads": heads,
        "num_key_value_heads": rng.choice([kv for kv in (1, 2, 4, heads) if heads % kv == 0]),
        "max_position_embeddings": 4096,
        "tie_word_embeddings": rng.random() < 0.3,
    }


def flops_of(config, tokens):
    features, layers = config["hidden_size"], config["num_hidden_layers"]
    return 6 * tokens * (layers * 12 * features * features + config["vocab_size"] * features)


class Bench:
    def __init__(self, args, directory):
        self.args = args
        self.directory = directory
        self.environment = os.environ | {"XDG_CACHE_HOME": str(directory / "cache")}
        self.threads = ["--threads", args.threads] if args.threads else []

    def headroom(self, *arguments):
        command = [self.args.headroom, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, env=self.environment)
        if done.returncode not in (0, 3):
            raise SystemExit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr[-2000:]}")
        return done

    def plan(self, model, *flags):
        done = self.headroom("plan", model, *flags, "--json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def measure(self, rng, number):
        config = random_config(rng)
        while True:
            batch, length = rng.choice([1, 2, 4, 8]), rng.choice([129, 257, 513, 1025])
            if 5e9 <= flops_of(config, batch * length) <= 1.2e11:
                break
            config = random_config(rng)
        path = self.directory / f"{number}.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        model, output, tokens = (self.directory / f"{kind}-{number}" for kind in ("model", "out", "tokens"))
        self.headroom("init", path, "--output", model, "--quiet")
        rows = [[(7 * row + 31 * at * at + at) % config["vocab_size"] for at in range(length)] for row in range(batch)]
        tokens.write_text(json.dumps({"batches": [rows] * self.args.steps}), encoding="ascii")
        precision = rng.choice(["f32", "f32", "bf16"])
        flags = ["--tokens", tokens, "--precision", precision, *self.threads]
        ample = self.plan(model, *flags, "--memory", "64GiB")["predicted_peak_bytes"]
        budget = int(ample * rng.choice([1, 1, 0.85, 0.7]))
        planned = self.plan(model, *flags, "--memory", budget)
        if planned is None:
            budget, planned = ample, self.plan(model, *flags, "--memory", ample)
        self.headroom("train", model, *flags, "--memory", budget, "--output", output, "--quiet")
        lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text(encoding="ascii").splitlines()]
        measured = statistics.median(line["seconds"] for line in lines[1:])
        for directory in (model, output):
            subprocess.run(["rm", "-r", str(directory)], check=True)
        predicted = planned["predicted_step_seconds"]
        layers, features = config["num_hidden_layers"], config["hidden_size"]
        shape = f"{layers}x{features} v{config['vocab_size']} {batch}x{length} {precision}"
        print(
            f"{shape:31} {predicted * 1e3:9.1f} {measured * 1e3:9.1f} {100 * (predicted / measured - 1):+7.1f} %"
            f"  {planned['choices'][0]}",
            flush=True,
        )
        return abs(predicted / measured - 1)


class GenerationBench(Bench):
    def random_config(self, rng):
        features = rng.choice([1024, 1536, 2048])
        return {
            "architectures": ["LlamaForCausalLM"],
            "vocab_size": 512,
            "hidden_size": features,
            "intermediate_size": features * rng.choice([2, 3, 4]),
            "num_hidden_layers": 1 + (rng.choice([150, 300, 450]) << 20) // (14 * features * features),
            "num_attention_heads": features // 128,
            "num_key_value_heads": features // 128 // rng.choice([1, 2, 4]),
            "max_position_embeddings": 4096,
        }

    def measure(self, rng, number):
        config = self.random_config(rng)
        path = self.directory / f"{number}.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        model = self.directory / f"model-{number}"
        text = self.directory / "text.txt"
        text.write_text("".join(chr(97 + at * at % 26) + " " for at in range(4000)), encoding="ascii")
        stored = rng.choice(["f32", "bf16", "int8", "int4"])
        dtype = ["--dtype", "f32" if stored == "f32" else "bf16"]
        tokenizer = ["--tokenizer-data", text]
        self.headroom("init", path, "--output", model, *dtype, *tokenizer, "--quiet")
        if stored.startswith("int"):
            small = self.directory / f"small-{number}"
            self.headroom("quantize", model, "--output", small, "--bits", stored[3:], "--quiet")
            subprocess.run(["rm", "-r", str(model)], check=True)
            model = small
        flags = ["--prompt", "a b c", "--max-new-tokens", 32, *self.threads]
        ample = self.plan(model, "--task", "generate", *flags, "--memory", "64GiB")["predicted_peak_bytes"]
        budget = int(ample * rng.choice([1, 1, 0.8, 0.5]))
        if budget < ample:
            self.headroom("plan", model, "--task", "generate", "--measure", *self.threads)
        planned = self.plan(model, "--task", "generate", *flags, "--memory", budget)
        rates = []
        for _ in range(3):
            report = self.directory / "report.json"
            self.headroom("generate", model, *flags, "--memory", budget, "--report", report, "--quiet")
            rates.append(json.loads(report.read_text(encoding="utf-8"))["decode_tokens_per_second"])
        subprocess.run(["rm", "-r", str(model)], check=True)
        predicted, measured = planned["predicted_tokens_per_second"], statistics.median(rates)
        shape = f"{config['num_hidden_layers']}x{config['hidden_size']} {stored} {budget / ample:.0%}"
        print(
            f"{shape:31} {predicted:9.1f} {measured:9.1f} {100 * (predicted / measured - 1):+7.1f} %"
            f"  {planned['choices'][0]}",
            flush=True,
        )
        return abs(predicted / measured - 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=["train", "generate"], default="train")
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--runs", type=int, default=24)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    args.headroom = str(Path(args.headroom).resolve())
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory(prefix="headroom-prediction-") as name:
        bench = (Bench if args.task == "train" else GenerationBench)(args, Path(name))
        bench.headroom("plan", "tiny-300k", "--measure", *bench.threads)
        unit = "ms" if args.task == "train" else "tokens/s"
        print(f"{'shape':31} {'predicted':>9} {'measured':>9}  {unit}, error")
        errors = sorted(bench.measure(rng, number) for number in range(args.runs))
        median = statistics.median(errors)
        print(f"{len(errors)} runs: median error {100 * median:.1f} %, largest {100 * errors[-1]:.1f} %")
    return int(median > 0.15)


if __name__ == "__main__":
    sys.exit(main())
