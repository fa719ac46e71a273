"""Makes decoding.json, which tests/formats/tokenizer/tokenizer_test.cc compares with: what the tokenizers library makes of
arbitrary lists of ids of tokenizers with byte fallback. Runs of byte tokens that are not UTF-8 as a whole are what it is
about. A case is a decoder (that of llama.json where it is null), ids, and their text with special tokens and without.

Needs `pip install tokenizers` (written with 0.23). Run in this directory: python make_decoding.py
"""

import json
import random
from pathlib import Path

from tokenizers import Tokenizer

HERE = Path(__file__).parent
REPLACE = {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}
FALLBACK, FUSE = {"type": "ByteFallback"}, {"type": "Fuse"}
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
METASPACE = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
DECODERS = [
    None, [REPLACE, FALLBACK, FUSE], [FALLBACK, REPLACE, FUSE, STRIP], [FALLBACK, METASPACE], [METASPACE, FALLBACK],
    [FALLBACK, {"type": "Replace", "pattern": {"String": "\ufffd"}, "content": "?!"}, FUSE],
]  # fmt: skip
BYTES = [b"\xf0\x9f\x98\x80", "\u4f60\u597d".encode(), b"\xc3", b"\xe4\xbd", b"\x80", b"\xff", b"\x20", b"a", b"\xed\xa0\x80"]
BYTES += [b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xe2\x96\x81"]


def lists(rng, vocabulary):
    byte = {i: vocabulary[f"<0x{i:02X}>"] for i in range(256)}
    others = [i for i in range(max(vocabulary.values()) + 1) if i not in byte.values()]
    yield []
    for sequence in BYTES:
        yield [byte[b] for b in sequence]
    for _ in range(60):
        ids = []
        for _ in range(rng.randint(1, 12)):
            kind = rng.random()
            if kind < 0.5:
                ids += [byte[b] for b in rng.choice(BYTES)]
            elif kind < 0.6:
                ids.append(rng.choice(list(byte.values())))
            elif kind < 0.7:
                ids.append(rng.choice([0, 1, 2]))  # special
            else:
                ids.append(rng.choice(others))
        yield ids


if __name__ == "__main__":
    rng = random.Random(11)
    content = json.loads((HERE / "llama.json").read_text())
    lines = []
    for decoder in DECODERS:
        changed = {**content, "decoder": {"type": "Sequence", "decoders": decoder}} if decoder else content
        tokenizer = Tokenizer.from_str(json.dumps(changed))
        for ids in lists(rng, tokenizer.get_vocab()):
            texts = {"text": tokenizer.decode(ids, skip_special_tokens=False), "plain": tokenizer.decode(ids)}
            lines.append(json.dumps({"decoder": changed["decoder"] if decoder else None, "ids": ids, **texts}))
    (HERE / "decoding.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
