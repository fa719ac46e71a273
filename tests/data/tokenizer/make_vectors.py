"""Makes the tokenizers, texts and ids that tests/formats/tokenizer_test.cc compares with: each NAME.json is a
tokenizer.json trained on the texts below, texts.json holds the awkward texts, NAME.ids.json what `tokenizers` makes of
them. corpus.txt is a text to train on and trained.json the pieces and merges that the library's trainer finds in it;
where trained/tokenizer.json exists (headroom wrote it from the same text: tests/formats/bpe_trainer_test.cc says how), its ids too.
many_texts.json holds some two thousand more texts and many_ids.json, for every kind, a hash of the ids and of the decoded
text of each, in order; `python make_vectors.py NAME INDEX` prints what is behind one of them.

Needs `pip install tokenizers` (written with 0.23). Run in this directory: python make_vectors.py
"""

import json
import os
import random
import sys

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


SCRIPTS = [
    (0x20, 0x7E), (0xA0, 0x17F), (0x250, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x531, 0x587),
    (0x590, 0x5F4), (0x600, 0x6FF), (0x700, 0x74F), (0x900, 0x97F), (0x980, 0x9FE), (0xB00, 0xBFF), (0xC00, 0xCFF),
    (0xD00, 0xDFF), (0xE00, 0xE7F), (0xE80, 0xEFF), (0xF00, 0xFFF), (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF),
    (0x1200, 0x137F), (0x13A0, 0x13FF), (0x1780, 0x17FF), (0x1AB0, 0x1AFF), (0x1D00, 0x1DFF), (0x1E00, 0x1EFF),
    (0x1F00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x20CF), (0x20D0, 0x20FF), (0x2100, 0x214F), (0x2150, 0x218F),
    (0x2190, 0x22FF), (0x2460, 0x24FF), (0x2500, 0x27BF), (0x2C00, 0x2DFF), (0x3000, 0x303F), (0x3040, 0x30FF),
    (0x3130, 0x318F), (0x3200, 0x33FF), (0x4E00, 0x9FFF), (0xA640, 0xA69F), (0xA720, 0xA7FF), (0xAC00, 0xD7A3),
    (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE20, 0xFE2F), (0xFE30, 0xFEFF), (0xFF00, 0xFFEF), (0xFFF0, 0xFFFF),
    (0x10400, 0x1044F), (0x11000, 0x110FF), (0x11300, 0x1137F), (0x11900, 0x1195F), (0x16D40, 0x16D7F), (0x1D100, 0x1D1FF),
    (0x1D400, 0x1D7FF), (0x1E900, 0x1E95F), (0x1F100, 0x1F2FF), (0x1F300, 0x1F6FF), (0x1F900, 0x1FAFF), (0x20000, 0x20FFF),
    (0x2F800, 0x2FA1D), (0xE0100, 0xE01EF),
]  # fmt: skip
SPACES = [" ", " ", " ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\n\n", "\u00a0", "\u3000", "\u2003", "\u0085", "\u2028", "\x0b", "\u180e", "\u200b", ""]
MARKS = "\u0300\u0301\u0308\u0323\u0327\u0331\u0338\u0345\u05b0\u05bc\u064b\u0651\u093c\u094d\u09be\u0bd7\u0e38\u0f71\u0f72\u0f74\u1161\u11a8\u3099\u309a\u20d7\ufe0f\u1dce\u07fd\u0898"
CODE = ["def ", "return", "for(;;)", "{", "}", "();", "->", "=>", "::", "!=", "==", "    ", "\t", "//", "/*", "*/", "#include <x>", "x_1", "CamelCase", "0x1F", "1e-9", '"s"', "'c'", "&&", "||", "%d", "\\n", "@a", "$b", "`c`", "~", "^"]
JOINED = ["👨\u200d👩\u200d👧", "👍🏽", "🏳\ufe0f\u200d🌈", "🇩🇪", "❤\ufe0f", "1\ufe0f\u20e3", "🧑🏿\u200d🚀"]


def many_texts():
    rng = random.Random(4)
    words = " ".join(SAMPLES).split()
    texts = []

    def word():
        first, last = rng.choice(SCRIPTS)
        return "".join(chr(rng.randint(first, last)) for _ in range(rng.randint(1, 6))).encode(errors="ignore").decode()

    def marked():
        base = rng.choice(["a", "e", "o", "n", "\u1100", "\uac00", "\u0c46", "\u0928", "\u30ab", "\u03b1", "A", "\u212b", "\u0f40", "\U00011935", "\uff76", ""])
        return base + "".join(rng.choice(MARKS) for _ in range(rng.randint(1, 5)))

    def number():
        digits = rng.choice(["0123456789", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "０１２３４５６７８９", "½Ⅷ²๓𝟘", "\U00011de0\U00011de5"])
        return "".join(rng.choice(digits) for _ in range(rng.randint(1, 7)))

    def special():
        return rng.choice(SPACES) + rng.choice(SPECIAL + ["<s", "im_end", "|>", "<|", "token", "Token", "tokens"]) + rng.choice(SPACES)

    makers = [lambda: rng.choice(words), word, marked, number, special, lambda: rng.choice(CODE), lambda: rng.choice(JOINED)]
    for maker in makers:  # of one kind each, with and without spaces
        for _ in range(90):
            texts.append("".join(maker() + (rng.choice(SPACES) if rng.random() < 0.5 else "") for _ in range(rng.randint(1, 9))))
    for _ in range(1300):  # of all kinds
        texts.append("".join(rng.choice(makers)() + (rng.choice(SPACES) if rng.random() < 0.6 else "") for _ in range(rng.randint(1, 12))))
    for _ in range(60):  # long words
        texts.append(rng.choice(words + ["\u4e2d", "\u0e01", "a\u0301", "_", "9"]) * rng.randint(20, 150) + rng.choice(SPACES) + "x")
    for first, last in SCRIPTS:  # many characters of each block, each once
        points = rng.sample(range(first, last + 1), min(40, last + 1 - first))
        texts.append(" ".join(chr(p) for p in points))
    return texts


def isolated(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated")


LETTERS = r"A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u0370-\u0373\u0386\u0388-\u038a\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u1e00-\u1f15\u1f7d\u2126\u212a-\u212d\uff21-\uff3a\U00010400-\U0001044f"
LETTERS = LETTERS.encode().decode("unicode_escape")
CJK = isolated("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+")
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
    "deepseek_coder": pre_tokenizers.Sequence(
        [
            isolated(r"[\r\n]"),
            isolated(r"\s?\p{L}+"),
            isolated(r"\s?\p{P}+"),
            CJK,
            pre_tokenizers.Digits(individual_digits=True),
            BYTES,
        ]
    ),
    "qwen2": pre_tokenizers.Sequence(
        [
            isolated(
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            ),
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
    if name == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
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


EAGER = [
    AddedToken("<s>", special=True, normalized=False),
    AddedToken("</s>", special=True, normalized=False, lstrip=True),
    AddedToken("<|im_start|>", special=True, normalized=False, rstrip=True),
    AddedToken("<|im_end|>", special=False, normalized=False, lstrip=True, rstrip=True),
    AddedToken("<pad>", special=False, normalized=True),
    AddedToken("token", special=False, normalized=False, single_word=True),
    AddedToken("Token", special=False, normalized=True, single_word=True, lstrip=True),
]


def with_spaces_as_pieces(pre_tokenizer, decoder, normalizer=None, byte_fallback=True, unknown=None):
    """As SentencePiece has it, with the trainer's merges, and added tokens with every flag."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=byte_fallback, unk_token=unknown, fuse_unk=bool(unknown)))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder
    first = ["<unk>"] + ([f"<0x{b:02X}>" for b in range(256)] if byte_fallback else [])
    trainer = trainers.BpeTrainer(vocab_size=700, show_progress=False, special_tokens=first)
    tokenizer.train_from_iterator(SAMPLES[:14], trainer)
    tokenizer.add_tokens(EAGER)
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", tokenizer.token_to_id("</s>")), ("<s>", tokenizer.token_to_id("<s>"))
    )
    spec = json.loads(tokenizer.to_str())
    spec["added_tokens"] = [t for t in spec["added_tokens"] if not t["content"].startswith("<0x")]
    return spec


def space_kinds():
    fallback = [decoders.ByteFallback(), decoders.Fuse()]
    marks = pre_tokenizers.Split(Regex(r"[^\s\p{L}\p{N}\u2581]"), "merged_with_previous")
    return {
        # Words, each with its space; the decoder of the older Llama files.
        "metaspace": with_spaces_as_pieces(pre_tokenizers.Metaspace(), decoders.Metaspace()),
        # legacy=false: one word from one special token to the next, a space only where the text begins.
        "metaspace_first": with_spaces_as_pieces(
            pre_tokenizers.Metaspace(prepend_scheme="first", split=False),
            decoders.Sequence([decoders.Replace("\u2581", " "), *fallback, decoders.Strip(" ", 1, 0)]),
        ),
        # T5 and its like, from normalization on; what no piece holds is unknown.
        "nfkc": with_spaces_as_pieces(
            pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(), marks]),
            decoders.Metaspace(),
            normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), "\u2581"), normalizers.Strip(True, True)]),
            byte_fallback=False,
            unknown="<unk>",
        ),
        "nfd": with_spaces_as_pieces(
            pre_tokenizers.Sequence(
                [pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Metaspace(prepend_scheme="never")]
            ),
            decoders.Metaspace(prepend_scheme="never"),
            normalizers.NFD(),
        ),
        "nfkd": with_spaces_as_pieces(
            pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("merged_with_next")]),
            decoders.Sequence(fallback),
            normalizers.Sequence([normalizers.NFKD(), normalizers.Replace("ab", "ba")]),
        ),
    }


def byte_level_with_space():
    """GPT-2's as RoBERTa has it."""
    spec = byte_level("gpt2")
    spec["pre_tokenizer"]["add_prefix_space"] = True
    spec["added_tokens"][-1].update(lstrip=True)
    return spec


def hash_of(data):
    """FNV-1a, the upper 24 bits."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value >> 40:06x}"


def hashes_of(tokenizer, texts):
    ids = [tokenizer.encode(text).ids for text in texts]
    decoded = [tokenizer.decode(ids[i], skip_special_tokens=i % 2 == 0) for i in range(len(texts))]
    return {
        "ids": "".join(hash_of(b"".join(i.to_bytes(4, "little") for i in each)) for each in ids),
        "decoded": "".join(hash_of(text.encode()) for text in decoded),
    }


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
    more = {"gpt2_space": byte_level_with_space(), **space_kinds()}
    more |= {name: specs.pop(name) for name in ("deepseek_coder", "qwen2")}
    for name, spec in specs.items():
        write(f"{name}.json", spec, indent=1)
        write(f"{name}.ids.json", ids_of(Tokenizer.from_file(f"{name}.json"), texts))
    for name, spec in more.items():
        write(f"{name}.json", spec, indent=1)
    many = many_texts()
    with open("many_texts.json", "w") as out:
        json.dump(many, out, ensure_ascii=False, separators=(",", ":"))
    write("many_ids.json", {name: hashes_of(Tokenizer.from_file(f"{name}.json"), many) for name in (*specs, *more)})


def show(name, index):
    text = many_texts()[index]
    tokenizer = Tokenizer.from_file(f"{name}.json")
    encoded = tokenizer.encode(text)
    print(repr(text), encoded.ids, encoded.tokens, repr(tokenizer.decode(encoded.ids, index % 2 == 0)), sep="\n")


if __name__ == "__main__":
    show(sys.argv[1], int(sys.argv[2])) if len(sys.argv) == 3 else main()
