"""Prints batches of random ids for `headroom train --tokens` and train_torch.py, the same ones for the same seed."""
import argparse
import json
import random

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--vocab", type=int, required=True)
parser.add_argument("--batch-size", type=int, default=4)
parser.add_argument("--seq-len", type=int, default=128)
parser.add_argument("--steps", type=int, default=8)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

draw = random.Random(args.seed)
print(json.dumps({"batches": [[[draw.randrange(args.vocab) for _ in range(args.seq_len)]
                               for _ in range(args.batch_size)] for _ in range(args.steps)]}))
