#!/usr/bin/env python3
"""What must not change when the inside of headroom does: records what a built command computes, and compares another.

  scripts/identity.py record build/headroom [FILE.json]   run the matrix and keep its results
  scripts/identity.py check build/headroom [FILE.json]    run it again; prints each difference, exits 1 if there is one
  scripts/identity.py check build/headroom --only train adapters

FILE.json is /tmp/identity.json where none is given. Results: losses, metrics, every tensor of weights, checkpoints and
logits by its hash, texts that were generated, peaks, smallest budgets, choices, reports, and the words of refusals.
Left out is what a clock or the kernel says. The sections LOOSE (texts of --help, graphs, predicted seconds) may change
on purpose: their differences are printed but do not count, unless --strict. A run takes about 100 s of one core.
HEADROOM_IDENTITY_MODEL may name a directory of a real model, which is then run, too.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"
LOOSE = ("texts", "graphs", "predicted")
SMALL_FILE = 8192  # JSON up to this size is kept as it is, so that a difference can be read
DROPPED = ("measured_peak_bytes", "huge_page_bytes", "isa")
SHOWN = 8  # differences printed of one case

PRESETS = [
    "deepseek-llm-7b", "deepseek-llm-67b", "deepseek-coder-1.3b", "deepseek-coder-6.7b", "deepseek-coder-33b",
    "deepseek-coder-7b-v1.5", "deepseek-math-7b", "deepseek-r1-distill-llama-8b", "deepseek-r1-distill-llama-70b",
    "deepseek-r1-distill-qwen-1.5b", "deepseek-r1-distill-qwen-7b", "deepseek-r1-distill-qwen-14b",
    "deepseek-r1-distill-qwen-32b", "tiny-124m", "tiny-10m", "tiny-4m", "tiny-300k",
]  # fmt: skip
LARGE = ("67b", "70b", "33b", "32b", "14b", "v1.5", "math-7b")
PLANNED = [
    "deepseek-coder-1.3b --disk disk", "tiny-124m --disk disk --precision bf16", "tiny-124m --precision bf16",
    "tiny-124m --precision f16 --master-weights f32", "tiny-10m --precision bf16 --master-weights bf16",
    "deepseek-llm-7b --lora-rank 16 --base-bits 4", "deepseek-coder-1.3b --lora-rank 8",
    "tiny-124m --compress-activations 4", "tiny-10m --data-shards 2", "tiny-10m --grad-clip 0 --optimizer sgd",
    "tiny-10m --clip-mode tensor --watch-numerics", "tiny-10m --isolate-documents", "gqa --disk disk --seq-len 64",
    "deepseek-llm-7b --task generate --context 4096 --kv-cache-dtype bf16", "qwen2 --seq-len 32",
    "deepseek-coder-1.3b --task generate --dtype q8_0", "deepseek-llm-7b --task generate --dtype int8",
]  # fmt: skip
LLAMAS = ["bf16", "biases", "f16", "gqa", "llama3", "long", "mha", "mqa", "qwen2", "qwen2_tied", "tall", "wide"]
SHAPE = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": 128,
    "intermediate_size": 344, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 64, "vocab_size": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
    "torch_dtype": "float32",
}  # fmt: skip
TEXT = "--data text.txt --batch-size 4 --seq-len 32 --steps 3 --lr 0.01 --memory 64MiB --threads 1".split()
SMALL = ["--memory", "64MiB", "--threads", "1"]

# Name -> flags of `train`: what decides numbers, and techniques that must not change them.
TRAINED = {
    "plain": "",
    "sgd": "--optimizer sgd",
    "adamw8bit": "--optimizer adamw8bit",
    "linear": "--lr-schedule linear --warmup-steps 1 --weight-decay 0.3 --beta1 0.8 --beta2 0.9 --eps 1e-6",
    "unclipped": "--grad-clip 0",
    "two-pass": "--clip-mode two-pass --grad-clip 0.5",
    "clip-tensor": "--clip-mode tensor",
    "grad-accum": "--grad-accum 2",
    "data-shards": "--data-shards 2",
    "data-shards accumulated": "--data-shards 2 --grad-accum 4",
    "checkpointing none": "--checkpointing none",
    "checkpointing full": "--checkpointing full",
    "bf16": "--precision bf16",
    "bf16 masters": "--precision bf16 --master-weights bf16",
    "bf16 masters adamw8bit": "--precision bf16 --master-weights bf16 --optimizer adamw8bit --grad-accum 2",
    "f16": "--precision f16",
    "f16 overflowing": "--precision f16 --loss-scale-hysteresis 2 --lr 0.05",
    "f16 fixed scale": "--precision f16 --loss-scale 128 --checkpointing full",
    "activations bf16": "--compress-activations bf16",
    "activations 8": "--compress-activations 8",
    "activations 4": "--compress-activations 4 --grad-accum 2",
    "watched": "--watch-numerics",
    "watched bf16": "--watch-numerics --precision bf16 --grad-accum 2 --data-shards 2",
    "evaluated": "--eval-data held.txt --eval-every 2",
    "isolated": "--isolate-documents",
    "isolated two-pass": "--isolate-documents --clip-mode two-pass --eval-data held.txt",
    "offload weights": "--disk disk --offload weights",
    "offload optimizer": "--disk disk --offload optimizer",
    "offload activations": "--disk disk --offload activations --grad-accum 2",
    "offload all": "--disk disk --offload all",
    "offload all in few bits": "--disk disk --offload all --precision bf16 --master-weights bf16 --optimizer adamw8bit",
    "offload two-pass": "--disk disk --offload all --clip-mode two-pass",
    "without passes": "--disable-pass fuse_loss_gradients --disable-pass updates_in_backward",
    "shards of files": "--shard-size 200KB --save-every 1 --keep-checkpoints 2",
}
ADAPTED = {
    "lora": "--lora-rank 4 --lora-alpha 8 --lora-dropout 0.2",
    "lora targets": "--lora-rank 2 --lora-targets q_proj,down_proj --grad-accum 2",
    "lora sgd": "--lora-rank 2 --optimizer sgd --checkpointing full --clip-mode two-pass",
    "qlora 4": "--lora-rank 4 --base-bits 4",
    "qlora 8": "--lora-rank 4 --base-bits 8 --lora-dropout 0.1",
    "qlora 4 shards": "--lora-rank 2 --base-bits 4 --optimizer adamw8bit --data-shards 2",
    "qlora 8 offload": "--lora-rank 2 --base-bits 8 --disk disk --offload all",
}
# Flags of `train` that are refused; the words are recorded.
REFUSED = [
    "--unheard-of", "--lr", "--lr fast", "--lr nan", "--beta1 1", "--optimizer adam", "--checkpointing some",
    "--clip-mode tensor --grad-clip 0", "--clip-mode two-pass --grad-clip 0", "--clip-mode two-pass --grad-accum 2",
    "--clip-mode two-pass --data-shards 2", "--data-shards 0", "--data-shards 3", "--warmup-steps 9",
    "--batch-size 12 --data-shards 2 --grad-accum 3", "--grad-accum 3", "--seq-len 1", "--seq-len 4096",
    "--memory much", "--memory 64KiB", "--steps 0 --tokens gqa/curve_tokens.json", "--disable-pass differentiate",
    "--offload weights", "--disk-limit 1GB", "--disk disk --offload all --disk-limit 64KiB", "--lora-rank -1",
    "--lora-rank 0 --base-bits 4", "--lora-rank 2 --lora-targets nothing", "--lora-rank 2 --master-weights bf16",
    "--lora-rank 2 --adapter mha-adapter", "--loss-scale 8", "--precision f16 --loss-scale -1", "--precision f64",
    "--precision f16 --master-weights bf16", "--compress-activations 3", "--compress-activations sparse",
    "--lora-rank 2 --precision bf16", "--watch-numerics --data-shards 3",
    "--resume", "--data nowhere.txt", "--data config.json", "--eval-every -1", "--threads 1000000",
]  # fmt: skip
FIELDS = [
    ("hidden_size", 0), ("hidden_size", "24"), ("vocab_size", 10**18), ("num_attention_heads", 5),
    ("hidden_act", "gelu"), ("rope_scaling", {"type": "yarn", "factor": 4.0}), ("rms_norm_eps", -1),
    ("tie_word_embeddings", "yes"), ("torch_dtype", "int3"), ("quantization_config", {"bits": 4}),
    ("sliding_window", 64), ("architectures", ["MambaForCausalLM"]), ("partial_rotary_factor", 0.5),
]  # fmt: skip
VERBS = ["", "plan", "init", "train", "generate", "eval", "convert", "quantize", "tokenize", "inspect", "bench"]

SECTIONS = {}


def section(function):
    SECTIONS[function.__name__] = function
    return function


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


def tensors(path):
    """Name -> type, shape and hash of a safetensors file, whatever order the tensors lie in."""
    data = path.read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    found = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            found[name] = entry
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        found[name] = f"{entry['dtype']} {entry['shape']} {digest(data[begin:end])}"
    return found


def without_clock(value):
    """JSON without what differs from run to run; predicted seconds have a section of their own."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if "second" not in key and key not in DROPPED}
        return {key: without_clock(item) for key, item in kept.items()}
    return [without_clock(item) for item in value] if isinstance(value, list) else value


def content(path):
    """What is kept of a file."""
    if path.suffix == ".safetensors":
        return tensors(path)
    data = path.read_bytes()
    if path.suffix == ".jsonl":
        return [without_clock(json.loads(line)) for line in data.splitlines()]
    if path.suffix == ".json" and len(data) <= SMALL_FILE:
        return without_clock(json.loads(data))
    return digest(data)


def contents(directory):
    files = (path for path in sorted(directory.rglob("*")) if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(directory)): content(path) for path in files}


def flat(value, path=""):
    """JSON as path -> leaf."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if pairs is None:
        return {path: value}
    leaves = {path: f"empty {type(value).__name__}"} if not value else {}
    for key, item in pairs:
        leaves |= flat(item, f"{path}/{key}" if path else str(key))
    return leaves


class Matrix:
    """Runs the command in a directory of its own, where paths are the same in every checkout."""

    def __init__(self, binary, directory):
        self.binary, self.directory, self.results = str(Path(binary).resolve()), directory, {}
        self.runs = 0
        for name in LLAMAS:
            shutil.copytree(DATA / "llama" / name, directory / name)
        for name in ("mha", "biases", "patterns"):
            shutil.copytree(DATA / "lora" / name, directory / f"{name}-adapter")
        for name in ("finetune", "tokenizer", "gguf"):
            shutil.copytree(DATA / name, directory / name)
        for name in ("disk", "cache"):
            (directory / name).mkdir()
        self.write("text.txt", self.words(1500, seed=3))
        self.write("held.txt", self.words(300, seed=4))
        for tied in (False, True):
            self.write(f"shape-{tied}.json", json.dumps({**SHAPE, "tie_word_embeddings": tied}))
            flags = ["--tokenizer-data", "text.txt", "--vocabulary", 512, "--seed", 5, "--quiet"]
            self.command("init", f"shape-{tied}.json", "--output", f"model-{tied}", *flags)

    @staticmethod
    def words(count, seed):
        choose = random.Random(seed)
        vocabulary = ["".join(choose.choices("etaoinshrdlu\u00e9", k=choose.randint(1, 7))) for _ in range(120)]
        return "".join(choose.choice(vocabulary) + choose.choice("   \n") for _ in range(count)) + "\n"

    def write(self, name, text):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def command(self, *arguments, isa=None, stdin=""):
        environment = {key: value for key, value in os.environ.items() if key != "HEADROOM_ISA"}
        environment |= {"XDG_CACHE_HOME": str(self.directory / "cache")} | ({"HEADROOM_ISA": isa} if isa else {})
        self.runs += 1
        return subprocess.run(
            [self.binary, *map(str, arguments)], cwd=self.directory, env=environment, input=stdin,
            capture_output=True, encoding="utf-8", errors="replace", timeout=300, check=False,
        )  # fmt: skip

    def keep(self, kind, case, result):
        self.results.setdefault(kind, {})[case] = result

    def run(self, kind, case, *arguments, **options):
        """Runs a command and keeps its exit code, what it printed, and what it wrote to `out` and report.json."""
        for name in ("out", "report.json"):
            path = self.directory / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        done = self.command(*arguments, **options)
        errors = done.stderr.replace(self.binary, "headroom")
        result = {"exit": done.returncode, "stdout": done.stdout} | ({"stderr": errors} if done.returncode else {})
        if "--report" in arguments and (self.directory / "report.json").exists():
            report = json.loads((self.directory / "report.json").read_text(encoding="utf-8"))
            result["report"] = without_clock(report)
            seconds = {key: value for key, value in report.items() if key.startswith("predicted_") and "second" in key}
            if seconds:
                self.keep("predicted", f"{kind}: {case}", seconds)
        output = self.directory / "out"
        if output.is_dir():
            result["files"] = contents(output)
        self.keep(kind, case, result)
        return result

    def budgets(self, kind, case, *arguments, isa=None):
        """A command that plans: its refusal at one byte, and itself with the least memory. Returns that, in bytes."""
        arguments = [*arguments, "--report", "report.json"]
        refused = self.run(kind, f"{case}: 1 byte", *arguments, "--memory", 1)
        least = refused.get("report", {}).get("smallest_budget_bytes")
        if least is not None:
            self.run(kind, f"{case}: least", *arguments, "--memory", least, isa=isa)
        return least


def overridden(flags, given):
    """Flags with values, without those that `given` says otherwise; and `given`."""
    pairs = (flags[at : at + 2] for at in range(0, len(flags), 2))
    return [word for pair in pairs if pair[0] not in given for word in pair] + list(given)


def training(model, words, defaults=TEXT, output="out"):
    return ["train", model, "--output", output, "--quiet", *overridden(list(map(str, defaults)), words.split())]


def without_memory(command):
    at = command.index("--memory")
    return command[:at] + command[at + 2 :]


@section
def plan(matrix):
    jobs = [f"{preset} --task {task}" for preset in PRESETS for task in ("train", "generate")]
    for words in [*jobs, *PLANNED]:
        command = ["plan", *words.split(), "--threads", 2]
        large = words.split()[0].endswith(LARGE) and "train" in words  # seconds each, and nothing that 7B has not
        least = None if large else matrix.budgets("plan", words, *command)
        more = {"1.3 times": least * 13 // 10} if least else {}
        for name, memory in {**more, "4 TiB": 4 << 40}.items():
            matrix.run("plan", f"{words}: {name}", *command, "--memory", memory, "--report", "report.json")


@section
def meshes(matrix):
    for words in [
        "deepseek-llm-67b --mesh data=8,tensor=8 --zero 1 --precision bf16 --device a100-80gb --json",
        "deepseek-llm-7b --mesh data=4,pipe=2 --zero 3 --json", "13B --task generate --dtype f16 --mesh tensor=2",
        "deepseek-coder-1.3b --mesh tensor=3", "deepseek-llm-7b --device list", "deepseek-llm-7b --device a100-80gb",
        "deepseek-llm-7b --mesh data=8 --zero 2 --device h100",
    ]:  # fmt: skip
        matrix.run("meshes", words, "plan", *words.split())


@section
def refusals(matrix):
    for words in REFUSED:
        matrix.run("refusals", words, *training("model-False", words))
    for field, value in FIELDS:
        fields = json.loads((matrix.directory / "gqa/config.json").read_text(encoding="utf-8")) | {field: value}
        matrix.write("odd/config.json", json.dumps(fields))
        shutil.copy(matrix.directory / "gqa/model.safetensors", matrix.directory / "odd")
        matrix.run("refusals", f"{field} {value}", "eval", "odd", "--tokens", "gqa/ids.json", *SMALL)
    for words in [
        "", "unheard-of", "train", "eval nowhere --tokens gqa/ids.json", "generate gqa --prompt x",
        "generate model-False --prompt x --context 4096", "generate model-False --prompt x --top-p 2",
        "generate model-False --prompt x --memory 1MiB", "generate model-False --chat --prompt x --stop",
        "eval model-False --data text.txt --memory 1MiB", "eval model-False --data text.txt --stride 99",
        "eval gqa --tokens gqa/ids.json --adapter mha-adapter", "convert gqa --output gqa", "init tiny-5m --output out",
        "convert gqa --output out --dtype q8_0", "convert gqa --output out --dtype int3", "inspect nowhere",
        "inspect text.txt", "init tiny-300k --output out --dtype f64", "plan unheard-of", "plan tiny-4m --device none",
        "plan tiny-4m --mesh tensor=0", "plan tiny-4m --base-bits 4",
    ]:  # fmt: skip
        matrix.run("refusals", f"headroom {words}", *words.split())


@section
def init(matrix):
    for words in ["tiny-300k --seed 3", "gqa --dtype bf16", "qwen2 --dtype f16 --shard-size 20KB", "shape-True.json"]:
        flags = ["--tokenizer-data", "text.txt"] if "tiny" in words or "shape" in words else []
        matrix.run("init", words, "init", *words.split(), "--output", "out", "--quiet", *flags)


@section
def train(matrix):
    for number, (name, words) in enumerate(TRAINED.items()):
        isa = "avx2" if number % 2 else None
        command = training(f"model-{number % 3 == 0}", f"{words} --threads {2 - number % 2}")
        matrix.run("train", name, *command, "--report", "report.json", isa=isa)
        least = matrix.budgets("train", name, *without_memory(command), isa=isa)
        if least and "--disk" not in words:
            disk = ["--disk", "disk", "--memory", least - (1 << 20), "--report", "report.json"]
            matrix.run("train", f"{name}: on disk", *without_memory(command), *disk)
    for name in ("gqa", "mha", "biases", "mqa", "qwen2"):
        for isa in ("reference", None):
            command = training(name, f"--tokens {name}/curve_tokens.json --steps 4", SMALL)
            matrix.run("train", f"{name} {isa}", *command, isa=isa)
    for name in ("completions", "messages", "texts"):
        words = f"--data finetune/{name}.jsonl --batch-size 2 --threads 2"
        matrix.run("train", name, *training("finetune/model", words))
        matrix.run("train", f"{name} isolated", *training("finetune/model", f"{words} --isolate-documents"))


@section
def adapters(matrix):
    for number, (name, words) in enumerate(ADAPTED.items()):
        command = training(f"model-{number % 2 == 0}", f"{words} --threads {1 + number % 2}")
        matrix.run("adapters", name, *command, "--report", "report.json", isa="avx2" if number % 2 else None)
        matrix.budgets("adapters", name, *without_memory(command))
    for name, base in (("mha", "mha"), ("biases", "biases")):
        words = f"--adapter {name}-adapter --tokens {base}/curve_tokens.json --steps 3"
        matrix.run("adapters", f"continued {name}", *training(base, words, SMALL))
        matrix.run("adapters", f"continued {name} in 8 bits", *training(base, f"{words} --base-bits 8", SMALL))
    for name, base in (("mha", "mha"), ("biases", "biases"), ("patterns", "bf16")):
        logits(matrix, "adapters", f"logits of {name}", base, "--adapter", f"{name}-adapter")
        matrix.run("adapters", f"merged {name}", "convert", base, "--output", "out", "--adapter", f"{name}-adapter")
    words = "--tokens gqa/curve_tokens.json --steps 2 --lora-rank 2"
    matrix.run("adapters", "beside gguf", *training("gguf/gqa.gguf", words, SMALL))


@section
def resumed(matrix):
    """Each run goes on from a checkpoint in its middle, under flags that change no bit, or that are refused."""
    output, kept = matrix.directory / "out", matrix.directory / "kept"
    for words, change in [
        ("--eval-data held.txt --eval-every 2", "--grad-accum 2"),
        ("--precision bf16 --master-weights bf16 --optimizer adamw8bit", "--checkpointing full"),
        ("--precision f16", "--disk disk --offload all"),
        ("--lora-rank 2 --lora-dropout 0.1", "--threads 2"),
        ("--lr 0.01", "--lr 0.5"),
        ("--seed 0", "--seed 9"),
    ]:
        words += " --steps 4 --save-every 2 --keep-checkpoints 0"
        matrix.run("resumed", f"{words}: whole", *training("model-False", words))
        shutil.rmtree(output / "checkpoint-4", ignore_errors=True)
        for path in output.glob("*.safetensors"):
            path.unlink()
        shutil.rmtree(kept, ignore_errors=True)
        output.rename(kept)
        flags = " ".join(overridden(words.split(), change.split()))
        done = matrix.run("resumed", f"{words}: then {change}", *training("model-False", flags, output="kept"),
                          "--resume")  # fmt: skip
        done["files"] = contents(kept)


def logits(matrix, kind, case, model, *flags, isa=None):
    """An `eval` of the model's ids, with all logits."""
    flags = ["--tokens", f"{model}/ids.json", "--logits", "logits.safetensors", *SMALL, *flags]
    result = matrix.run(kind, case, "eval", model, *flags, "--report", "report.json", "--quiet", isa=isa)
    path = matrix.directory / "logits.safetensors"
    if path.exists():
        result["logits"] = tensors(path)
        path.unlink()


@section
def evaluated(matrix):
    for name in LLAMAS:
        for isa in ("reference", "avx2", None):
            logits(matrix, "evaluated", f"{name} {isa}", name, isa=isa)
    report = ["--report", "report.json", "--quiet", *SMALL]
    for name, words in {
        "text": "model-False --data text.txt", "strides": "model-True --data text.txt --seq-len 32 --stride 16",
        "batch": "model-True --data text.txt --seq-len 32 --batch-size 3 --isolate-documents",
        "examples": "finetune/model --data finetune/completions.jsonl --seq-len 32",
        "reference": "model-True --data held.txt --reference model-False --seq-len 48",
        "the same": "model-True --data held.txt --reference model-True", "gguf": "gguf/gqa.gguf --tokens gqa/ids.json",
    }.items():  # fmt: skip
        matrix.run("evaluated", name, "eval", *words.split(), *report)


@section
def generated(matrix):
    for name, words in {
        "greedy": "", "sampled": "--temperature 0.9 --top-p 0.9 --seed 7", "top-k": "--temperature 1.2 --top-k 5",
        "chunks": "--prefill-chunk 8", "cache bf16": "--kv-cache-dtype bf16", "cache f16": "--kv-cache-dtype f16",
        "cache q8": "--kv-cache-dtype q8", "cache q4": "--kv-cache-dtype q4 --prefill-chunk 5",
        "context": "--context 64 --threads 2", "stopped": "--stop e",
    }.items():  # fmt: skip
        for isa in ("avx2", None):
            flags = ["--prompt", "some words of the prompt", "--max-new-tokens", 16, "--logprobs", "lines.json"]
            flags += ["--report", "report.json", "--quiet", "--memory", "64MiB", *words.split()]
            result = matrix.run("generated", f"{name} {isa}", "generate", f"model-{isa is None}", *flags, isa=isa)
            path = matrix.directory / "lines.json"
            if path.exists():
                result["lines"] = content(path)
                path.unlink()
    flags = ["--max-new-tokens", 12, "--quiet", "--memory", "64MiB", "--temperature", 1]
    matrix.run("generated", "chat", "generate", "finetune/model", "--chat", "--prompt", "a question", *flags)
    matrix.run("generated", "talk", "generate", "finetune/model", "--chat", *flags, stdin="two and two?\nand then\n\n")


@section
def converted(matrix):
    for name in ("bf16", "biases", "f16", "gqa", "llama3", "qwen2_tied", "wide"):
        for dtype in ("f32", "bf16", "f16"):
            matrix.run("converted", f"{name} {dtype}", "convert", name, "--output", "out", "--dtype", dtype)
    matrix.run("converted", "shards", "convert", "gqa", "--output", "out", "--shard-size", "20KB", "--memory", "64MiB")
    for dtype in ("f32", "f16", "q8_0", None):
        flags = ["--format", "gguf", "--output", "out.gguf", *(["--dtype", dtype] if dtype else [])]
        result = matrix.run("converted", f"to gguf {dtype}", "convert", "model-False", *flags)
        if (matrix.directory / "out.gguf").exists():
            file = f"{dtype}.gguf"
            (matrix.directory / "out.gguf").rename(matrix.directory / file)
            result["file"] = content(matrix.directory / file)
            matrix.run("converted", f"back from {file}", "convert", file, "--output", "out")
            matrix.run("converted", f"inspect {file}", "inspect", file, "--json")
            for isa in ("avx2", None):
                flags = ["--data", "held.txt", "--seq-len", 32, "--report", "report.json", "--quiet", *SMALL]
                matrix.run("converted", f"eval {file} {isa}", "eval", file, *flags, isa=isa)
            flags = ["--prompt", "some words", "--max-new-tokens", 12, "--quiet", *SMALL]
            matrix.run("converted", f"generate {file}", "generate", file, *flags)


@section
def inspected(matrix):
    for name in [*LLAMAS, "finetune/model", "model-True", "gguf/gqa.gguf", "gguf/vocab-llama3.gguf"]:
        matrix.run("inspected", name, "inspect", name, "--json")
    matrix.run("inspected", "all tensors", "inspect", "gqa", "--all-tensors")
    for name in sorted((matrix.directory / "tokenizer").glob("*.ids.json")):
        tokenizer = name.name.replace(".ids", "")
        done = matrix.run("inspected", tokenizer, "tokenize", f"tokenizer/{tokenizer}", "--input",
                          "tokenizer/texts.json")  # fmt: skip
        done["stdout"] = digest(done["stdout"].encode())


@section
def graphs(matrix):
    """The graphs after each pass, and after all of them, by their text."""
    for name, words in [*TRAINED.items(), *ADAPTED.items()]:
        shutil.rmtree(matrix.directory / "passes", ignore_errors=True)
        shutil.rmtree(matrix.directory / "out", ignore_errors=True)
        matrix.command(*training("model-False", f"--dump-passes passes --steps 1 {words}"))
        files = sorted((matrix.directory / "passes").glob("*.graph"))
        matrix.keep("graphs", name, {path.name: digest(path.read_bytes()) for path in files})


@section
def texts(matrix):
    for verb in VERBS:
        matrix.run("texts", verb, *verb.split(), "--help")


@section
def real(matrix):
    model = os.environ.get("HEADROOM_IDENTITY_MODEL")
    if not model:
        return
    shutil.copytree(Path(model), matrix.directory / "real", copy_function=shutil.copy)
    for words in ("", "--lora-rank 4 --base-bits 4", "--disk disk --offload all"):
        matrix.run("real", f"train {words}", *training("real", f"--memory 256MiB --threads 2 {words}"))
    matrix.run("real", "eval", "eval", "real", "--data", "text.txt", "--seq-len", 128, *SMALL, "--quiet")
    flags = ["--prompt", "Once upon a time", "--max-new-tokens", 40, *SMALL, "--quiet"]
    matrix.run("real", "generate", "generate", "real", *flags)


def run_matrix(binary, only):
    with tempfile.TemporaryDirectory(prefix="headroom-identity-") as directory:
        matrix = Matrix(binary, Path(directory))
        for name in only or SECTIONS:
            SECTIONS[name](matrix)
        print(f"{matrix.runs} runs", file=sys.stderr)
        return json.loads(json.dumps(matrix.results))  # as a recorded file reads back


def differences(before, after):
    """Lines that say what differs between two results of one case."""
    left, right = flat(before), flat(after)
    lines = []
    for path in [*left, *(path for path in right if path not in left)]:
        if left.get(path, "absent") != right.get(path, "absent"):
            lines.append(f"    {path}: {left.get(path, 'absent')!r} -> {right.get(path, 'absent')!r}")
    more = [f"    and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return lines[:SHOWN] + more


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["record", "check"])
    parser.add_argument("binary")
    parser.add_argument("file", nargs="?", default="/tmp/identity.json")
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), help="these sections alone")
    parser.add_argument("--strict", action="store_true", help=f"differences of {', '.join(LOOSE)} count, too")
    options = parser.parse_args()
    results = run_matrix(options.binary, options.only)
    path = Path(options.file)
    if options.action == "record":
        kept = json.loads(path.read_text(encoding="utf-8")) if options.only and path.exists() else {}
        path.write_text(json.dumps(kept | results, indent=1), encoding="utf-8")
        return 0
    recorded = json.loads(path.read_text(encoding="utf-8"))
    counted = 0
    for kind, cases in results.items():
        expected = recorded.get(kind, {})
        missing = [] if options.only else [case for case in expected if case not in cases]
        for case in [*cases, *missing]:
            lines = differences(expected.get(case, "absent"), cases.get(case, "absent"))
            if lines:
                loose = kind in LOOSE and not options.strict
                counted += not loose
                print(f"{kind}: {case}{' (may be on purpose)' if loose else ''}", *lines, sep="\n")
    print(f"{counted} of {sum(map(len, results.values()))} cases differ")
    return 1 if counted else 0


if __name__ == "__main__":
    sys.exit(main())
