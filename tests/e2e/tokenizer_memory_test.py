"""A tokenizer of real size is a large part of a small job: its memory is predicted from what its file says."""

import json
import random

import frame

MIB = 1 << 20
VOCABULARY = 131072
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "tie_word_embeddings": True,
    "torch_dtype": "float32",
}


def byte_letters():
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte) for byte in plain] + [chr(0x100 + i) for i in range(256 - len(plain))]


def grown(letters, size, longest):
    """Pieces and the merges that build them, each from an earlier piece and a letter."""
    rng = random.Random(3)
    pieces = dict.fromkeys(letters)
    short = list(letters)
    merges = []
    while len(pieces) < size:
        left, right = rng.choice(short), rng.choice(letters[:64])
        if left + right in pieces:
            continue
        pieces[left + right] = None
        merges.append((left, right))
        if len(left) + 1 < longest:
            short.append(left + right)
    return {piece: number for number, piece in enumerate(pieces)}, merges


def added(number, text):
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": text, **flags}


def tokenizer(pieces, longest, added_tokens=0, spelled="pairs", indent=2):
    vocabulary, merges = grown(byte_letters(), pieces, longest)
    return json.dumps(
        {
            "added_tokens": [added(pieces + i, f"<|reserved token {i}|>") for i in range(added_tokens)],
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
            "decoder": {"type": "ByteLevel"},
            "model": {
                "type": "BPE",
                "vocab": vocabulary,
                "merges": merges if spelled == "pairs" else [" ".join(pair) for pair in merges],
            },
        },
        indent=indent,
        ensure_ascii=False,
    )


class TokenizerMemory(frame.CommandTest):
    def expect_kept(self, *command):
        self.headroom(*command, "--memory", "256MiB", "--threads", 1, "--quiet", "--report", "r.json")
        report = self.read_json("r.json")
        measured, predicted = report["measured_peak_bytes"], report["predicted_peak_bytes"]
        self.assertLessEqual(measured, predicted)
        self.assertLess(predicted - measured, 8 * MIB)

    def test_large_vocabularies_leave_no_slack(self):
        self.write("config.json", CONFIG)
        self.headroom("init", "config.json", "--output", "model", "--quiet")
        text = "".join(random.Random(4).choice(["quick ", "brown\n", "fox, ", "12 "]) for _ in range(1000))
        self.write("text.txt", text)
        for file in (
            tokenizer(128_000, longest=24),
            tokenizer(100_000, longest=8, added_tokens=2400, spelled="strings"),
            tokenizer(50_000, longest=6, added_tokens=1, spelled="strings", indent=None),
        ):
            with self.subTest(bytes=len(file)):
                self.write("model/tokenizer.json", file)
                self.expect_kept("generate", "model", "--prompt", text[:100], "--max-new-tokens", 2)
                self.expect_kept("eval", "model", "--data", "text.txt", "--seq-len", 64)


if __name__ == "__main__":
    frame.main()
