"""Weights are held as their files hold them, each one: a norm in F32 beside F16 matrices is not rounded."""

import json
import struct
import unittest

import frame
from tensor_files import largest_difference, read_tensors

GQA = frame.ROOT / "tests" / "data" / "llama" / "gqa"
NORMS, MATRICES = 120, 11304 - 120  # elements
BUDGET = ["--memory", "256MiB", "--quiet"]


def raw_tensors(path):
    data = path.read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        yield name, entry, data[8 + size + begin : 8 + size + end]


def mix(narrow, wide, path):
    """The tensors of `narrow`, but the norms of `wide`."""
    norms = {name: (entry, raw) for name, entry, raw in raw_tensors(wide) if "norm" in name}
    header, body = {}, b""
    for name, entry, raw in raw_tensors(narrow):
        entry, raw = norms.get(name, (entry, raw))
        header[name] = {**entry, "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


class StoredFormats(frame.CommandTest):
    def logits(self, model):
        self.headroom("eval", model, "--tokens", GQA / "ids.json", "--logits", "logits.safetensors", *BUDGET)
        return read_tensors(self.directory / "logits.safetensors")["logits"].values

    def expect_mixed(self, model, dtype):
        """Logits of its numbers in f32; a plan and `inspect` that know what the norms take."""
        self.headroom("convert", model, "--dtype", "f32", "--output", f"{model}-f32", "--quiet")
        self.assertLessEqual(largest_difference(self.logits(model), self.logits(f"{model}-f32")), 1e-4)
        found = json.loads(self.headroom("inspect", model, "--json").stdout)["model"]
        self.assertEqual((found["dtype"], found["bytes"]), (f"f32 and {dtype}", 4 * NORMS + 2 * MATRICES))
        self.headroom("plan", model, "--task", "generate", "--report", "plan.json")
        padding = 64 * 21  # of so many weights, at most
        weights = self.read_json("plan.json")["peak"]["bytes_by_role"]["weight"]
        self.assertLessEqual(4 * NORMS + 2 * MATRICES, weights)
        self.assertLess(weights, 4 * NORMS + 2 * MATRICES + padding)

    def test_a_gguf_file_with_norms_in_f32(self):
        for dtype in ["f16", "bf16"]:
            with self.subTest(dtype=dtype):
                flags = ["--format", "gguf", "--dtype", dtype, "--output", f"{dtype}.gguf", "--quiet"]
                self.headroom("convert", GQA, *flags)
                self.expect_mixed(f"{dtype}.gguf", dtype)

    def test_a_directory_with_norms_in_f32(self):
        self.headroom("convert", GQA, "--dtype", "bf16", "--output", "mixed", "--quiet")
        weights = self.directory / "mixed" / "model.safetensors"
        mix(weights, GQA / "model.safetensors", weights)
        self.expect_mixed("mixed", "bf16")

    def test_adapters_beside_norms_in_f32(self):
        self.headroom("convert", GQA, "--format", "gguf", "--dtype", "f16", "--output", "m.gguf", "--quiet")
        self.headroom("convert", "m.gguf", "--dtype", "f32", "--output", "whole", "--quiet")
        tokens = self.write("tokens.json", {"batches": [json.loads((GQA / "ids.json").read_text())["ids"]] * 2})
        for model in ["m.gguf", "whole"]:
            flags = ["--lora-rank", 2, "--steps", 2, "--output", f"{model}-out", *BUDGET]
            self.headroom("train", model, "--tokens", tokens, *flags)
        adapter = "adapter_model.safetensors"
        self.assertEqual(
            *[(self.directory / f"{model}-out" / adapter).read_bytes() for model in ["m.gguf", "whole"]]
        )


if __name__ == "__main__":
    unittest.main()
