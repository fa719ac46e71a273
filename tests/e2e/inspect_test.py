"""Looks into models, checkpoints, tokenizers and files of weights with the built command."""

import json
import unittest

import frame

LLAMA = frame.ROOT / "tests" / "data" / "llama"
TOKENIZER = frame.ROOT / "tests" / "data" / "tokenizer" / "deepseek_llm.json"


class Inspect(frame.CommandTest):
    def inspect(self, path):
        return json.loads(self.headroom("inspect", path, "--json").stdout)

    def test_a_model(self):
        found = self.inspect(LLAMA / "gqa")
        self.assertEqual(list(found), ["model", "weights"])
        model = found["model"]
        self.assertEqual(model["architecture"], "LlamaForCausalLM")
        self.assertEqual(model["parameters"], 11304)  # as PyTorch counts (tests/data/llama/README.md)
        roles = {"embedding": 76 * 24, "norms": 5 * 24, "attention": 2 * 2 * 24 * (32 + 16), "mlp": 2 * 3 * 24 * 33}
        self.assertEqual(model["parameters_by_role"], roles)
        self.assertEqual(sum(roles.values()), 11304)
        self.assertEqual(found["weights"]["elements"], 11304)
        self.assertEqual(found["weights"]["bytes_by_dtype"], {"F32": 4 * 11304})
        first = found["weights"]["tensors"][0]
        expected = {"name": "model.embed_tokens.weight", "dtype": "F32", "shape": [76, 24], "bytes": 4 * 76 * 24}
        self.assertEqual(first, {**expected, "file": "model.safetensors"})

    def test_for_people_the_tensors_of_all_layers_are_one_line(self):
        text = self.headroom("inspect", LLAMA / "gqa").stdout
        self.assertRegex(text, r"model\.layers\.\*\.mlp\.up_proj\.weight +2 x F32 +\[33,24\] +6\.19 KiB")
        self.assertRegex(text, r"parameters +11,304\n")
        every = self.headroom("inspect", LLAMA / "gqa", "--all-tensors").stdout
        self.assertIn("model.layers.1.mlp.up_proj.weight", every)

    def test_a_config_without_weights(self):
        self.assertEqual(list(self.inspect(LLAMA / "mqa" / "config.json")), ["model"])

    def test_a_file_of_weights(self):
        found = self.inspect(LLAMA / "bf16" / "model.safetensors")["weights"]
        self.assertEqual(found["bytes_by_dtype"], {"BF16": 2 * 10208})

    def test_a_tokenizer_whatever_its_file_is_called(self):
        found = self.inspect(TOKENIZER)["tokenizer"]
        pieces = json.loads(TOKENIZER.read_text(encoding="utf-8"))
        largest = max([*pieces["model"]["vocab"].values(), *(token["id"] for token in pieces["added_tokens"])])
        self.assertEqual((found["kind"], found["vocabulary"]), ("byte-level BPE", largest + 1))

    def test_a_checkpoint(self):
        tokens = self.write("tokens.json", {"batches": [[[1, 2, 3, 4]]]})
        self.headroom("train", LLAMA / "gqa", "--tokens", tokens, "--output", "out", "--lr", "0.25", "--quiet")
        found = self.inspect(self.directory / "out" / "checkpoint-1")
        self.assertEqual(list(found), ["checkpoint", "weights", "optimizer"])
        self.assertEqual(found["checkpoint"]["step"], 1)
        self.assertEqual(found["checkpoint"]["settings"]["--lr"], "0.25")
        self.assertEqual(found["optimizer"]["elements"], 2 * 11304)

    def test_what_is_nothing_is_refused(self):
        self.assertIn("nowhere: there is no such file or directory", self.refused("inspect", "nowhere"))
        self.assertIn("neither a model, a checkpoint, an adapter nor", self.refused("inspect", self.directory))
        other = self.write("other.bin", "x")
        self.assertIn("this kind of file is unknown; expected a directory", self.refused("inspect", other))


if __name__ == "__main__":
    frame.main()
