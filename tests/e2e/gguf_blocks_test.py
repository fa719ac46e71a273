"""Models whose weights are in ggml's blocks, a type a matrix: they run in their own bits, with the numbers of their
blocks, in memory and from their file."""

import json
import random
import struct
import unittest

import frame
from tensor_files import read_tensors

# Number, elements and bytes of a block, and where its f16 scales lie.
TYPES = {
    "Q4_0": (2, 32, 18, [0]),
    "Q4_1": (3, 32, 20, [0, 2]),
    "Q5_0": (6, 32, 22, [0]),
    "Q5_1": (7, 32, 24, [0, 2]),
    "Q8_0": (8, 32, 34, [0]),
    "Q2_K": (10, 256, 84, [80, 82]),
    "Q3_K": (11, 256, 110, [108]),
    "Q4_K": (12, 256, 144, [0, 2]),
    "Q5_K": (13, 256, 176, [0, 2]),
    "Q6_K": (14, 256, 210, [208]),
    "IQ4_NL": (20, 32, 18, [0]),
    "IQ4_XS": (23, 256, 136, [0]),
    "MXFP4": (39, 32, 17, []),
}
STEPS = {"Q4_1": 1e-2, "Q5_1": 5e-3, "Q8_0": 1e-3, "IQ4_NL": 1e-3, "Q6_K": 4e-5, "Q3_K": 1e-3, "IQ4_XS": 4e-5}
VOCABULARY, HEADS = 320, 4
FEATURES, MLP, LAYERS = 256, 512, 2  # and where weights leave the memory:
WIDE = (512, 1536, 6)
BUDGET = ["--memory", "256MiB", "--quiet"]


def blocks_of(kind, elements, generator):
    _, block, size, scales = TYPES[kind]
    count = elements // block
    data = bytearray(generator.randbytes(count * size))
    step = STEPS.get(kind, 1e-4 if block == 256 else 1e-2)
    for i in range(count):
        for place in scales:
            struct.pack_into("<e", data, i * size + place, generator.uniform(-step, step))
        if not scales:
            data[i * size] = generator.randint(117, 121)
    return bytes(data)


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def number(key, value):
    return text(key) + struct.pack("<II", 4, value)


def write_model(path, types, tied=False, seed=1, size=(FEATURES, MLP, LAYERS)):
    """A llama; `types` go round its matrices."""
    features, mlp, layers = size
    generator = random.Random(seed)
    keys = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        number("llama.block_count", layers),
        number("llama.context_length", 128),
        number("llama.embedding_length", features),
        number("llama.feed_forward_length", mlp),
        number("llama.attention.head_count", HEADS),
        number("llama.attention.head_count_kv", HEADS // 2),
        number("llama.vocab_size", VOCABULARY),
        text("llama.attention.layer_norm_rms_epsilon") + struct.pack("<If", 6, 1e-5),
    ]
    half = features // 2
    shapes = {"token_embd": (VOCABULARY, features), "output_norm": (features,)}
    for layer in range(layers):
        matrices = {
            "attn_norm": (features,),
            "attn_q": (features, features),
            "attn_k": (half, features),
            "attn_v": (half, features),
            "attn_output": (features, features),
            "ffn_norm": (features,),
            "ffn_gate": (mlp, features),
            "ffn_up": (mlp, features),
            "ffn_down": (features, mlp),
        }
        shapes.update({f"blk.{layer}.{name}": shape for name, shape in matrices.items()})
    if not tied:
        shapes["output"] = (VOCABULARY, features)
    entries, body, matrix = b"", b"", 0
    for name, shape in shapes.items():
        if len(shape) == 1:
            kind, data = 0, struct.pack(f"<{shape[0]}f", *([1.0] * shape[0]))
        else:
            kind = TYPES[types[matrix % len(types)]][0]
            data = blocks_of(types[matrix % len(types)], shape[0] * shape[1], generator)
            matrix += 1
        dims = struct.pack(f"<{len(shape)}Q", *reversed(shape))
        entries += text(f"{name}.weight") + struct.pack("<I", len(shape)) + dims + struct.pack("<IQ", kind, len(body))
        body += data + bytes(-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(keys)) + b"".join(keys) + entries
    path.write_bytes(head + bytes(-len(head) % 32) + body)


class BlocksOfGgml(frame.CommandTest):
    def setUp(self):
        super().setUp()
        self.tokens = self.write("ids.json", {"ids": [[(7 * i * i + i) % VOCABULARY for i in range(24)]] * 2})

    def logits(self, model, *flags):
        self.headroom("eval", model, "--tokens", self.tokens, "--logits", "l.safetensors", *flags, *BUDGET)
        return read_tensors(self.directory / "l.safetensors")["logits"].values

    def test_every_type_has_the_logits_of_its_numbers_in_f32(self):
        every = list(TYPES)
        for name, types in [("one", every), ("other", every[6:] + every[:6]), ("tied", ["Q6_K", "Q4_K"])]:
            with self.subTest(model=name):
                write_model(self.directory / f"{name}.gguf", types, tied=name == "tied", seed=len(name))
                self.headroom("convert", f"{name}.gguf", "--dtype", "f32", "--output", name, "--quiet")
                got = self.logits(f"{name}.gguf", "--compute", "f32")
                self.assertEqual(got, self.logits(name))
                self.assertGreater(max(map(abs, got)), 0.01)

    def test_a_plan_counts_their_own_bits(self):
        for kind, (_, block, size, _) in TYPES.items():
            with self.subTest(type=kind):
                write_model(self.directory / "m.gguf", [kind])
                self.headroom("plan", "m.gguf", "--task", "generate", "--report", "plan.json")
                weights = self.read_json("plan.json")["peak"]["bytes_by_role"]["weight"]
                matrices = 2 * VOCABULARY * FEATURES + LAYERS * (3 * FEATURES * FEATURES + 3 * MLP * FEATURES)
                own = matrices * size // block
                self.assertLessEqual(own, weights)
                self.assertLess(weights, own + 4 * FEATURES * 5 + 30 * 4096)

    def test_inspect_names_them(self):
        write_model(self.directory / "m.gguf", ["Q4_K", "Q6_K", "Q4_0"])
        found = json.loads(self.headroom("inspect", "m.gguf", "--json").stdout)
        self.assertEqual(found["model"]["dtype"], "f32 and int4_g32 and q4_k and q6_k")
        kept = {some["stored"]: some["kept"] for some in found["model"]["quantised"]}
        self.assertEqual(kept, {"Q4_K": "q4_k", "Q6_K": "q6_k", "Q4_0": "int4_g32"})
        for some in found["model"]["quantised"]:
            self.assertLessEqual(some["bytes"] - some["file_bytes"], 4096 * some["tensors"])

    def test_logits_are_the_same_from_memory_and_from_the_file(self):
        """Wide enough to leave the memory; queries and keys are reordered as they come."""
        write_model(self.directory / "m.gguf", ["Q4_K", "Q6_K", "Q4_0", "Q5_0", "Q3_K", "IQ4_XS"], size=WIDE)
        whole = self.logits("m.gguf")
        flags = ["--tokens", self.tokens, "--logits", "l.safetensors", "--threads", 1, "--report", "r.json", "--quiet"]
        self.refused("eval", "m.gguf", *flags, "--memory", "4MiB", expect=frame.OVER_BUDGET)
        least = self.read_json("r.json")["smallest_budget_bytes"]
        self.headroom("eval", "m.gguf", *flags, "--memory", least)
        report = self.read_json("r.json")
        self.assertGreater(report["model_bytes"], 0)
        self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
        self.assertEqual(read_tensors(self.directory / "l.safetensors")["logits"].values, whole)


if __name__ == "__main__":
    unittest.main()
