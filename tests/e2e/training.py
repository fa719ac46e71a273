"""What the tests of `train` share: tiny models and data, and a run reduced to what must be the same bits."""

import hashlib
import json
import random
import shutil

import frame

MODELS = frame.ROOT / "tests" / "data" / "llama"
TIED, UNTIED, QWEN2 = MODELS / "gqa", MODELS / "mha", MODELS / "qwen2"
QUIET = ["--memory", "64MiB", "--threads", 1, "--quiet"]

_SHAPE = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": 24,
    "intermediate_size": 37, "num_hidden_layers": 2, "num_attention_heads": 3, "num_key_value_heads": 1,
    "max_position_embeddings": 64, "vocab_size": 300, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
    "torch_dtype": "float32",
}  # fmt: skip


def words(count, seed):
    """Text of `count` words that repeat, under a fixed seed."""
    choose = random.Random(seed)
    vocabulary = ["".join(choose.choices("etaoinshrdlu\u00e9", k=choose.randint(1, 7))) for _ in range(120)]
    return " ".join(choose.choices(vocabulary, k=count)) + "\n"


def losses(directory):
    """The lines of metrics.jsonl without the clock."""
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    for line in lines:
        del line["seconds"]
    return lines


def bits(directory):
    """Everything of a finished run that must be the same bits: metrics but for the clock, and the files of weights."""
    weights = sorted(directory.glob("*.safetensors"))
    assert weights, f"{directory}: no weights"
    return losses(directory), {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in weights}


class TrainingTest(frame.CommandTest):
    """Commands run with --memory 64MiB --threads 1 --quiet; flags given later win."""

    def train(self, model, *flags, output="out", **options):
        """A whole run into `output`, which is made anew. Returns bits() of it where it ended well."""
        shutil.rmtree(self.directory / output, ignore_errors=True)
        return self.go_on(model, *flags, output=output, **options)

    def go_on(self, model, *flags, output="out", **options):
        """The same into an output that may exist."""
        self.headroom(*self.command(model, *flags, output=output), **options)
        return bits(self.directory / output)

    def command(self, model, *flags, output="out"):
        flags = [str(flag) for flag in flags]
        defaults = [str(word) for word in QUIET]
        for at in (2, 0):  # an option may be given once
            if defaults[at] in flags:
                del defaults[at : at + 2]
        return ["train", model, "--output", output, *flags, *defaults]

    def text_model(self, tied=False, name="model", **changes):
        """A model directory with a tokenizer of its own, and beside it text.txt, which is what both were made for.
        `changes` are made to the config."""
        text = self.write("text.txt", words(1500, seed=3))
        config = self.write("shape.json", {**_SHAPE, "tie_word_embeddings": tied, **changes})
        flags = ["--tokenizer-data", text, "--vocabulary", 300, "--seed", 5, "--quiet"]
        self.headroom("init", config, "--output", name, *flags)
        return self.directory / name
