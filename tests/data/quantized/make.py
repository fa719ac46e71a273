"""Writes small models as other programs quantise them, and what their own libraries read in them.

pip install torch transformers gptqmodel compressed-tensors bitsandbytes; then: python make.py

NAME/config.json, model.safetensors  a llama of one layer, quantised in the way of NAME (random weights and codes)
NAME/expected.json                   of each weight, the CRC-32 of its numbers in f32 as its library dequantises them
NAME/expected.safetensors            "ids" and the "logits" of transformers in f32 with these numbers
"""

import json
import math
import zlib
from pathlib import Path

import bitsandbytes.functional as bnb
import torch
from compressed_tensors.compressors.pack_quantized.base import PackedQuantizationCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from compressed_tensors.quantization.lifecycle.forward import dequantize, quantize
from gptqmodel.quantization.awq.utils.packing_utils import dequantize_gemm, pack_awq, pack_awq_columns
from gptqmodel.utils.gemv import calculate_zeros_width
from gptqmodel.utils.model_dequant import convert_gptq_file
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

HERE = Path(__file__).parent
HIDDEN, MLP, HEADS, VOCABULARY = 64, 96, 4, 40
MODEL = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "intermediate_size": MLP,
    "num_attention_heads": HEADS,
    "num_key_value_heads": HEADS // 2,
    "num_hidden_layers": 1,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
}
LAYER = "model.layers.0."
SHAPES = {
    "self_attn.q_proj": (HIDDEN, HIDDEN),
    "self_attn.k_proj": (HIDDEN // 2, HIDDEN),
    "self_attn.v_proj": (HIDDEN // 2, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HIDDEN),
    "mlp.gate_proj": (MLP, HIDDEN),
    "mlp.up_proj": (MLP, HIDDEN),
    "mlp.down_proj": (HIDDEN, MLP),
}


def pack(codes, bits):
    """[rows, columns] -> words of 32 bits along the columns, without gaps, from the lowest bit up."""
    rows, columns = codes.shape
    words = torch.zeros(rows, math.ceil(columns * bits / 32), dtype=torch.int64)
    for column in range(columns):
        word, shift = divmod(column * bits, 32)
        words[:, word] |= (codes[:, column].long() << shift) & 0xFFFFFFFF
        if shift + bits > 32:
            words[:, word + 1] |= codes[:, column].long() >> (32 - shift)
    return (words - ((words >> 31) << 32)).to(torch.int32)


def random_groups(shape, bits, group, symmetric, generator):
    """Codes [rows, columns], scales in f16 and zeros [rows, groups]."""
    rows, columns = shape
    groups = columns // (group or columns)
    codes = torch.randint(0, 2**bits, shape, generator=generator)
    scales = (torch.rand(rows, groups, generator=generator) * 0.3 + 0.05) * 2 ** (1 - bits)
    zeros = torch.randint(0, 2**bits, (rows, groups), generator=generator)
    if symmetric:
        zeros[:] = 2 ** (bits - 1)
    return codes, scales.half(), zeros


class Quantised:
    """The tensors of a model's file, and what they stand for."""

    def __init__(self, name, config, seed):
        self.name, self.config = name, config
        self.generator = torch.Generator().manual_seed(seed)
        self.tensors, self.numbers = {}, {}
        embedding = torch.randn(VOCABULARY, HIDDEN, generator=self.generator) * 0.5
        self.plain("model.embed_tokens.weight", embedding)
        for norm in ("model.norm", LAYER + "input_layernorm", LAYER + "post_attention_layernorm"):
            self.plain(norm + ".weight", 1 + 0.1 * torch.randn(HIDDEN, generator=self.generator))

    def plain(self, name, tensor):
        self.tensors[name] = tensor.half()
        self.numbers[name] = tensor.half().float()

    def put(self, module, parts, number):
        for ending, tensor in parts.items():
            self.tensors[LAYER + module + "." + ending] = tensor.contiguous()
        if number is not None:
            assert number.dtype == torch.float32
            self.numbers[LAYER + module + ".weight"] = number.contiguous()

    def write(self):
        directory = HERE / self.name
        directory.mkdir(exist_ok=True)
        path = directory / "model.safetensors"
        save_file(self.tensors, path, {"format": "pt"})
        config = {**MODEL, "torch_dtype": "float16", "quantization_config": self.config}
        (directory / "config.json").write_text(json.dumps(config, indent=1) + "\n")
        if self.config["quant_method"] == "gptq":
            read = convert_gptq_file(path, torch.float32, self.config, "cpu")
            self.numbers.update({name: number.contiguous() for name, number in read.items()})
        sums = {name: zlib.crc32(number.numpy().tobytes()) for name, number in sorted(self.numbers.items())}
        (directory / "expected.json").write_text(json.dumps(sums, indent=1) + "\n")
        model = LlamaForCausalLM(LlamaConfig(**MODEL)).float().eval()
        missing, unexpected = model.load_state_dict(self.numbers, strict=False)
        assert set(missing) <= {"lm_head.weight"} and not unexpected, (missing, unexpected)
        ids = torch.randint(0, VOCABULARY, (1, 12), generator=self.generator)
        with torch.no_grad():
            logits = model(ids).logits[0]
        save_file({"ids": ids[0].to(torch.int32), "logits": logits.contiguous()}, directory / "expected.safetensors")


def gptq(name, seed, bits=4, group=32, symmetric=True, version="gptq", order=False):
    config = {"quant_method": "gptq", "bits": bits, "group_size": group or -1, "sym": symmetric, "desc_act": order}
    if version:
        config["checkpoint_format"] = version
    made = Quantised(name, config, seed)
    for module, shape in SHAPES.items():
        codes, scales, zeros = random_groups(shape, bits, group, symmetric, made.generator)
        if version != "gptq_v2":
            zeros = (zeros - 1) % 2**bits
        columns = torch.arange(shape[1])
        of_columns = columns // (group or shape[1])
        if order:
            of_columns = of_columns[torch.randperm(shape[1], generator=made.generator)]
        parts = {
            "qweight": pack(codes, bits).T,
            "qzeros": pack(zeros.T, bits),
            "scales": scales.T,
            "g_idx": of_columns.to(torch.int32),
        }
        made.put(module, parts, None)
    made.write()


def awq(name, seed, version="gemm", group=32):
    config = {"quant_method": "awq", "bits": 4, "group_size": group, "zero_point": True, "version": version}
    made = Quantised(name, config, seed)
    for module, shape in SHAPES.items():
        codes, scales, zeros = random_groups(shape, 4, group, False, made.generator)
        qweight, qzeros = pack_awq(codes.T, zeros.T, 4)
        number = dequantize_gemm(qweight, qzeros, scales.T.float(), 4, group).T
        parts = {"qweight": qweight, "qzeros": qzeros, "scales": scales.T}
        if version == "gemv":
            padded = calculate_zeros_width(shape[1], group) * 8
            wide = torch.zeros(shape[0], padded, dtype=torch.int32)
            wide[:, : zeros.shape[1]] = zeros
            wide_scales = torch.zeros(shape[0], padded, dtype=torch.float16)
            wide_scales[:, : scales.shape[1]] = scales
            parts = {
                "qweight": pack_awq_columns(codes.to(torch.int32), 4),
                "qzeros": pack_awq_columns(wide, 4),
                "scales": wide_scales,
            }
        made.put(module, parts, number)
    made.write()


def compressed(
    name, seed, kind, bits=4, strategy="group", group=32, symmetric=True, number_type="int", dtype=torch.bfloat16
):
    weights = {"num_bits": bits, "type": number_type, "strategy": strategy, "symmetric": symmetric}
    if strategy == "group":
        weights["group_size"] = group
    config = {
        "quant_method": "compressed-tensors",
        "format": kind,
        "quantization_status": "compressed",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": None}},
        "ignore": ["lm_head"],
    }
    made = Quantised(name, config, seed)
    args = QuantizationArgs(**weights)
    scheme = QuantizationScheme(targets=["Linear"], weights=args)
    for module, shape in SHAPES.items():
        weight = torch.randn(shape, generator=made.generator) * 0.3
        groups = shape[1] // group if strategy == "group" else 1
        pieces = weight.reshape(shape[0], groups, -1)
        if strategy == "tensor":
            pieces = weight.reshape(1, 1, -1)
        low, high = pieces.amin(-1).clamp(max=0), pieces.amax(-1).clamp(min=0)
        largest = 448.0 if number_type == "float" else 2 ** (bits - 1) - 0.5
        scale = (torch.maximum(-low, high) / largest if symmetric else (high - low) / (2**bits - 1)).to(dtype)
        zero = None
        if not symmetric:
            zero = (-(2 ** (bits - 1)) - (low / scale.float()).round()).clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
            zero = zero.to(torch.int8)
        if strategy == "tensor":
            scale = scale.reshape(1)
        if kind == "pack-quantized":
            state = {"weight": weight, "weight_scale": scale}
            if zero is not None:
                state["weight_zero_point"] = zero
            parts = PackedQuantizationCompressor.compress(state, scheme)
            again = PackedQuantizationCompressor.decompress({**parts, "weight_scale": scale.float()}, scheme)
            number = again["weight"]
        else:
            stored = torch.float8_e4m3fn if number_type == "float" else torch.int8
            coded = quantize(weight, scale.float(), zero, args, dtype=stored)
            parts = {"weight": coded, "weight_scale": scale}
            if zero is not None:
                parts["weight_zero_point"] = zero
            number = dequantize(coded, scale.float(), zero, args)
        made.put(module, parts, number.float())
    made.write()


def fp8(name, seed, block=None, channel=False):
    config = {"quant_method": "fbgemm_fp8" if channel else "fp8", "activation_scheme": "dynamic"}
    if block:
        config["weight_block_size"] = list(block)
    made = Quantised(name, config, seed)
    for module, shape in SHAPES.items():
        coded = (torch.randn(shape, generator=made.generator) * 60).to(torch.float8_e4m3fn)
        rows, columns = block or ((1, shape[1]) if channel else shape)
        grid = (math.ceil(shape[0] / rows), math.ceil(shape[1] / columns))
        scales = torch.rand(grid, generator=made.generator) * 0.005 + 0.001
        spread = scales.repeat_interleave(rows, 0).repeat_interleave(columns, 1)[: shape[0], : shape[1]]
        parts = {"weight": coded}
        if block:
            parts["weight_scale_inv"] = scales
        else:
            parts["weight_scale"] = scales if channel else scales.reshape(())
            parts["input_scale"] = torch.ones(())
        made.put(module, parts, coded.float() * spread)
    made.write()


def bitsandbytes_four_bits(name, seed, kind="nf4", nested=True):
    config = {
        "quant_method": "bitsandbytes",
        "load_in_4bit": True,
        "bnb_4bit_quant_type": kind,
        "bnb_4bit_use_double_quant": nested,
    }
    made = Quantised(name, config, seed)
    for module, shape in SHAPES.items():
        weight = torch.randn(shape, generator=made.generator) * 0.2
        coded, state = bnb.quantize_4bit(weight, blocksize=64, compress_statistics=nested, quant_type=kind)
        packed = {"weight." + ending: tensor for ending, tensor in state.as_dict(packed=True).items()}
        state.shape = (1, weight.numel())  # blocks are of the flat weight; on the CPU it takes them by rows
        made.put(module, {"weight": coded, **packed}, bnb.dequantize_4bit(coded, state).float().reshape(shape))
    made.write()


def bitsandbytes_eight_bits(name, seed):
    made = Quantised(name, {"quant_method": "bitsandbytes", "load_in_8bit": True}, seed)
    for module, shape in SHAPES.items():
        weight = torch.randn(shape, generator=made.generator) * 0.2
        scales = weight.abs().amax(1)
        coded = (weight * (127 / scales[:, None])).round().to(torch.int8)
        parts = {"weight": coded, "SCB": scales, "weight_format": torch.tensor(0, dtype=torch.uint8)}
        made.put(module, parts, bnb.int8_vectorwise_dequant(coded, scales))
    made.write()


gptq("gptq-4", 1)
gptq("gptq-4-asym", 2, symmetric=False, version="gptq_v2")
gptq("gptq-4-asym-v1", 3, symmetric=False, version=None)
gptq("gptq-4-order", 4, symmetric=False, order=True)
gptq("gptq-3", 5, bits=3, group=0)
gptq("gptq-3-asym", 6, bits=3, symmetric=False)
gptq("gptq-2", 7, bits=2, symmetric=False, version="gptq_v2")
gptq("gptq-8", 8, bits=8)
awq("awq", 9)
awq("awq-gemv", 10, version="gemv")
compressed("packed-int4", 11, "pack-quantized")
compressed("packed-int4-asym", 12, "pack-quantized", symmetric=False, dtype=torch.float16)
compressed("packed-int8", 13, "pack-quantized", bits=8, strategy="channel")
compressed("bytes-int8", 14, "int-quantized", bits=8, strategy="channel")
compressed("bytes-float8", 15, "float-quantized", bits=8, strategy="channel", number_type="float")
compressed("bytes-float8-tensor", 16, "float-quantized", bits=8, strategy="tensor", number_type="float")
fp8("fp8-block", 17, block=(32, 48))
fp8("fp8-tensor", 18)
fp8("fp8-channel", 19, channel=True)
bitsandbytes_four_bits("nf4", 20)
bitsandbytes_four_bits("fp4", 21, kind="fp4", nested=False)
bitsandbytes_eight_bits("int8", 22)
