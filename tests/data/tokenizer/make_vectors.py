"""Makes the tokenizers, texts and ids that tests/formats/tokenizer_test.cc compares with: each NAME.json is a
tokenizer.json trained on the texts below, texts.json holds the awkward texts, NAME.ids.json what `tokenizers` makes of
them. corpus.txt is a text to train on and trained.json the pieces and merges that the library's trainer finds in it;
where trained/tokenizer.json exists (headroom wrote it from the same text: tests/formats/bpe_trainer_test.cc says how), its ids too.

Needs `pip install tokenizers` (written with 0.23). Run in this directory: python make_vectors.py
"""

import json
import os
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SAMPLES = [
    "The quick brown fox jumps over the lazy dog. It's what we'd've done, wouldn't they'll I'm you're HE'S.",
    "int main(int argc, char** argv) {\n    for (int i = 0; i < 10; ++i) {\n\t\tprintf(\"%d\\n\", i);\n    }\n    return 0;\n}\n",
    "def f(x):\r\n    return {'a': x ** 2, \"b\": [1, 2.5e-3, 0xFF]}  # comment\r\n",
    "深度学习模型在预算内训练。中文句子，没有空格！",
    "日本語のテキストはカタカナとひらがなを混ぜる。",
    "한국어 문장은 띄어쓰기가 있습니다.",
    "Привет, мир! Это русский текст с ёлкой.",
    "Γειά σου Κόσμε, ελληνικά με τόνους.",
    "مرحبا بالعالم، هذا نص عربي مع ١٢٣.",
    "שלום עולם, טקסט בעברית.",
    "नमस्ते दुनिया, यह हिन्दी पाठ है। १२३",
    "สวัสดีชาวโลก ภาษาไทยไม่มีช่องว่าง",
    "Xin chào thế giới, tiếng Việt có dấu.",
    "Zażółć gęślą jaźń, Straße, naïve café, ﬁn ﬀ",
    "🙂👍🏽👨‍👩‍👧‍👦🏳️‍🌈🇩🇪 emoji with joiners ✨🩵🫨",
    "3.14159 1,000,000 12345678901234567890 ½ Ⅷ ² ๓ ४५६ 𝟘𝟙",
    "a  b   c    d\t\te \n\n\n f \r\n\r\n g\u00a0h\u3000i\u2003j\u200bk\u180el\u0085m\u2028n",
    "math: ∑ ∫ √ ≤ ≠ → ⇒ ∀x∈ℝ, α²+β²=γ² 𝒜 Ω K Å ſ K",
    "<s>hello</s> <|im_start|>user\nhi<|im_end|> <pad><s> <s</s>> <sp><special> <spec",
    "https://example.com/a_b-c?d=e&f=%20#frag foo_bar CamelCase SCREAMING_CASE kebab-case a.b.c",
    "!!! ??? ... ---- ==== ____ **** //// (((()))) [[[]]] {{{}}} <<>> ;;;; ,,,, ~~~ ``` \"\"\" ''' \\\\",
    "𐐀𐐨 𓀀 𑢠 𞤀 \u2ebf0 \U0002ebf0\U00031350 \ua7cb \U00011f50",
    "e\u0301 a\u0308 \u1112\u1161\u11ab \u0915\u094d\u0937 combining z\u0335\u0336\u0337",
]
SPECIAL = ["<s>", "</s>", "<pad>", "<|im_start|>", "<|im_end|>"]


def awkward_texts():
    rng = random.Random(20261121)
    texts = ["", " ", "  ", "\n", "\r\n", "\t", "a", " a", "a ", "'", "'s", "'S", " 's", "\u0000", "\ufeffbom", "\u180e \u180e"]
    texts += SAMPLES
    texts += [s + t for s in ("", " ") for t in SPECIAL] + ["".join(SPECIAL), " ".join(SPECIAL), "<s><s>  <s> x</s>"]
    for n in (1, 2, 3, 4, 5, 7, 8, 15, 16, 31, 63, 200):
        texts += [" " * n, "a" * n, "x" + " " * n + "y", "\n" * n + " z", "7" * n, "=" * n, "\u4e2d" * n, " \n" * n, "ab" * n + "!"]
    alphabet = list("".join(SAMPLES)) + [" "] * 60 + list("\n\t\r'\"") + list("etaoin") * 5
    pieces = SPECIAL + ["'ll", "'ve", "\r\n", "  ", "\n\n", "<", ">", "|", "s", "</"]
    for _ in range(120):
        texts.append("".join(rng.choice(alphabet) for _ in range(rng.randint(1, 60))))
    for _ in range(40):
        texts.append("".join(rng.choice(pieces) if rng.random() < 0.4 else rng.choice(alphabet) for _ in range(rng.randint(2, 30))))
    for _ in range(60):
        points = [rng.randrange(0x110000) for _ in range(20)] + [rng.randrange(0x3000) for _ in range(20)]
        texts.append("".join(chr(p) for p in points if not 0xD800 <= p < 0xE000))
    words = " ".join(SAMPLES).split(" ")
    for _ in range(40):
        texts.append(rng.choice([" ", "  ", "\n", ""]).join(rng.choice(words) for _ in range(rng.randint(2, 12))))
    return texts


def isolated(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated")


LETTERS = r"A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u0370-\u0373\u0386\u0388-\u038a\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u1e00-\u1f15\u1f7d\u2126\u212a-\u212d\uff21-\uff3a\U00010400-\U0001044f"
LETTERS = LETTERS.encode().decode("unicode_escape")
BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
WORDS = {
    "gpt2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "deepseek_llm": pre_tokenizers.Sequence(
        [
            isolated(r"[\r\n]"),
            isolated(r"\s?[" + LETTERS + r"]+"),
            isolated(r"\s?[!-/:-~！-／：-～‘-‟　-。]+"),
            isolated(r"\s+$"),
            isolated("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"),
            pre_tokenizers.Digits(individual_digits=True),
            BYTES,
        ]
    ),
    "deepseek_v3": pre_tokenizers.Sequence(
        [
            isolated(r"\p{N}{1,3}"),
            isolated(r"[一-龥぀-ゟ゠-ヿ]+"),
            isolated(
                r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            ),
            BYTES,
        ]
    ),
    "llama3": pre_tokenizers.Sequence(
        [
            isolated(
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            ),
            BYTES,
        ]
    ),
}


def special_tokens(normalized):
    return [AddedToken(s, special=s != "<|im_end|>", normalized=normalized) for s in SPECIAL]


def byte_level(name, texts=SAMPLES * 2, vocab_size=700):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = WORDS[name]
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        show_progress=False,
        special_tokens=special_tokens(normalized=False) if name == "gpt2" else [],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    if name != "gpt2":
        tokenizer.add_tokens(special_tokens(normalized=name == "deepseek_llm"))
    begin = tokenizer.token_to_id("<s>")
    template = processors.TemplateProcessing(
        single="<s> $A" if name != "llama3" else "<s> $A </s>",
        special_tokens=[("<s>", begin), ("</s>", tokenizer.token_to_id("</s>"))],
    )
    if name == "gpt2":
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    elif name == "llama3":
        tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    else:
        tokenizer.post_processor = template
    spec = json.loads(tokenizer.to_str())
    spec["model"]["ignore_merges"] = name == "llama3"
    if name == "deepseek_llm":
        spec["normalizer"] = {"type": "Sequence", "normalizers": []}
        spec["model"]["merges"] = [" ".join(pair) for pair in spec["model"]["merges"]]
    return spec


# Few scripts, so that bytes are needed for the others.
FEW_SCRIPTS = SAMPLES[:3] + SAMPLES[6:8] + SAMPLES[12:14]


def byte_fallback(texts=FEW_SCRIPTS, vocab_size=700):
    """Pieces of characters, as SentencePiece makes them: several merges may build one piece."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    first = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False, special_tokens=first)
    splitter = pre_tokenizers.Split("\u2581", "merged_with_next")
    tokenizer.pre_tokenizer = splitter
    tokenizer.train_from_iterator(texts, trainer)
    spec = json.loads(tokenizer.to_str())
    vocab = spec["model"]["vocab"]
    spec["pre_tokenizer"] = None
    spec["added_tokens"] = spec["added_tokens"][:3]
    order = sorted((piece for piece in vocab if len(piece) > 1 and vocab[piece] >= len(first)), key=vocab.get)
    spec["model"]["merges"] = [
        [piece[:i], piece[i:]] for piece in order for i in range(1, len(piece)) if piece[:i] in vocab and piece[i:] in vocab
    ]
    spec["model"].update(byte_fallback=True, fuse_unk=True, unk_token="<unk>")
    spec["post_processor"] = json.loads(
        processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)]).__getstate__().decode()
    )
    return spec


def trained(kind, texts, vocab_size):
    """A tokenizer of one of the kinds on other texts: bench/tokenizer_speed.py."""
    if kind == "llama":
        return byte_fallback(texts, vocab_size)
    return byte_level(kind, texts, vocab_size)


def write(name, value, indent=None):
    with open(name, "w") as out:
        json.dump(value, out, ensure_ascii=False if indent else True, indent=indent, separators=None if indent else (",", ":"))
        out.write("\n")


def ids_of(tokenizer, texts):
    """ids of every text; decoded: what the ids of text i become, special tokens skipped where i is even, if not text i."""
    ids = [tokenizer.encode(text).ids for text in texts]
    decoded = {}
    for i, text in enumerate(texts):
        back = tokenizer.decode(ids[i], skip_special_tokens=i % 2 == 0)
        if back != text:
            decoded[i] = back
    return {"ids": ids, "decoded": decoded}


def train_on_corpus(texts):
    rng = random.Random(5)
    words = " ".join(SAMPLES).split(" ") + texts[-40:]
    corpus = "".join(rng.choice(words) + rng.choice([" ", " ", " ", "\n", "  ", ", "]) for _ in range(3000))
    with open("corpus.txt", "w", newline="") as out:
        out.write(corpus)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=1200,
        min_frequency=2,
        show_progress=False,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([corpus], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    write("trained.json", {"vocab": model["vocab"], "merges": model["merges"]})
    if os.path.exists("trained/tokenizer.json"):
        write("trained/ids.json", ids_of(Tokenizer.from_file("trained/tokenizer.json"), texts))


def main():
    texts = awkward_texts()
    write("texts.json", texts)
    train_on_corpus(texts)
    specs = {name: byte_level(name) for name in WORDS}
    specs["llama"] = byte_fallback()
    for name, spec in specs.items():
        write(f"{name}.json", spec, indent=1)
        write(f"{name}.ids.json", ids_of(Tokenizer.from_file(f"{name}.json"), texts))


if __name__ == "__main__":
    main()
