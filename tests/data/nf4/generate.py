"""Writes weights.safetensors beside this file: tensors, and what bitsandbytes makes of them. Run it with a Python that has
torch, numpy, safetensors and bitsandbytes (0.50 was used; on the CPU):

    python tests/data/nf4/generate.py

For each NAME: `NAME` f32, the tensor; `NAME.codes` u8, two NF4 codes a byte; `NAME.magnitudes` f32, of its blocks of 64;
`NAME.scales` u8, `NAME.scale_blocks` f32 and `NAME.mean` f32[1], their second quantisation; `NAME.back` f32, dequantised. `map` f32[256]: the
dynamic map that scales are codes of. map.safetensors has `map`, and `nf4`, the sixteen values.

bitsandbytes quantises magnitudes through a table of bins on the CPU; `NAME.scales` are the nearest entries of its map, as
its CUDA kernels take them, and this script says how often the CPU differs.
"""
import pathlib

import bitsandbytes.functional as bnb
import numpy
import safetensors.torch
import torch

HERE = pathlib.Path(__file__).parent


def nearest(x, values):
    """Codes of the nearest entries; in the middle of two, the lower one."""
    return torch.bucketize(x, (values[:-1] + values[1:]) / 2).to(torch.uint8)


def main():
    random = numpy.random.Generator(numpy.random.PCG64(3000))
    normal = random.standard_normal((24, 700)) * 0.02
    outliers = random.standard_normal((40, 64)) * numpy.exp(random.standard_normal((40, 1)) * 2)
    outliers[3] = 0  # a block of zeros stays zero
    ragged = random.uniform(-1, 1, (7, 11))  # 77 elements: a whole block and a part of one
    kept = {"map": bnb.create_dynamic_map()}
    for name, values in {"normal": normal, "outliers": outliers, "ragged": ragged}.items():
        x = torch.tensor(values, dtype=torch.float32)
        plain, state = bnb.quantize_4bit(x, blocksize=64, quant_type="nf4", compress_statistics=False)
        codes, nested = bnb.quantize_4bit(x, blocksize=64, quant_type="nf4", compress_statistics=True)
        assert torch.equal(plain, codes)
        mean = state.absmax.mean()
        magnitudes = state.absmax - mean
        values = bnb.create_dynamic_map()
        scales = []
        for block in magnitudes.split(256):
            inverse = 1 / block.abs().max().clamp(min=1e-38)
            scales.append(nearest((block * inverse).clamp(-1, 1), values))
        scales = torch.cat(scales)
        differ = (scales != nested.absmax).sum().item()
        print(f"{name}: bitsandbytes' CPU takes another code for {differ} of {len(scales)} magnitudes")
        nested.absmax = scales
        kept |= {name: x, f"{name}.codes": codes.flatten(), f"{name}.magnitudes": state.absmax, f"{name}.scales": scales,
                 f"{name}.scale_blocks": nested.state2.absmax, f"{name}.mean": mean.reshape(1),
                 f"{name}.back": bnb.dequantize_4bit(codes, nested).contiguous()}
    safetensors.torch.save_file(kept, HERE / "weights.safetensors")
    tables = {"map": kept["map"], "nf4": bnb.get_4bit_type("nf4", device="cpu")}
    safetensors.torch.save_file({key: table.contiguous() for key, table in tables.items()}, HERE / "map.safetensors")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
