"""Writes python.safetensors with the reference implementation.

pip install safetensors numpy ml_dtypes; then: python make.py
Element i of each of the 3 x 4 tensors is i - 3.
"""

from pathlib import Path

import ml_dtypes
import numpy
from safetensors.numpy import save_file

values = numpy.arange(12).reshape(3, 4) - 3
tensors = {
    "f64": values.astype(numpy.float64),
    "f32": values.astype(numpy.float32),
    "f16": values.astype(numpy.float16),
    "bf16": values.astype(ml_dtypes.bfloat16),
    "i32": numpy.array([0, 1 << 20], dtype=numpy.int32),
    "scalar": numpy.array(2.5, dtype=numpy.float32),
    "empty": numpy.zeros((0, 3), dtype=numpy.float32),
}
save_file(tensors, Path(__file__).parent / "python.safetensors", metadata={"format": "pt"})
