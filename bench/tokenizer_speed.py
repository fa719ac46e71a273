"""headroom's tokenizers beside the `tokenizers` package, one thread each, on the same text.

  python3 bench/tokenizer_speed.py [--bench build/bench/bench_tokenize] [--cache DIR] [--kinds gpt2,llama] [--rounds 5]
                              [--text PATH...] [--tokenizer KIND=FILE...]

Needs a Python that has `tokenizers`. The text, 10 MB, is put together from the files below PATH (source code,
documentation, message catalogues .mo; what of these the machine has): every tenth file for the measurement, the others
train a tokenizer of each kind of tests/data/tokenizer/make_vectors.py with a vocabulary of real size, kept in DIR. A
tokenizer that is given by --tokenizer is not trained.

Both sides encode the same documents of the size that the package is fastest with. Rounds alternate; a figure is the
median of a side's processor time, which other programs on the machine disturb least. Ids must be equal.
"""

import argparse
import array
import gettext
import importlib.util
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import tokenizers  # noqa: E402  (reads the environment when it is loaded)

MB = 1_000_000
TEXT_BYTES = 10 * MB
TRAINING_BYTES = 40 * MB
VOCABULARIES = {"gpt2": 50257, "deepseek_llm": 100000, "deepseek_v3": 128000, "llama3": 128000, "llama": 32000}
SOURCES = ["/usr/include", "/usr/lib/python3.11", "/usr/share/doc"]
LANGUAGES = ["ar", "de", "el", "fr", "ja", "ko", "ru", "zh_CN"]
DOCUMENT_BYTES = [1000, 4000, 16000]


def read_text(path):
    try:
        if path.suffix == ".mo":
            with path.open("rb") as file:
                catalogue = gettext.GNUTranslations(file)._catalog
            return "\n".join(text for text in catalogue.values() if isinstance(text, str))
        return path.read_bytes().decode("utf-8")
    except (UnicodeDecodeError, OSError):
        return ""


def gather(paths, total_bytes, keep):
    """Texts below each path, in a fixed order, an equal share of bytes from each; `keep(number)` picks files."""
    texts = []
    for path in paths:
        left = total_bytes // len(paths)
        files = [file for file in sorted(Path(path).rglob("*")) if file.is_file() and not file.is_symlink()]
        for number, file in enumerate(files):
            if left <= 0:
                break
            text = read_text(file) if keep(number) and file.suffix not in (".gz", ".so", ".a", ".pyc") else ""
            text = text[: min(left, 200_000)]
            left -= len(text.encode())
            texts.append(text)
    random.Random(1).shuffle(texts)
    return "\n".join(texts)


def text_for_measuring(paths):
    text = gather(paths, TEXT_BYTES, lambda number: number % 10 == 0).encode()
    if not text:
        sys.exit("no text below " + ", ".join(paths))
    text = text * (TEXT_BYTES // len(text) + 1)
    return text[:TEXT_BYTES].decode(errors="ignore").encode()


def train(kind, paths, target):
    path = Path(__file__).parent.parent / "tests/data/tokenizer/make_vectors.py"
    spec = importlib.util.spec_from_file_location("make_vectors", path)
    vectors = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(vectors)
    text = gather(paths, TRAINING_BYTES, lambda number: number % 10 != 0)
    texts = [text[at : at + 20_000] for at in range(0, len(text), 20_000)]
    tokenizer = vectors.trained(kind, texts, VOCABULARIES[kind])
    target.write_text(json.dumps(tokenizer, ensure_ascii=False, indent=2), encoding="utf-8")


def documents_of(text, size):
    """Cut between characters, as bench_tokenize does."""
    documents = []
    at = 0
    while at < len(text):
        end = min(len(text), at + size)
        while end < len(text) and text[end] & 0xC0 == 0x80:
            end += 1
        documents.append(text[at:end].decode())
        at = end
    return documents


def package_seconds(tokenizer, documents):
    start = time.process_time()
    encodings = tokenizer.encode_batch_fast(documents, add_special_tokens=False)
    return time.process_time() - start, encodings


def measure(kind, file, text, bench, rounds):
    start = time.process_time()
    tokenizer = tokenizers.Tokenizer.from_file(str(file))
    package_load = time.process_time() - start
    tried = {size: package_seconds(tokenizer, documents_of(text, size))[0] for size in DOCUMENT_BYTES}
    size = min(tried, key=tried.get)
    documents = documents_of(text, size)
    theirs, ours, loads = [], [], []
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "text").write_bytes(text)
        command = [bench, file, f"{directory}/text", str(size), "1", f"{directory}/ids"]
        for _ in range(rounds):
            seconds, encodings = package_seconds(tokenizer, documents)
            theirs.append(seconds)
            result = subprocess.run(command, capture_output=True, check=True, encoding="utf-8")
            load, encode = result.stdout.split()
            loads.append(float(load))
            ours.append(float(encode))
        ids = array.array("i", (Path(directory) / "ids").read_bytes())
    expected = array.array("i", (id for encoding in encodings for id in encoding.ids))
    theirs_rate, ours_rate = (len(text) / MB / statistics.median(side) for side in (theirs, ours))
    print(
        f"{kind:<13} {tokenizer.get_vocab_size():>7} {Path(file).stat().st_size / MB:>6.1f} {len(ids):>9,} {size:>6}"
        f" {theirs_rate:>8.2f} {ours_rate:>8.2f} {ours_rate / theirs_rate:>6.1f}x"
        f" {package_load:>8.2f} {statistics.median(loads):>8.2f}   {'equal' if ids == expected else 'DIFFERENT'}",
        flush=True,
    )
    return ids == expected


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default="build/bench/bench_tokenize")
    parser.add_argument("--cache", type=Path, default=Path("build/bench/tokenizers"))
    parser.add_argument("--kinds", default=",".join(VOCABULARIES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--text", nargs="+", default=SOURCES + [f"/usr/share/locale/{name}" for name in LANGUAGES])
    parser.add_argument("--tokenizer", nargs="*", default=[], metavar="KIND=FILE")
    args = parser.parse_args()

    files = dict(pair.split("=", 1) for pair in args.tokenizer)
    args.cache.mkdir(parents=True, exist_ok=True)
    for kind in args.kinds.split(","):
        if kind in files:
            continue
        files[kind] = args.cache / f"{kind}.json"
        if not files[kind].exists():
            print(f"training {kind}", file=sys.stderr)
            train(kind, args.text, files[kind])
    text = text_for_measuring(args.text)
    print(f"{len(text) / MB:.1f} MB; tokenizers {tokenizers.__version__}, Python {platform.python_version()}")
    print("kind           pieces file MB       ids doc B  pkg MB/s our MB/s  ratio pkg load our load s  ids")
    equal = [measure(kind, files[kind], text, args.bench, args.rounds) for kind in args.kinds.split(",")]
    sys.exit(0 if all(equal) else 1)


if __name__ == "__main__":
    main()
