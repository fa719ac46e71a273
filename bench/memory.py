"""Predicted against measured peak over a random matrix of configurations.

  python3 bench/memory.py [--headroom build/headroom] [--runs 200] [--seed 1] [--jobs 2] [--only N]
                          [--verbs train,generate,eval,quantize]

Each configuration is a random model shape with random data, settings, techniques and verb; what is generated with and
evaluated is quantised in a random format more often than not, and evaluation may compare it with its original. Under a
budget of one byte it is refused, and the smallest budget named; 1 MiB less than that is refused as well. Then it runs
under exactly the smallest budget and under a random larger one, and its report must keep the promise

  measured (VmHWM) <= predicted <= budget,   predicted - measured <= max(1 % of predicted, 8 MiB)

while the kernel enforces the budget: through a memory cgroup whose limit it is, or where none can be made, through
RLIMIT_DATA with what stacks reserve on top. Which it was is printed first.

Techniques are those that `train --help` knows. Combinations that exclude each other are refused by name (exit code 2):
such a configuration is drawn again, and how often that happened for which reason is printed at the end. Configuration N
is a function of seed and N alone; --only N runs it by itself and prints its commands.

Prints a line a run and a summary; the exit code is the number of broken promises (at most 100).
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

MIB = 2**20
SLACK_BYTES = 8 * MIB
BAD_INPUT, OVER_BUDGET = 2, 3
MODELS = 24
STACK_KIB = 1024


def random_config(rng):
    head_dim = rng.choice([8, 16, 32, 64])
    heads = rng.choice([1, 2, 4, 6, 8])
    return {
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": rng.choice([259, 512, 1000, 4096, 8192]),
        "hidden_size": max(head_dim * heads, 16),
        "intermediate_size": rng.choice([24, 64, 172, 256, 344, 688, 1024, 1376]),
        "num_hidden_layers": rng.randint(1, 8),
        "num_attention_heads": heads,
        "num_key_value_heads": rng.choice([kv for kv in (1, 2, 3, 4, 6, 8) if heads % kv == 0]),
        "head_dim": head_dim,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": rng.random() < 0.5,
        "torch_dtype": rng.choice(["float32", "bfloat16", "float16"]),
    }


class KernelLimit:
    """Runs commands under a limit that the kernel enforces: a memory cgroup of this process's own, version 1 or 2, or
    RLIMIT_DATA."""

    def __init__(self):
        self.group = None
        paths = {}
        with contextlib.suppress(OSError):
            for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
                _, controllers, path = line.split(":", 2)
                paths.update(dict.fromkeys(controllers.split(","), path.lstrip("/")))
        mount = Path("/sys/fs/cgroup")
        for base, limit in ((mount / "memory", "memory.limit_in_bytes"), (mount, "memory.max")):
            own = base / paths.get("memory" if base.name == "memory" else "", "")
            for parent in (own, base):
                if self._try(parent / f"headroom-memory-{os.getpid()}-{threading.get_ident()}", limit):
                    return

    def _try(self, group, limit):
        try:
            group.mkdir()
        except OSError:
            return False
        if (group / limit).exists() and os.access(group / limit, os.W_OK):
            self.group, self.limit = group, group / limit
            return True
        group.rmdir()
        return False

    def name(self):
        return f"cgroup ({self.limit.name})" if self.group else "RLIMIT_DATA"

    def wrap(self, command, budget, threads):
        """The words of a command line that runs `command` under the limit."""
        if self.group is None:
            kib = budget // 1024 + (threads + 16) * STACK_KIB
            return ["sh", "-c", f'ulimit -s {STACK_KIB}; ulimit -d {kib}; exec "$@"', "sh", *command]
        self.limit.write_text(str(budget), encoding="ascii")
        return ["sh", "-c", f'echo $$ > {self.group}/cgroup.procs; exec "$@"', "sh", *command]

    def close(self):
        if self.group is not None:
            with contextlib.suppress(OSError):
                self.group.rmdir()


class Techniques:
    """What this build's `train` offers."""

    def __init__(self, text):
        self.text = text

    def has(self, flag, value=""):
        found = self.text.find(flag + " ")
        return found >= 0 and value in self.text[found : found + 400]

    def draw(self, rng, disk):
        """Flags of a random training job, words for the table."""
        batch = rng.choice([1, 2, 4, 8])
        flags = {
            "--batch-size": batch,
            "--seq-len": rng.choice([16, 64, 128, 200]),
            "--grad-clip": rng.choice([0, 1, 1]),
            "--threads": rng.choice([1, 1, 2, 3]),
            "--steps": rng.choice([1, 2]),
        }
        words = [f"b{batch} s{flags['--seq-len']} t{flags['--threads']} clip{flags['--grad-clip']}"]

        def choose(flag, values, share=0.5):
            if not self.has(flag) or rng.random() >= share:
                return
            value = rng.choice(values)
            if isinstance(value, str) and not self.has(flag, value):
                return
            flags[flag] = value
            words.append(f"{flag[2:]} {value}")

        divisors = [n for n in (1, 2, 4, 8) if batch % n == 0]
        choose("--grad-accum", divisors)
        choose("--data-shards", divisors, 0.3)
        choose("--clip-mode", ["auto", "one-pass", "two-pass", "tensor"])
        choose("--optimizer", ["sgd", "adamw8bit"], 0.6)
        choose("--checkpointing", ["none", "full", "auto"])
        choose("--precision", ["bf16", "f16"], 0.25)
        if "--precision" in flags:
            choose("--master-weights", ["bf16"], 0.3)
        choose("--compress-activations", ["bf16", "8", "4", "sparse"], 0.25)
        choose("--lora-rank", [2, 8], 0.2)
        if "--lora-rank" in flags:
            choose("--base-bits", [4, 8], 0.6)
        if self.has("--disk") and rng.random() < 0.35:
            flags["--disk"] = disk
            words.append("disk")
            choose("--offload", ["none", "weights", "optimizer", "activations", "all", "auto"], 0.7)
        choose("--save-every", [1], 0.2)
        choose("--profile", [f"{disk}/profile-{{run}}"], 0.1)
        return [part for pair in flags.items() for part in pair], " ".join(words), flags["--threads"]


class Bench:
    def __init__(self, headroom, directory, seed, verbose, verbs):
        self.headroom, self.directory, self.seed, self.verbose = headroom, directory, seed, verbose
        self.verbs = verbs
        self.models = {}
        self.formats = {}
        self.lock = threading.Lock()
        self.local = threading.local()
        self.limits = []
        self.excluded = Counter()
        self.text = directory / "text.txt"
        self.techniques = Techniques(self.run(["train", "--help"]).stdout)

    def limit(self):
        if not hasattr(self.local, "limit"):
            self.local.limit = KernelLimit()
            self.limits.append(self.local.limit)
        return self.local.limit

    def run(self, arguments, budget=None, threads=1):
        command = [self.headroom, *map(str, arguments)]
        if self.verbose:
            print("  $", *command, flush=True)
        if budget is not None:
            command = self.limit().wrap(command, budget, threads)
        return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)

    def model(self, number):
        """Model `number` of the seed, made when it is first asked for."""
        with self.lock:
            if number not in self.models:
                config = random_config(random.Random(f"{self.seed}/model/{number}"))
                path = self.directory / f"model-{number}.json"
                path.write_text(json.dumps(config), encoding="utf-8")
                tokenizer = ["--tokenizer-data", self.text, "--vocabulary", config["vocab_size"]]
                done = self.run(["init", path, "--output", self.directory / f"model-{number}", "--quiet", *tokenizer])
                if done.returncode != 0:
                    sys.exit(f"init: {done.stderr}")
                self.models[number] = config
            return self.directory / f"model-{number}", self.models[number]

    def in_random_format(self, rng, model):
        """The model in a random weight format, some in a GGUF file, or as it is where its rows are no whole groups; and
        words for it."""
        if rng.random() < 0.2:
            dtype = rng.choice(["q8_0", "f16"])
            flags = ["convert", model, "--format", "gguf", "--dtype", dtype]
            return self.made(model, model.with_name(f"{model.name}-{dtype}.gguf"), f"gguf {dtype}", flags)
        bits, group = rng.choice([2, 3, 4, 8]), rng.choice([0, 32, 64, 128])
        flags = ["--bits", bits, "--group-size", group, *rng.choice([[], ["--asymmetric"], ["--keep", "lm_head"]])]
        words = f"{bits} bits g{group}" + "".join(f" {flag}" for flag in flags[4:])
        place = model.with_name(f"{model.name}-{words.replace(' ', '-')}")
        return self.made(model, place, words, ["quantize", model, *flags])

    def made(self, model, place, words, command):
        with self.lock:
            if place not in self.formats:
                self.formats[place] = self.run([*command, "--output", place, "--quiet"]).returncode == 0
        return (place, words) if self.formats[place] else (model, "")

    @staticmethod
    def with_cache(rng, command, words):
        kind = rng.choice(["f32", "f32", "bf16", "f16", "q8", "q4"])
        return [*command, "--kv-cache-dtype", kind], f"{words} cache {kind}"

    def draw(self, rng, scratch):
        """A command with {run} for the number of its run, words for the table, and its threads."""
        model, config = self.model(rng.randrange(MODELS))
        shape = f"{config['num_hidden_layers']}x{config['hidden_size']} v{config['vocab_size']}"
        shape += " tied" if config["tie_word_embeddings"] else ""
        shares = ["train"] * 8 + ["generate"] * 3 + ["eval"] * 2 + ["quantize"]
        verb = rng.choice([one for one in shares if one in self.verbs])
        weights, original = "", model
        if verb in ("generate", "eval") and rng.random() < 0.7:
            model, weights = self.in_random_format(rng, model)
        if verb == "quantize":
            bits, group, threads = rng.choice([2, 3, 4, 8]), rng.choice([0, 32, 64]), rng.choice([1, 2])
            command = ["quantize", model, "--output", scratch / "smaller-{run}", "--bits", bits, "--group-size", group]
            command += ["--threads", threads]
            words = f"{bits} bits g{group} t{threads}"
        elif verb == "train":
            flags, words, threads = self.techniques.draw(rng, scratch)
            command = ["train", model, "--data", self.text, "--output", scratch / "trained-{run}", *flags]
            if rng.random() < 0.2:
                command += ["--eval-data", self.text]
        elif verb == "generate":
            context, chunk, threads = rng.choice([32, 256, 1024]), rng.choice([1, 16, 128]), rng.choice([1, 2])
            command = ["generate", model, "--prompt", "The budget", "--max-new-tokens", 4, "--context", context]
            compute = rng.choice(["auto", "f32"])
            command += ["--prefill-chunk", chunk, "--threads", threads, "--compute", compute]
            words = f"{weights} {compute} context {context} chunk {chunk} t{threads}"
            command, words = self.with_cache(rng, command, words)
            if rng.random() < 0.4:
                command += ["--disk", scratch]
                words += " disk"
        else:
            length, threads = rng.choice([32, 128, 512]), 1
            command = ["eval", model, "--data", self.text, "--seq-len", length, "--batch-size", rng.choice([1, 4])]
            command += ["--threads", threads]
            words = f"{weights} s{length}"
            if rng.random() < 0.4:
                command += ["--reference", original]
                words += " beside the original"
            command, words = self.with_cache(rng, command, words)
        return command, f"{verb} {shape} {words}", threads

    def configuration(self, number):
        """Runs configuration `number`; returns (lines to print, margins, broken promises)."""
        rng = random.Random(f"{self.seed}/{number}")
        scratch = self.directory / f"run-{number}"
        scratch.mkdir()
        try:
            for _ in range(100):
                command, words, threads = self.draw(rng, scratch)
                case = Case(self, scratch, command, threads, f"{number:4} {words}")
                if case.is_possible():
                    break
            else:
                return [f"{number:4} BROKEN: a hundred draws exclude themselves"], [], 1
            case.check(rng.choice([1.02, 1.1, 1.3, 1.6, 2.0]))
            return case.lines, case.margins, case.broken
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


class Case:
    def __init__(self, bench, scratch, command, threads, words):
        self.bench, self.scratch, self.command, self.threads, self.words = bench, scratch, command, threads, words
        self.attempts = 0
        self.lines, self.margins, self.broken = [], [], 0

    def under(self, budget, limited):
        self.attempts += 1
        report_path = self.scratch / "report.json"
        report_path.unlink(missing_ok=True)
        arguments = [str(part).replace("{run}", f"{self.attempts}") for part in self.command]
        arguments += ["--memory", budget, "--report", report_path, "--quiet"]
        done = self.bench.run(arguments, budget if limited else None, self.threads)
        report = json.loads(report_path.read_text(encoding="utf-8")) if report_path.exists() else {}
        return done, report

    def is_possible(self):
        """Whether its flags go together. Finds the smallest budget."""
        self.refused, report = self.under(1, limited=False)
        if self.refused.returncode == BAD_INPUT:
            with self.bench.lock:
                self.bench.excluded[self.refused.stderr.strip()[:110]] += 1
            return False
        self.smallest = report.get("smallest_budget_bytes")
        return True

    def breaks(self, how):
        self.broken += 1
        self.lines.append(f"{self.words}\n     BROKEN: {how}")

    def check(self, factor):
        if self.refused.returncode != OVER_BUDGET or self.smallest is None:
            return self.breaks(f"exit {self.refused.returncode}: {self.refused.stderr.strip()[:300]}")
        less, _ = self.under(self.smallest - MIB, limited=False)
        if less.returncode != OVER_BUDGET:
            self.breaks(f"1 MiB less than {self.smallest} was not refused (exit {less.returncode})")
        for budget in (self.smallest, int(self.smallest * factor)):
            done, report = self.under(budget, limited=True)
            if done.returncode != 0:
                self.breaks(f"exit {done.returncode} under {budget}: {done.stderr.strip()[:300]}")
            else:
                self.judge(report)

    def judge(self, report):
        measured, predicted = report["measured_peak_bytes"], report["predicted_peak_bytes"]
        budget = report["budget_bytes"]
        margin = predicted - measured
        self.margins.append(margin)
        figures = f"{measured / MIB:8.2f} {predicted / MIB:9.2f} {budget / MIB:8.2f} {margin / MIB:6.2f}"
        self.lines.append(f"{figures}  {self.words} | {', '.join(report['choices'])}")
        if not (measured <= predicted <= budget and margin <= max(predicted // 100, SLACK_BYTES)):
            self.breaks("measured <= predicted <= budget, or the margin, does not hold")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--runs", type=int, default=200, help="configurations; each runs under two budgets")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="at a time")
    parser.add_argument("--only", type=int, help="run this configuration alone, with its commands")
    parser.add_argument("--verbs", default="train,generate,eval,quantize", help="of these only")
    arguments = parser.parse_args()
    root = Path(__file__).resolve().parent.parent
    headroom = Path(arguments.headroom).resolve()
    numbers = range(arguments.runs) if arguments.only is None else [arguments.only]
    # Beside the program: in a file system of memory what a run writes would count against its cgroup.
    with tempfile.TemporaryDirectory(prefix="headroom-memory-", dir=headroom.parent) as temporary:
        verbs = arguments.verbs.split(",")
        bench = Bench(str(headroom), Path(temporary), arguments.seed, arguments.only is not None, verbs)
        sources = sorted(root.glob("src/headroom/*/*.cc"))
        bench.text.write_text("".join(path.read_text(encoding="utf-8") for path in sources)[:60_000], encoding="utf-8")
        print(f"the kernel enforces each budget through {bench.limit().name()}")
        print(f"{'measured':>8} {'predicted':>9} {'budget':>8} {'margin':>6}  MiB")
        margins, broken = [], 0
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            for lines, found, wrong in pool.map(bench.configuration, numbers):
                print("\n".join(lines), flush=True)
                margins += found
                broken += wrong
        for limit in bench.limits:
            limit.close()
    for reason, times in bench.excluded.most_common():
        print(f"drawn again {times} times: {reason}")
    margins.sort()
    if margins:
        print(
            f"{len(numbers)} configurations, {len(margins)} runs; predicted - measured: least {margins[0] / MIB:.2f} "
            f"MiB, median {margins[len(margins) // 2] / MIB:.2f}, largest {margins[-1] / MIB:.2f}; "
            f"broken promises: {broken}"
        )
    return min(broken, 100)


if __name__ == "__main__":
    sys.exit(main())
