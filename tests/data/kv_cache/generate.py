"""Writes rows.safetensors beside this file: rows of keys, and what q8 and q4 caches make of them, by the formula of
docs/arithmetic.md in numpy. Run it with a Python that has numpy and safetensors:

    python tests/data/kv_cache/generate.py

`rows` f32[19, 64]; for b of 8 and 4 and G of 32 and 8: `qb_gG.codes` u8[19, 64], `.scales` and `.lows` u8[19, 128 / G], the bytes of f16, `.back`
f32[19, 64], the elements again.
"""

import pathlib

import numpy
import safetensors.numpy

F32, F16 = numpy.float32, numpy.float16


def encode(row, bits, group):
    """Codes, scales and lows of one row."""
    codes, scales, lows = [], [], []
    most = F32(2**bits - 1)
    for x in row.reshape(-1, group):
        if not numpy.isfinite(x).all():
            low = scale = F16(numpy.nan)
        else:
            low = F16(x.min() + F32(0))
            scale = F16(max(x.max() - F32(low), F32(0)) / most)
        if not (numpy.isfinite(low) and numpy.isfinite(scale)):
            low = scale = F16(numpy.nan)
        usable = scale > 0
        code = numpy.rint((x - F32(low)) / F32(scale)) if usable else numpy.zeros(group, F32)
        codes.append(numpy.clip(code, F32(0), most).astype(numpy.uint8))
        scales.append(scale)
        lows.append(low)
    return numpy.concatenate(codes), numpy.array(scales), numpy.array(lows)


def main():
    random = numpy.random.Generator(numpy.random.PCG64(14))
    rows = random.standard_normal((19, 64)).astype(F32)
    rows[1] *= F32(1e-6)  # scales are denormals of f16
    rows[2] += F32(40)  # far from zero
    rows[3] = F32(0.7)  # all alike
    rows[4] = F32(0)
    rows[5, 9] = F32(300)  # an outlier
    rows[6, 40] = F32("nan")
    rows[7, 3] = F32("inf")
    rows[8, 33] = F32("-inf")
    rows[9] *= F32(3e4)  # some lows are beyond f16
    rows[10, :32] = numpy.minimum(numpy.arange(32) / F32(2), 15)  # ties of 4 bits
    rows[10, 32:] = numpy.minimum(numpy.arange(32) * F32(8.5), 255)  # of 8 bits
    rows[11] *= F32(1e-30)
    rows[12, ::2] = F32(-0.0)
    rows[12, 1::2] = F32(0)
    tensors = {"rows": rows}
    with numpy.errstate(all="ignore"):
        for bits in (8, 4):
            for group in (32, 8):
                name = f"q{bits}_g{group}"
                codes, scales, lows = (numpy.stack(part) for part in zip(*(encode(row, bits, group) for row in rows)))
                wide = [numpy.repeat(part.astype(numpy.float64), group, axis=1) for part in (scales, lows)]
                tensors[name + ".codes"] = codes
                tensors[name + ".scales"] = scales.view(numpy.uint8)
                tensors[name + ".lows"] = lows.view(numpy.uint8)
                # In f64 the product is exact and the sum nearly so: one rounding, as of an fma.
                tensors[name + ".back"] = (codes * wide[0] + wide[1]).astype(F32)
    safetensors.numpy.save_file(tensors, pathlib.Path(__file__).parent / "rows.safetensors")


if __name__ == "__main__":
    main()
