"""Writes vectors.safetensors: what bitsandbytes makes of the same numbers, for tests/backend/adamw8bit_test.cc.

  python3 -m venv venv && venv/bin/pip install bitsandbytes==0.50.2 torch==2.15.0 safetensors
  venv/bin/python make_vectors.py

Maps, codes and scales come from bitsandbytes' portable kernels (backends/default), which follow the paper and the CUDA
kernels: the nearest entry. Its own CPU library of this version does not: it looks the code up by a few leading bits, so
that 0 becomes 2e-5 of the block's largest and a third of the second moments get another code. The update is its CPU
optimizer's, with these kernels in place of that library.
"""

import bitsandbytes.backends.cpu.ops as cpu
import bitsandbytes.functional as functional
import torch
from safetensors.torch import save_file

BLOCK, BLOCKS, STEPS = 256, 6, 3
portable = torch._C.DispatchKeySet(torch._C.DispatchKey.CompositeExplicitAutograd)
ops = torch.ops.bitsandbytes


def quantize(x, code):
    return ops.quantize_blockwise.default.redispatch(portable, x, code, BLOCK)


def dequantize(codes, scales, code):
    return ops.dequantize_blockwise.default.redispatch(portable, codes, scales, code, BLOCK, torch.float32)


def numbers(generator, spread):
    """Over many decades, with zeros, repeated maxima and whole blocks that are 0 or tiny."""
    x = torch.randn(BLOCKS, BLOCK, generator=generator)
    x = x * torch.exp(spread * torch.randn(BLOCKS, BLOCK, generator=generator))
    x[0, 7] = x[1, ::3] = x[2] = 0
    x[3, 5] = -2 * x[3].abs().max()
    x[4] *= 1e-36
    return x.reshape(-1)


def quantize_into(x, code, scales, codes, _):
    made, made_scales = quantize(x, code)
    codes.copy_(made)
    scales.copy_(made_scales)


def main():
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(8)
    signed, unsigned = functional.create_dynamic_map(True), functional.create_dynamic_map(False)
    tensors = {"signed_map": signed, "unsigned_map": unsigned}
    x = numbers(generator, 2)
    codes, scales = quantize(x, signed)
    tensors |= {"x": x, "x_codes": codes, "x_scales": scales}

    cpu._dequant_blockwise_fp32_direct = lambda codes, scales, code, _: dequantize(codes, scales, code)
    cpu._quant_blockwise_fp32_direct = quantize_into
    n = BLOCKS * BLOCK
    p = torch.randn(n, generator=generator)
    m, v = torch.zeros(n, dtype=torch.uint8), torch.zeros(n, dtype=torch.uint8)
    m_scale, v_scale = torch.zeros(BLOCKS), torch.zeros(BLOCKS)
    tensors["p0"] = p.clone()
    for step in range(1, STEPS + 1):
        g = numbers(generator, 1)
        tensors[f"g{step}"] = g
        cpu._optimizer_update_8bit_blockwise_cpu(
            "adam", g, p, m, v, 0.9, 0.95, 0.0, 0.0, 1e-8, step, 1e-2, signed, unsigned, m_scale, v_scale, 0.1, 1.0
        )
        state = {"p": p, "m": m, "v": v, "m_scale": m_scale, "v_scale": v_scale}
        tensors |= {f"{name}{step}": tensor.clone() for name, tensor in state.items()}
    save_file(tensors, "vectors.safetensors")


if __name__ == "__main__":
    main()
