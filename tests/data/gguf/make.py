"""Writes the GGUF files of this directory with the reference implementation.

pip install gguf safetensors; then: python make.py (needs ../llama, ../deepseek and ../tokenizer)

values.gguf     metadata of every type; tensors of single elements and of Q8_0, and of a type that headroom does not read
blocks.gguf     for each type of blocks random ones, and under NAME.numbers what they stand for
gqa.gguf        the model ../llama/gqa: names, permuted rows and metadata as llama.cpp's converter writes them
gqa-0000N-of-...  the same in parts of a few tensors
deepseek-v3.gguf    the model ../deepseek/v3 as llama.cpp's converter writes it since May 2025: experts stacked, here some in
                    Q8_0, kv_b_proj in two
deepseek-lite.gguf  the model ../deepseek/lite as it wrote the first ones: a tensor an expert, kv_b_proj in one
vocab-*.gguf    the tokenizers ../tokenizer/*.json as vocabularies without a model
"""

import json
from pathlib import Path

import numpy
from gguf import GGML_QUANT_SIZES, MODEL_ARCH, GGUFWriter, RopeScalingType, dequantize, get_tensor_name_map, quantize
from gguf import ExpertGatingFuncType as Gate
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import load_file

HERE = Path(__file__).parent
TESTS = HERE.parent
PRE = {"deepseek_v3": "deepseek-v3", "gpt2": "gpt-2", "llama3": "llama-bpe"}
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_values():
    writer = GGUFWriter(HERE / "values.gguf", "test")
    for bits in (8, 16, 32, 64):
        getattr(writer, f"add_uint{bits}")(f"u{bits}", 200)
        getattr(writer, f"add_int{bits}")(f"i{bits}", -100)
    writer.add_float32("f32", 1e-6)
    writer.add_float64("f64", 0.1)
    writer.add_bool("bool", True)
    writer.add_string("text", "caf\u00e9")
    writer.add_array("texts", ["a", "", "ccc"])
    writer.add_array("numbers", [3, -4, 5])
    writer.add_array("reals", [0.5, -2.0])
    values = numpy.arange(6, dtype=numpy.float32).reshape(2, 3) - 3  # element i is i - 3
    writer.add_tensor("f32", values)
    writer.add_tensor("f16", values.astype(numpy.float16))
    writer.add_tensor("bf16", quantize(values, Type.BF16), raw_dtype=Type.BF16)
    random = numpy.random.default_rng(7).standard_normal((4, 96), dtype=numpy.float32)
    random[1, :32] = 0  # a block without a scale
    random[2] *= 1e-7  # whose f16 scales are denormal
    random[3] = numpy.round(random[3] * 8) * 0.5  # where rounding meets halves
    blocks = quantize(random, Type.Q8_0)
    writer.add_tensor("q8_0", blocks, raw_dtype=Type.Q8_0)
    writer.add_tensor("q8_0.source", random)
    writer.add_tensor("q8_0.numbers", dequantize(blocks, Type.Q8_0))
    writer.add_tensor("tq1_0", quantize(numpy.ones((1, 256), dtype=numpy.float32), Type.TQ1_0), raw_dtype=Type.TQ1_0)
    finish(writer)


# Of a block, the places of its f16 scales in bytes.
SCALES = {
    Type.Q4_0: [0],
    Type.Q4_1: [0, 2],
    Type.Q5_0: [0],
    Type.Q5_1: [0, 2],
    Type.Q2_K: [80, 82],
    Type.Q3_K: [108],
    Type.Q4_K: [0, 2],
    Type.Q5_K: [0, 2],
    Type.Q6_K: [208],
    Type.IQ4_NL: [0],
    Type.IQ4_XS: [0],
    Type.MXFP4: [],
}


def random_blocks(kind, rows, columns, generator):
    """Any codes and small scales of either sign, a scale of zero, and one that is denormal in f16."""
    elements, size = GGML_QUANT_SIZES[kind]
    blocks = generator.integers(0, 256, (rows * columns // elements, size), dtype=numpy.uint8)
    for place in SCALES[kind]:
        scales = generator.uniform(-0.02, 0.02, len(blocks)).astype(numpy.float16)
        scales[1] = 0
        scales[2] = 3e-7
        blocks[:, place : place + 2] = scales.view(numpy.uint8).reshape(-1, 2)
    if kind == Type.MXFP4:
        blocks[:, 0] = generator.integers(110, 126, len(blocks))
        blocks[:4, 0] = [0, 1, 2, 252]
    return blocks.reshape(rows, -1)


def write_blocks():
    writer = GGUFWriter(HERE / "blocks.gguf", "test")
    generator = numpy.random.default_rng(11)
    for kind in SCALES:
        blocks = random_blocks(kind, 4, 512, generator)
        writer.add_tensor(kind.name.lower(), blocks, raw_dtype=kind)
        writer.add_tensor(f"{kind.name.lower()}.numbers", dequantize(blocks, kind))
    finish(writer)


def permute(weight, heads):
    """As llama.cpp's convert_hf_to_gguf.py does to rows of queries and keys."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def write_model(**parts):
    config = json.loads((TESTS / "llama/gqa/config.json").read_text())
    writer = GGUFWriter(HERE / "gqa.gguf", "llama", **parts)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_scaling_type(RopeScalingType(config["rope_scaling"]["type"]))
    writer.add_rope_scaling_factor(config["rope_scaling"]["factor"])
    writer.add_vocab_size(config["vocab_size"])
    names = {
        "model.embed_tokens": "token_embd",
        "model.norm": "output_norm",
        "input_layernorm": "attn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "post_attention_layernorm": "ffn_norm",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    for name, tensor in load_file(TESTS / "llama/gqa/model.safetensors").items():
        if "q_proj" in name:
            tensor = permute(tensor, config["num_attention_heads"])
        if "k_proj" in name:
            tensor = permute(tensor, config["num_key_value_heads"])
        for theirs, ours in names.items():
            name = name.replace(theirs, ours)
        writer.add_tensor(name.replace("model.layers.", "blk."), numpy.ascontiguousarray(tensor))
    finish(writer)


def write_vocabulary(name):
    tokenizer = json.loads((TESTS / f"tokenizer/{name}.json").read_text())
    model = tokenizer["model"]
    pieces = dict(model["vocab"])
    kinds = {}
    for token in tokenizer["added_tokens"]:
        pieces[token["content"]] = token["id"]
        kinds[token["id"]] = CONTROL if token["special"] else USER_DEFINED
    tokens = sorted(pieces, key=pieces.get)
    assert [pieces[token] for token in tokens] == list(range(len(tokens)))
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    writer = GGUFWriter(HERE / f"vocab-{name.replace('_', '-')}.gguf", "llama")
    is_byte_level = not model["byte_fallback"]
    writer.add_tokenizer_model("gpt2" if is_byte_level else "llama")
    writer.add_tokenizer_pre(PRE.get(name, "default"))
    writer.add_token_list(tokens)
    if is_byte_level:
        writer.add_token_merges([" ".join(merge) for merge in merges])
    else:
        scores = numpy.zeros(len(tokens), dtype=numpy.float32)
        for rank, (left, right) in enumerate(merges):
            scores[pieces[left + right]] = min(scores[pieces[left + right]], -1.0 - rank)
        writer.add_token_scores([float(score) for score in scores])
        kinds.update({pieces[f"<0x{byte:02X}>"]: BYTE for byte in range(256)})
        kinds[pieces[model["unk_token"]]] = UNKNOWN
    writer.add_token_types([kinds.get(number, NORMAL) for number in range(len(tokens))])
    writer.add_bos_token_id(pieces["<s>"])
    writer.add_eos_token_id(pieces["</s>"])
    around = json.dumps(tokenizer["post_processor"])
    writer.add_add_bos_token('{"SpecialToken": {"id": "<s>"' in around)
    writer.add_add_eos_token('{"SpecialToken": {"id": "</s>"' in around)
    finish(writer)


def write_deepseek_fields(writer, config, is_old):
    rotated, latents = config["qk_rope_head_dim"], config["kv_lora_rank"]
    key, value = config["qk_nope_head_dim"] + rotated, config["v_head_dim"]
    rope = config["rope_scaling"]
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_rope_dimension_count(rotated)
    writer.add_rope_scaling_type(RopeScalingType(rope["type"]))
    writer.add_rope_scaling_factor(rope["factor"])
    writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    writer.add_rope_scaling_yarn_log_mul(0.1 * rope["mscale_all_dim"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_attention_heads"] if is_old else 1)
    if config["q_lora_rank"] is not None:
        writer.add_q_lora_rank(config["q_lora_rank"])
    writer.add_kv_lora_rank(latents)
    writer.add_key_length(key if is_old else latents + rotated)
    writer.add_value_length(value if is_old else latents)
    if not is_old:
        writer.add_key_length_mla(key)
        writer.add_value_length_mla(value)
        writer.add_expert_group_count(config["n_group"])
        writer.add_expert_group_used_count(config["topk_group"])
        writer.add_expert_gating_func(Gate.SIGMOID if config["scoring_func"] == "sigmoid" else Gate.SOFTMAX)
        writer.add_expert_weights_norm(config["norm_topk_prob"])
    writer.add_expert_count(config["n_routed_experts"])
    writer.add_expert_used_count(config["num_experts_per_tok"])
    writer.add_expert_shared_count(config["n_shared_experts"])
    writer.add_expert_weights_scale(config["routed_scaling_factor"])
    writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    writer.add_leading_dense_block_count(config["first_k_dense_replace"])
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])


def write_deepseek(name, is_old):
    config = json.loads((TESTS / f"deepseek/{name}/config.json").read_text())
    writer = GGUFWriter(HERE / f"deepseek-{name}.gguf", "deepseek2")
    write_deepseek_fields(writer, config, is_old)
    known = get_tensor_name_map(MODEL_ARCH.DEEPSEEK2, config["num_hidden_layers"])
    heads, of_key, of_value = (config[key] for key in ("num_attention_heads", "qk_nope_head_dim", "v_head_dim"))

    def add(name, tensor, kind=Type.F32):
        name = known.get_name(name.replace("e_score_correction_bias", "e_score_correction.bias"), (".weight", ".bias"))
        tensor = numpy.ascontiguousarray(tensor)
        writer.add_tensor(name, tensor if kind == Type.F32 else quantize(tensor, kind), raw_dtype=kind)

    stacks = {}
    for name, tensor in load_file(TESTS / f"deepseek/{name}/model.safetensors").items():
        if ".mlp.experts." in name:
            layer, rest = name.split(".mlp.experts.")
            expert, projection, _ = rest.split(".")
            if is_old:
                stem = projection.replace("_proj", "")
                writer.add_tensor(f"blk.{layer.split('.')[-1]}.ffn_{stem}.{expert}.weight", tensor)
            else:
                stacks.setdefault(f"{layer}.mlp.experts.{projection}.weight", {})[int(expert)] = tensor
        elif name.endswith("kv_b_proj.weight") and not is_old:
            both = tensor.reshape(heads, of_key + of_value, -1)
            add(name.replace("kv_b_proj", "k_b_proj"), both[:, :of_key].swapaxes(1, 2))
            add(name.replace("kv_b_proj", "v_b_proj"), both[:, of_key:])
        else:
            add(name, tensor)
    for name, experts in stacks.items():
        stack = numpy.stack([experts[i] for i in range(len(experts))])
        add(name, stack, Type.F32 if "down_proj" in name else Type.Q8_0)
    finish(writer)


write_values()
write_blocks()
write_deepseek("v3", is_old=False)
write_deepseek("lite", is_old=True)
write_model()
write_model(split_max_tensors=8)
for name in [*PRE, "llama"]:
    write_vocabulary(name)
