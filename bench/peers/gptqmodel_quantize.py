"""GPTQModel on the CPU, with the rows of tokens that `headroom quantize` takes: for bench/quantisation.py.

  python gptqmodel_quantize.py MODEL OUTPUT --calibration text.txt --bits 4 --group-size 128 --samples 64 --seq-len 512

Its own settings otherwise (group-aware activation order). Prints its seconds and "peak_bytes N" (VmHWM).
"""

import argparse
import os
import resource
import time
from pathlib import Path

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")

import torch
from gptqmodel import GPTQModel, QuantizeConfig
from tokenizers import Tokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("output")
    parser.add_argument("--calibration", required=True)
    for flag, default in [("--bits", 4), ("--group-size", 128), ("--samples", 64), ("--seq-len", 512)]:
        parser.add_argument(flag, type=int, default=default)
    parser.add_argument("--damping", type=float, default=0.05)
    options = parser.parse_args()
    text = Path(options.calibration).read_text(encoding="utf-8")
    ids = Tokenizer.from_file(f"{options.model}/tokenizer.json").encode(text, add_special_tokens=False).ids
    length = options.seq_len
    count = len(ids) // length
    rows = []
    for row in range(options.samples):
        first = row * count // options.samples * length
        rows.append({"input_ids": torch.tensor([ids[first : first + length]]),
                     "attention_mask": torch.ones(1, length, dtype=torch.long)})  # fmt: skip
    begin = time.monotonic()
    config = QuantizeConfig(bits=options.bits, group_size=options.group_size, damp_percent=options.damping)
    model = GPTQModel.load(options.model, config, device="cpu", torch_dtype=torch.float32)
    model.quantize(rows, batch_size=1)
    model.save(options.output)
    print("seconds", time.monotonic() - begin)
    print("peak_bytes", 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    main()
