"""Holds a GGUF file against the Python package: peers_gguf.py FILE.gguf SOURCE_DIR BACK_DIR

Every tensor must have the bytes that the package's quantiser makes of SOURCE_DIR's, in llama.cpp's order of rows, and
BACK_DIR (convert --dtype f32 of the file) the numbers that the package reads from them. Needs gguf and safetensors.
"""

import json
import sys
from pathlib import Path

import numpy
from gguf import GGMLQuantizationType, GGUFReader, dequantize, quantize
from safetensors.numpy import load_file

NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def hugging_face_name(name):
    parts = name.split(".")
    stem = NAMES[parts[-2]]
    return f"model.layers.{parts[1]}.{stem}.{parts[-1]}" if parts[0] == "blk" else f"{stem}.{parts[-1]}"


def permute(weight, heads):
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


file, source_dir, back_dir = map(Path, sys.argv[1:])
config = json.loads((source_dir / "config.json").read_text())
source, back = load_file(source_dir / "model.safetensors"), load_file(back_dir / "model.safetensors")
tensors = GGUFReader(file).tensors
assert len(tensors) == len(source) == len(back), (len(tensors), len(source), len(back))
for tensor in tensors:
    name = hugging_face_name(tensor.name)
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    order = next((permute_by for key, permute_by in heads.items() if key in name), 0)
    expected = source[name].astype(numpy.float32)
    expected = permute(expected, order) if order else expected
    kind = GGMLQuantizationType(tensor.tensor_type)
    wanted = quantize(expected, kind)
    assert wanted.tobytes() == tensor.data.tobytes(), f"{tensor.name}: other bytes than the package's {kind.name}"
    theirs = dequantize(tensor.data, kind).reshape(expected.shape)
    ours = permute(back[name], order) if order else back[name]
    assert ours.dtype == numpy.float32 and ours.tobytes() == theirs.tobytes(), f"{tensor.name}: other numbers"
print(len(tensors), "tensors agree")
