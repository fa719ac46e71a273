"""The grouped weight formats of docs/weight_formats.md in plain Python: the oracle for files of quantised weights."""

import json
import math
import re
import struct
from pathlib import Path

PANEL_ROWS, LINE, PAGE = 16, 64, 4096


def read_raw(path):
    """(metadata, name -> (dtype, shape, bytes)) of one .safetensors file."""
    data = Path(path).read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = (entry["dtype"], entry["shape"], data[8 + size + begin : 8 + size + end])
    return metadata, tensors


def write_raw(path, metadata, tensors):
    header, body = {"__metadata__": metadata}, b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + body)


def f32(number):
    return struct.unpack("<f", struct.pack("<f", number))[0]


def f16_bits(number):
    return struct.unpack("<H", struct.pack("<e", number))[0]


def f16(bits):
    return struct.unpack("<e", struct.pack("<H", bits))[0]


class Format:
    """Of a note like "int4_g128 [5504, 2048]": where things lie in the bytes of such a tensor."""

    def __init__(self, note):
        found = re.fullmatch(r"(u?)int([2348])_(?:g(32|64|128)|channel) \[(\d+), (\d+)\]", note)
        self.zeros, self.bits = found[1] == "u", int(found[2])
        self.rows, self.columns = int(found[4]), int(found[5])
        self.group = int(found[3] or self.columns)
        self.groups = self.columns // self.group
        self.panels = -(-self.rows // PANEL_ROWS)
        self.scales_at = 2 * self.bits * self.columns
        self.zeros_at = self.scales_at + 32 * self.groups
        used = self.zeros_at + (16 * self.groups if self.zeros else 0)
        self.panel_bytes = -(-used // LINE) * LINE
        self.bytes = -(-self.panels * self.panel_bytes // PAGE) * PAGE

    def places(self, row, k):
        """(byte, shift in it, bits, shift of the code) of each part of an element's code."""
        planes = [(2, 0, 0), (1, 4 * self.columns, 2)] if self.bits == 3 else [(self.bits, 0, 0)]
        begin = row // PANEL_ROWS * self.panel_bytes
        for bits, at, shift in planes:
            line, step = divmod(k // 4, 8 // bits)
            yield begin + at + LINE * line + row % PANEL_ROWS * 4 + k % 4, bits * step, bits, shift

    def place_of_group(self, row, group):
        """The bytes of its scale and of its zero."""
        begin, place = row // PANEL_ROWS * self.panel_bytes, group * PANEL_ROWS + row % PANEL_ROWS
        return begin + self.scales_at + 2 * place, begin + self.zeros_at + place


def decode(note, raw):
    """All elements, row by row."""
    form = Format(note)
    assert len(raw) == form.bytes, (note, len(raw))
    values = []
    for row in range(form.rows):
        for k in range(form.columns):
            code = 0
            for byte, up, bits, shift in form.places(row, k):
                code |= (raw[byte] >> up & (1 << bits) - 1) << shift
            scale_at, zero_at = form.place_of_group(row, k // form.group)
            zero = raw[zero_at] if form.zeros else 1 << form.bits - 1
            values.append(f32((code - zero) * f16(int.from_bytes(raw[scale_at : scale_at + 2], "little"))))
    return values


def grid(numbers, form):
    """(bits of the scale, zero) of a group."""
    steps = (1 << form.bits) - 1
    if not form.zeros:
        largest = 0.0
        for x in numbers:
            largest = x if abs(x) > abs(largest) else largest
        return f16_bits(-largest / (1 << form.bits - 1)), 1 << form.bits - 1
    low, high = min(0.0, *numbers), max(0.0, *numbers)
    bits = f16_bits(f32(f32(high - low) / steps))
    scale = f16(bits)
    return bits, min(steps, round(f32(-low / scale))) if scale else 0


def encode(note, values):
    """The bytes of a tensor, rounded to nearest."""
    form = Format(note)
    raw = bytearray(form.bytes)
    for row in range(form.rows):
        for group in range(form.groups):
            first = row * form.columns + group * form.group
            numbers = values[first : first + form.group]
            bits, zero = grid(numbers, form)
            scale_at, zero_at = form.place_of_group(row, group)
            raw[scale_at : scale_at + 2] = bits.to_bytes(2, "little")
            if form.zeros:
                raw[zero_at] = zero
            scale = f16(bits)
            for i, x in enumerate(numbers):
                code = round(f32(x / scale)) + zero if scale else zero
                code = min(max(code, 0), (1 << form.bits) - 1)
                for byte, up, width, shift in form.places(row, group * form.group + i):
                    raw[byte] |= (code >> shift & (1 << width) - 1) << up
    assert math.prod((form.rows, form.columns)) == len(values)
    return bytes(raw)
