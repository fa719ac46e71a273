"""transformers loads what the command writes, and the command what transformers writes, with the same logits.

Skipped unless HEADROOM_PEERS_PYTHON names a Python that has torch, transformers and safetensors.
"""

import os
import shutil
import subprocess
import unittest

import frame
from tensor_files import largest_difference, read_tensors

PEERS_PYTHON = os.environ.get("HEADROOM_PEERS_PYTHON")
MODELS = frame.ROOT / "tests" / "data" / "llama"
LOGITS_BOUND = 5e-5  # as in tests/data/llama/README.md: both sides compute in float32 there
ADAPTER_BOUND = 1e-5
BUDGET = ["--memory", "256MiB", "--quiet"]


@unittest.skipUnless(PEERS_PYTHON, "HEADROOM_PEERS_PYTHON is not set")
class Peers(frame.CommandTest):
    def transformers_logits(self, model, ids, *resaved):
        script = frame.ROOT / "tests" / "e2e" / "peers_logits.py"
        out = self.directory / "theirs.safetensors"
        done = subprocess.run(
            [PEERS_PYTHON, "-B", script, model, ids, out, *resaved],
            cwd=self.directory, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        return read_tensors(out)["logits"]

    def our_logits(self, model, ids):
        self.headroom("eval", model, "--tokens", ids, "--logits", "ours.safetensors", *BUDGET)
        return read_tensors(self.directory / "ours.safetensors")["logits"]

    def compare(self, model, ids, *resaved):
        theirs, ours = self.transformers_logits(model, ids, *resaved), self.our_logits(model, ids)
        self.assertEqual(ours.shape, theirs.shape)
        self.assertLessEqual(largest_difference(ours.values, theirs.values), LOGITS_BOUND)
        return ours

    def test_transformers_loads_what_init_writes(self):
        for name, dtype in [
            ("mha", "f32"), ("gqa", "bf16"), ("mqa", "f16"), ("llama3", "f32"), ("f16", "f16"), ("biases", "f32"),
            ("qwen2", "bf16"), ("qwen2_tied", "f32"),
        ]:  # fmt: skip
            with self.subTest(model=name, dtype=dtype):
                written = self.directory / name
                self.headroom("init", MODELS / name / "config.json", "--output", written, "--dtype", dtype, "--seed", 1)
                self.compare(written, MODELS / name / "ids.json")

    def test_transformers_loads_what_train_writes(self):
        for name in ["mha", "gqa", "bf16", "llama3", "biases", "qwen2", "qwen2_tied"]:
            with self.subTest(model=name):
                written, ids = self.directory / name, MODELS / name / "ids.json"
                tokens = self.write("tokens.json", {"batches": [self.read_json(ids)["ids"]] * 2})
                self.headroom("train", MODELS / name, "--tokens", tokens, "--steps", 2, "--output", written, *BUDGET)
                self.compare(written, ids)

    def test_peft_and_the_command_load_each_others_adapters(self):
        if subprocess.run([PEERS_PYTHON, "-c", "import peft"], capture_output=True, check=False).returncode != 0:
            self.skipTest("HEADROOM_PEERS_PYTHON has no peft")
        script = frame.ROOT / "tests" / "e2e" / "peers_adapter.py"
        for name in ["mha", "biases", "bf16"]:
            model, ids = MODELS / name, MODELS / name / "ids.json"
            tokens = self.write("tokens.json", {"batches": [self.read_json(ids)["ids"]] * 4})
            ours = self.directory / f"{name}-ours"
            flags = ["--lora-rank", 4, "--lora-alpha", 6, "--lora-dropout", 0.1, "--lr", 0.02, "--steps", 4]
            self.headroom("train", model, "--tokens", tokens, "--output", ours, *flags, *BUDGET)
            for adapter in [ours, self.directory / f"{name}-theirs"]:
                with self.subTest(adapter=adapter.name):
                    done = subprocess.run(
                        [PEERS_PYTHON, "-B", script, model, adapter, ids, "theirs.safetensors"],
                        cwd=self.directory, capture_output=True, encoding="utf-8", check=False,
                    )  # fmt: skip
                    self.assertEqual(done.returncode, 0, done.stderr)
                    flags = ["--tokens", ids, "--adapter", adapter, "--logits", "ours.safetensors"]
                    self.headroom("eval", model, *flags, *BUDGET)
                    ours_logits, theirs = (
                        read_tensors(self.directory / f"{who}.safetensors")["logits"] for who in ("ours", "theirs")
                    )
                    self.assertLessEqual(largest_difference(ours_logits.values, theirs.values), ADAPTER_BOUND)

    def test_both_untie_an_output_layer_of_its_own(self):
        model = self.directory / "model"
        shutil.copytree(MODELS / "qwen2", model)
        self.write("model/config.json", self.read_json("model/config.json") | {"tie_word_embeddings": True})
        ours = self.compare(model, MODELS / "qwen2" / "ids.json")
        untied = read_tensors(MODELS / "qwen2" / "logits.safetensors")["logits"]
        self.assertLessEqual(largest_difference(ours.values, untied.values), LOGITS_BOUND)

    def test_transformers_loads_a_model_with_a_tokenizer_of_its_own(self):
        config = self.read_json(MODELS / "qwen2" / "config.json") | {"vocab_size": 152064, "pad_token_id": 151643}
        text = self.write("text.txt", "the quick brown fox jumps over the lazy dog\n" * 20)
        flags = ["--tokenizer-data", text, "--vocabulary", 280, "--output", "model", "--quiet"]
        self.headroom("init", self.write("shape.json", config), *flags)
        self.compare(self.directory / "model", MODELS / "qwen2" / "ids.json")

    def test_transformers_loads_what_convert_writes(self):
        for name, flags in [("gqa", ["--dtype", "bf16", "--shard-size", "20000"]), ("f16", ["--dtype", "f32"])]:
            with self.subTest(model=name):
                written = self.directory / name
                self.headroom("convert", MODELS / name, "--output", written, *flags, *BUDGET)
                self.compare(written, MODELS / name / "ids.json")

    def test_the_command_loads_the_shards_that_transformers_writes(self):
        for name in ["gqa", "mqa", "bf16", "llama3", "biases", "qwen2", "qwen2_tied"]:
            with self.subTest(model=name):
                resaved, ids = self.directory / name, MODELS / name / "ids.json"
                before = self.compare(MODELS / name, ids, resaved)
                self.assertTrue((resaved / "model.safetensors.index.json").exists())
                self.assertEqual(self.our_logits(resaved, ids).values, before.values)


if __name__ == "__main__":
    frame.main()
