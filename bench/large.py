"""The large shapes, each trained inside its budget: predicted and measured peak, seconds a step, bytes moved.

  python3 bench/large.py [--headroom build/headroom] [--directory DIR] [--only NAME] [--steps 2] [--small]
      [--flags "MORE FLAGS"] [--keep]

| case | model | budget |
| llama-1b-full | the shape of Llama-3.2-1B (1.24 billion, tied), all weights trained, 512 tokens | 6.5 GiB |
| deepseek-7b-qlora | DeepSeek-LLM 7B, adapters over a base of 4 bits, 512 tokens | 7 GiB |
| deepseek-7b-full | DeepSeek-LLM 7B, all weights trained, 8-bit states, 512 tokens, the overflow on disk | 11 GiB |
| deepseek-7b-sgd | the same with plain SGD, which needs half the disk | 11 GiB |

Weights are random (`headroom init`), made in DIR (the directory for temporary files) and removed after the case. What a
case needs of the disk is checked first. The run has a kernel limit where one can be set: a cgroup of its own
(of the budget + 16 MiB), else RLIMIT_DATA. A run that cannot be done is a line with its
reason, and the exit code is the number of such lines. --small trains the same techniques on a model of a few million
parameters under the smallest budget that works: seconds, to see that all of it runs.
"""

import argparse
import json
import os
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GIB = 1 << 30
MIB = 1 << 20
SLACK_BYTES = 16 * MIB  # beside the budget, for what a container is charged with

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 128256,
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}
DEEPSEEK_7B = LLAMA | {
    "vocab_size": 102400,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 30,
    "num_key_value_heads": 32,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
}
SMALL = {
    "vocab_size": 4096,
    "hidden_size": 256,
    "intermediate_size": 688,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
}
BF16 = ["--precision", "bf16", "--master-weights", "bf16"]
EIGHT_BIT = [*BF16, "--optimizer", "adamw8bit", "--clip-mode", "two-pass"]
LORA = ["--lora-rank", "16", "--base-bits", "4"]

# Bytes of a parameter that a case writes beside the model: the trained model, a checkpoint, what is offloaded.
CASES = {
    "llama-1b-full": {"config": LLAMA, "flags": EIGHT_BIT, "budget": 13 * GIB // 2, "disk": 2 + 4.03},
    "deepseek-7b-qlora": {"config": DEEPSEEK_7B, "flags": LORA, "budget": 7 * GIB, "disk": 0.1},
    "deepseek-7b-full": {
        "config": DEEPSEEK_7B,
        "flags": EIGHT_BIT,
        "budget": 11 * GIB,
        "disk": 2 + 4.03 + 4.03,
        "offload": True,
    },
    "deepseek-7b-sgd": {
        "config": DEEPSEEK_7B,
        "flags": [*BF16, "--optimizer", "sgd", "--clip-mode", "two-pass"],
        "budget": 11 * GIB,
        "disk": 2 + 2 + 2,
        "offload": True,
    },
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--directory", default=tempfile.gettempdir())
    parser.add_argument("--only", action="append", choices=list(CASES))
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--seq-len", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--flags", default="", help="more flags of `headroom train`, for all cases")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--keep", action="store_true", help="leave the model there, and use it if it is")
    return parser.parse_args()


class CannotRun(Exception):
    """Why a case is left out."""


class Limit:
    """A kernel limit for one run: a cgroup where this process may make one, else RLIMIT_DATA of the run."""

    def __init__(self, budget):
        self.bytes = budget + SLACK_BYTES
        self.group = None
        for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":  # version 2
                self.make("/sys/fs/cgroup" + path, "memory.max")
            elif "memory" in controllers.split(","):
                self.make("/sys/fs/cgroup/memory" + path, "memory.limit_in_bytes")

    def make(self, parent, knob):
        """Makes the group, unless there is one or it may not be; only in a real hierarchy does it have the knob."""
        group = Path(parent) / f"headroom-large-{os.getpid()}"
        try:
            if self.group is None and (Path(parent) / "cgroup.procs").exists():
                group.mkdir()
                if not (group / knob).exists():
                    group.rmdir()
                    return
                (group / knob).write_text(str(self.bytes), encoding="ascii")
                self.group = group
        except OSError:
            pass  # closed to this process

    @property
    def name(self):
        return "cgroup" if self.group else "RLIMIT_DATA"

    def enter(self):
        """In the child, before it runs."""
        if self.group:
            (self.group / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        else:
            resource.setrlimit(resource.RLIMIT_DATA, (self.bytes, self.bytes))

    def leave(self):
        if self.group:
            self.group.rmdir()


def parameters_of(config):
    heads, features = config["num_attention_heads"], config["hidden_size"]
    keys = features // heads * config["num_key_value_heads"]
    layer = 2 * features * features + 2 * features * keys + 3 * features * config["intermediate_size"] + 2 * features
    tables = 1 if config["tie_word_embeddings"] else 2
    return config["num_hidden_layers"] * layer + tables * config["vocab_size"] * features + features


def moved_bytes(pid):
    """Read from and written to storage by the process so far."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    figures = dict(line.split(": ") for line in lines)
    return int(figures["read_bytes"]) + int(figures["write_bytes"])


class Bench:
    def __init__(self, args, directory):
        self.args = args
        self.directory = directory

    def check(self, command, **more):
        command = [str(part) for part in command]
        done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", errors="replace", **more)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines()
            said = [line for line in lines if line.startswith("headroom: ")] or lines[-1:]
            raise CannotRun(f"exit code {done.returncode}: {said[0][:400] if said else ''}")
        return done

    def make_model(self, name, config):
        model = self.directory / f"{name}{'-small' if self.args.small else ''}"
        if not (self.args.keep and model.exists()):
            source = self.directory / f"{name}.json"
            source.write_text(json.dumps(config), encoding="ascii")
            shutil.rmtree(model, ignore_errors=True)
            self.check([self.args.headroom, "init", source, "--seed", 1, "--output", model, "--quiet"])
        return model

    def require_disk(self, case, parameters):
        needed = int((2 + case["disk"]) * parameters * 1.02) + GIB // 2
        free = shutil.disk_usage(self.directory).free
        if free < needed:
            figures = f"has {free / 1e9:.1f} GB, this case needs {needed / 1e9:.1f} GB"
            raise CannotRun(f"{self.directory} {figures}: {(needed - free) / 1e9:.1f} GB are missing")

    def command(self, case, config, model):
        rows, tokens, steps = self.args.batch_size, self.args.seq_len, self.args.steps
        row = lambda step, at: (31 * step + 7 * at * at) % config["vocab_size"]  # noqa: E731
        batches = [[[row(step * rows + i, at) for at in range(tokens)] for i in range(rows)] for step in range(steps)]
        (self.directory / "tokens.json").write_text(json.dumps({"batches": batches}), encoding="ascii")
        files = ["--tokens", self.directory / "tokens.json", "--output", self.directory / "trained"]
        command = [self.args.headroom, "train", model, *files, "--report", self.directory / "report.json", "--quiet"]
        command += [*case["flags"], *shlex.split(self.args.flags)]
        if case.get("offload"):
            (self.directory / "offload").mkdir(exist_ok=True)
            command += ["--disk", self.directory / "offload"]
        return [str(part) for part in command]

    def smallest_budget(self, command):
        done = subprocess.run([*command, "--memory", "1"], check=False, capture_output=True, encoding="utf-8")
        try:
            report = json.loads((self.directory / "report.json").read_text(encoding="ascii"))
            return report["smallest_budget_bytes"]
        except (OSError, KeyError):
            raise CannotRun((done.stderr.strip().splitlines() or ["no refusal"])[0][:400]) from None

    def train(self, command, budget):
        """Runs under the limit. Returns the report, the seconds of each step, and the bytes moved."""
        limit = Limit(budget)
        try:
            with open(self.directory / "stderr", "w+", encoding="utf-8") as stderr:
                process = subprocess.Popen(
                    [*command, "--memory", str(budget)], stdout=stderr, stderr=stderr, preexec_fn=limit.enter
                )
                moved = None
                while process.poll() is None:
                    moved = moved_bytes(process.pid) or moved
                    time.sleep(0.05)
                if process.returncode != 0:
                    stderr.seek(0)
                    said = stderr.read().strip().splitlines()[:1]
                    raise CannotRun(f"exit code {process.returncode} under {limit.name}: {' '.join(said)[:400]}")
        finally:
            limit.leave()
        report = json.loads((self.directory / "report.json").read_text(encoding="ascii"))
        lines = (self.directory / "trained" / "metrics.jsonl").read_text(encoding="ascii").splitlines()
        return report, [json.loads(line)["seconds"] for line in lines], moved, limit.name

    def run(self, name):
        case = CASES[name]
        config = case["config"] | SMALL if self.args.small else case["config"]
        if self.args.small:
            config["num_key_value_heads"] = min(config["num_key_value_heads"], config["num_attention_heads"])
        parameters = parameters_of(config)
        self.require_disk(case, parameters)
        try:
            model = self.make_model(name, config)
            command = self.command(case, config, model)
            budget = self.smallest_budget(command) if self.args.small else case["budget"]
            report, seconds, moved, limit = self.train(command, budget)
        finally:
            for path in self.directory.iterdir():
                if path.is_dir() and not (self.args.keep and path.name.startswith(name)):
                    shutil.rmtree(path, ignore_errors=True)
        predicted, measured = report["predicted_peak_bytes"], report["measured_peak_bytes"]
        figures = f"{parameters / 1e9:8.3f} {budget / GIB:8.3f} {predicted / GIB:9.3f} {measured / GIB:9.3f}"
        traffic = "-" if moved is None else f"{moved / GIB:.2f}"
        foreseen = f"{report['predicted_step_seconds']:.2f}" if "predicted_step_seconds" in report else "-"
        times = f"{foreseen:>10} {statistics.median(seconds):10.2f}"
        print(f"{name:<18} {figures} {times} {traffic:>10}  {limit}", flush=True)
        print(f"  {', '.join(report['choices'])}", flush=True)
        if not measured <= predicted <= budget:
            raise CannotRun("measured <= predicted <= budget does not hold")


def main():
    args = arguments()
    failures = 0
    heads = f"{'billion':>8} {'budget':>8} {'predicted':>9} {'measured':>9} {'predicted':>10} {'measured':>10}"
    print(f"{'':<18} {heads} {'moved':>10}  limit")
    print(f"{'':<18} {'':>8} {'GiB':>8} {'GiB':>9} {'GiB':>9} {'s/step':>10} {'s/step':>10} {'GiB':>10}")
    with tempfile.TemporaryDirectory(prefix="headroom-large-", dir=args.directory) as temporary:
        directory = Path(args.directory) / "headroom-large" if args.keep else Path(temporary)
        directory.mkdir(exist_ok=True)
        for name in args.only or list(CASES):
            try:
                Bench(args, directory).run(name)
            except CannotRun as reason:
                failures += 1
                print(f"{name:<18} not done: {reason}", flush=True)
    sys.exit(failures)


if __name__ == "__main__":
    main()
