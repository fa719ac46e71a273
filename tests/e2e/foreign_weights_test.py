"""Models that other programs have quantised: the logits of transformers with their libraries' numbers."""

import json
import unittest

import frame
from tensor_files import largest, largest_difference, read_tensors

QUANTIZED = frame.ROOT / "tests" / "data" / "quantized"
MODELS = sorted(directory for directory in QUANTIZED.iterdir() if directory.is_dir())
BUDGET = ["--memory", "256MiB", "--quiet"]
# Of those that are kept in their own bits; the embedding and norms are F16.
KEPT = {
    "gptq-4": "int4_g32",
    "gptq-4-asym": "uint4_g32",
    "gptq-4-order": "ordered4_g32",
    "gptq-3": "int3_channel",
    "awq": "uint4_g32",
    "packed-int8": "int8_channel",
    "fp8-block": "f32",
    "fp8-channel": "float8_channel",
    "nf4": "nf4",
}


class ForeignWeights(frame.CommandTest):
    def logits(self, model, ids, *flags):
        tokens = self.write("ids.json", {"ids": [list(ids)]})
        self.headroom("eval", model, "--tokens", tokens, "--logits", "l.safetensors", *flags, *BUDGET)
        return read_tensors(self.directory / "l.safetensors")["logits"].values

    def test_logits_are_those_of_transformers(self):
        for model in MODELS:
            with self.subTest(model=model.name):
                expected = read_tensors(model / "expected.safetensors")
                ids, theirs = expected["ids"].values, expected["logits"].values
                ours = self.logits(model, ids, "--compute", "f32")
                self.assertLessEqual(largest_difference(ours, theirs), 5e-5 * largest(theirs))
                self.headroom("convert", model, "--dtype", "f32", "--output", model.name, "--quiet")
                self.assertEqual(self.logits(model.name, ids), ours)
                self.assertNotIn("quantization_config", self.read_json(f"{model.name}/config.json"))

    def test_inspect_and_plans_know_what_they_take(self):
        for name, kept in KEPT.items():
            with self.subTest(model=name):
                done = self.headroom("inspect", QUANTIZED / name, "--json")
                found = json.loads(done.stdout)["model"]
                self.assertEqual({some["kept"] for some in found["quantised"]}, {kept})
                self.assertEqual(sum(some["tensors"] for some in found["quantised"]), 7)
                self.assertEqual("7 weights stored as FP8 are held as f32, in 120.00 KiB" in done.stderr, kept == "f32")
                self.assertEqual(found["dtype"], "f32 and f16" if kept == "f32" else f"f16 and {kept}")
                self.headroom("plan", QUANTIZED / name, "--task", "generate", "--report", "plan.json")
                weights = self.read_json("plan.json")["peak"]["bytes_by_role"]["weight"]
                self.assertLessEqual(found["bytes"], weights)
                self.assertLess(weights, found["bytes"] + 64 * 16)

    def test_adapters_are_trained_on_them_and_merged_only_when_asked(self):
        model = QUANTIZED / "gptq-4"
        self.headroom("convert", model, "--dtype", "f32", "--output", "whole", "--quiet")
        ids = list(read_tensors(model / "expected.safetensors")["ids"].values)
        tokens = self.write("tokens.json", {"batches": [[ids]] * 2})
        for base, output in [(model, "a"), ("whole", "b")]:
            flags = ["--lora-rank", 2, "--steps", 2, "--output", output, *BUDGET]
            self.headroom("train", base, "--tokens", tokens, *flags)
        name = "adapter_model.safetensors"
        self.assertEqual((self.directory / "a" / name).read_bytes(), (self.directory / "b" / name).read_bytes())
        words = self.refused("convert", model, "--adapter", "a", "--output", "merged")
        self.assertIn("its weights are quantised, and an adapter merged into them would be rounded with them", words)
        for base, output in [(model, "merged"), ("whole", "merged-whole")]:
            flags = ["--dtype", "f32", "--output", output, "--quiet"]
            self.headroom("convert", base, "--adapter", "a", *flags)
        self.assertEqual(self.logits("merged", ids), self.logits("merged-whole", ids))

    def test_training_all_of_it_leaves_a_model_that_is_not_quantised(self):
        model = QUANTIZED / "awq"
        ids = list(read_tensors(model / "expected.safetensors")["ids"].values)
        tokens = self.write("tokens.json", {"batches": [[ids]]})
        self.headroom("train", model, "--tokens", tokens, "--steps", 1, "--output", "trained", *BUDGET)
        self.assertNotIn("quantization_config", self.read_json("trained/config.json"))
        self.logits("trained", ids)

    def test_other_methods_are_refused_by_name(self):
        model = QUANTIZED / "gptq-4"
        config = json.loads((model / "config.json").read_text())
        config["quantization_config"]["quant_method"] = "quanto"
        self.write("m/config.json", config)
        self.write("m/model.safetensors", (model / "model.safetensors").read_bytes())
        words = self.refused("inspect", "m")
        self.assertIn("quantization_config.quant_method: quanto is not supported; expected one of headroom", words)


if __name__ == "__main__":
    unittest.main()
