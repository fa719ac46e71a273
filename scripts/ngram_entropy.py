"""What counting alone can do on the held-out text, beside what the model does: in nats a token.

  python3 scripts/ngram_entropy.py TRAIN.tokens HELD_OUT.tokens [--report train.json]

unigram, bigram: the mean of -log p(token) and -log p(token | token before) over the held-out tokens, p by the counts of
the whole corpus, the held-out text included: no table of pairs that has not seen the text can do as well. With
--report, the exit code is 0 only if the model's held-out loss is below the bigram's.
"""

import argparse
import array
import json
import math
import sys
from collections import Counter

HEADER_BYTES = 128  # of a token file: src/headroom/data/token_file.h


def tokens_of(path):
    with open(path, "rb") as file:
        file.seek(HEADER_BYTES)
        tokens = array.array("i")
        tokens.frombytes(file.read())
    return tokens


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("held_out")
    parser.add_argument("--report")
    arguments = parser.parse_args()
    train, held_out = tokens_of(arguments.train), tokens_of(arguments.held_out)
    singles = Counter(train) + Counter(held_out)
    pairs = Counter(zip(train, train[1:])) + Counter(zip(held_out, held_out[1:]))
    before = Counter(train[:-1]) + Counter(held_out[:-1])
    total = len(train) + len(held_out)
    predictions = len(held_out) - 1
    unigram = -sum(math.log(singles[token] / total) for token in held_out[1:]) / predictions
    bigram = -sum(math.log(pairs[pair] / before[pair[0]]) for pair in zip(held_out, held_out[1:])) / predictions
    print(f"held-out text, {len(held_out)} tokens, nats a token:  unigram {unigram:.3f}  bigram {bigram:.3f}", end="")
    if not arguments.report:
        print()
        return 0
    with open(arguments.report, encoding="utf-8") as file:
        model = json.load(file)["eval_loss"]
    print(f"  this model {model:.3f}")
    if model < bigram:
        return 0
    print(f"the model's loss is not below the bigram's: {model:.3f} >= {bigram:.3f}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
