"""Reads safetensors files with nothing but Python: what the tests compare tensors with."""

import array
import json
import math
import struct
import sys
from pathlib import Path


class Tensor:
    """`values` is flat, row-major, an array of f32 (array 'f') or i32 (array 'i'); bf16 and f16 arrive as f32."""

    def __init__(self, dtype, shape, values):
        self.dtype, self.shape, self.values = dtype, shape, values


def _decode(dtype, raw):
    if dtype == "F16":
        return array.array("f", struct.unpack(f"<{len(raw) // 2}e", raw))
    if dtype == "BF16":
        raw = b"".join(b"\0\0" + raw[i : i + 2] for i in range(0, len(raw), 2))
    values = array.array({"F32": "f", "BF16": "f", "I32": "i"}[dtype])
    values.frombytes(raw)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def read_tensors(path):
    """Name -> Tensor of one .safetensors file."""
    data = Path(path).read_bytes()
    (header_size,) = struct.unpack_from("<Q", data)
    header, start = json.loads(data[8 : 8 + header_size]), 8 + header_size
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        tensor = Tensor(entry["dtype"], entry["shape"], _decode(entry["dtype"], data[start + begin : start + end]))
        if math.prod(tensor.shape) != len(tensor.values):
            raise ValueError(f"{path}: {name} has {len(tensor.values)} values where its shape is {tensor.shape}")
        tensors[name] = tensor
    return tensors


def largest(values):
    """Largest absolute value; inf when one is NaN."""
    return max(math.inf if math.isnan(value) else abs(value) for value in values)


def largest_difference(left, right):
    """Largest |left - right| over two flat sequences of one length; inf when one is NaN."""
    if len(left) != len(right):
        raise ValueError(f"{len(left)} values against {len(right)}")
    return largest(a - b for a, b in zip(left, right))
