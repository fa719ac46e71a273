"""Makes a model directory of the shape that DeepSeek-V3 was released in, without its numbers.

    python3 bench/released_shape.py v3 DIR [--scales] [--layers N] [--experts N]

Names, shapes, dtypes, sizes and offsets are those of the release: 163 safetensors files, 688.6 GB, an index, FP8 blocks
with their scales. The files are sparse: on disk they take their headers. With --scales the scales are 1 instead of 0,
some 170 MB. What it is for: reading headers, checking names, planning and converting 671 billion parameters on a small
machine; with --layers and --experts what a smaller disk holds.
"""

import argparse
import json
import struct
from pathlib import Path

SIZES = {"F8_E4M3": 1, "BF16": 2, "F32": 4}
SHARDS = 163
BLOCK = 128

V3 = {
    "architectures": ["DeepseekV3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "aux_loss_alpha": 0.001,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "ep_size": 1,
    "first_k_dense_replace": 3,
    "hidden_act": "silu",
    "hidden_size": 7168,
    "initializer_range": 0.02,
    "intermediate_size": 18432,
    "kv_lora_rank": 512,
    "max_position_embeddings": 163840,
    "model_type": "deepseek_v3",
    "moe_intermediate_size": 2048,
    "moe_layer_freq": 1,
    "n_group": 8,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "norm_topk_prob": True,
    "num_attention_heads": 128,
    "num_experts_per_tok": 8,
    "num_hidden_layers": 61,
    "num_key_value_heads": 128,
    "num_nextn_predict_layers": 1,
    "pretraining_tp": 1,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "quantization_config": {
        "activation_scheme": "dynamic",
        "fmt": "e4m3",
        "quant_method": "fp8",
        "weight_block_size": [BLOCK, BLOCK],
    },
    "rms_norm_eps": 1e-06,
    "rope_scaling": {
        "beta_fast": 32,
        "beta_slow": 1,
        "factor": 40,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
        "original_max_position_embeddings": 4096,
        "type": "yarn",
    },
    "rope_theta": 10000,
    "routed_scaling_factor": 2.5,
    "scoring_func": "sigmoid",
    "seq_aux": True,
    "tie_word_embeddings": False,
    "topk_group": 4,
    "topk_method": "noaux_tc",
    "torch_dtype": "bfloat16",
    "transformers_version": "4.33.1",
    "use_cache": True,
    "v_head_dim": 128,
    "vocab_size": 129280,
}


def float8(name, rows, columns):
    yield f"{name}.weight", "F8_E4M3", [rows, columns]
    yield f"{name}.weight_scale_inv", "F32", [-(-rows // BLOCK), -(-columns // BLOCK)]


def mlp(name, config, features):
    hidden = config["hidden_size"]
    yield from float8(f"{name}.gate_proj", features, hidden)
    yield from float8(f"{name}.up_proj", features, hidden)
    yield from float8(f"{name}.down_proj", hidden, features)


def layer(number, config):
    name, hidden, heads = f"model.layers.{number}", config["hidden_size"], config["num_attention_heads"]
    nope, rope, value = (config[key] for key in ("qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"))
    queries, latents = config["q_lora_rank"], config["kv_lora_rank"]
    yield f"{name}.input_layernorm.weight", "BF16", [hidden]
    yield from float8(f"{name}.self_attn.q_a_proj", queries, hidden)
    yield f"{name}.self_attn.q_a_layernorm.weight", "BF16", [queries]
    yield from float8(f"{name}.self_attn.q_b_proj", heads * (nope + rope), queries)
    yield from float8(f"{name}.self_attn.kv_a_proj_with_mqa", latents + rope, hidden)
    yield f"{name}.self_attn.kv_a_layernorm.weight", "BF16", [latents]
    yield from float8(f"{name}.self_attn.kv_b_proj", heads * (nope + value), latents)
    yield from float8(f"{name}.self_attn.o_proj", hidden, heads * value)
    yield f"{name}.post_attention_layernorm.weight", "BF16", [hidden]
    if number < config["first_k_dense_replace"]:
        yield from mlp(f"{name}.mlp", config, config["intermediate_size"])
        return
    features, experts = config["moe_intermediate_size"], config["n_routed_experts"]
    yield f"{name}.mlp.gate.weight", "BF16", [experts, hidden]
    yield f"{name}.mlp.gate.e_score_correction_bias", "F32", [experts]
    yield from mlp(f"{name}.mlp.shared_experts", config, features * config["n_shared_experts"])
    for expert in range(experts):
        yield from mlp(f"{name}.mlp.experts.{expert}", config, features)


def tensors(config):
    table = [config["vocab_size"], config["hidden_size"]]
    hidden, layers = config["hidden_size"], config["num_hidden_layers"]
    yield "model.embed_tokens.weight", "BF16", table
    for number in range(layers):
        yield from layer(number, config)
    yield "model.norm.weight", "BF16", [hidden]
    yield "lm_head.weight", "BF16", table
    for number in range(layers, layers + config["num_nextn_predict_layers"]):  # predicts a further token
        name = f"model.layers.{number}"
        yield f"{name}.embed_tokens.weight", "BF16", table
        yield f"{name}.enorm.weight", "BF16", [hidden]
        yield f"{name}.hnorm.weight", "BF16", [hidden]
        yield f"{name}.eh_proj.weight", "BF16", [hidden, 2 * hidden]
        yield from layer(number, config)
        yield f"{name}.shared_head.norm.weight", "BF16", [hidden]
        yield f"{name}.shared_head.head.weight", "BF16", table


def size_of(entry):
    _, dtype, shape = entry
    size = SIZES[dtype]
    for dim in shape:
        size *= dim
    return size


def write_shard(path, entries, scales):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, dtype, shape in entries:
        end = offset + size_of((name, dtype, shape))
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + offset)
        for name, entry in header.items():
            if not scales or not name.endswith("weight_scale_inv"):
                continue
            begin, end = entry["data_offsets"]
            file.seek(8 + len(text) + begin)
            file.write(struct.pack("<f", 1.0) * ((end - begin) // 4))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("model", choices=["v3"])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--scales", action="store_true")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--experts", type=int)
    options = parser.parse_args()
    config = dict(V3)
    if options.layers:
        config |= {"num_hidden_layers": options.layers, "num_nextn_predict_layers": 0}
    if options.experts:
        config["n_routed_experts"] = options.experts
    entries = list(tensors(config))
    total = sum(size_of(entry) for entry in entries)
    shards, filled, share = [[]], 0, sum(map(size_of, tensors(V3))) / SHARDS
    for entry in entries:  # a shard ends where its share does
        if filled >= share * len(shards):
            shards.append([])
        shards[-1].append(entry)
        filled += size_of(entry)
    options.directory.mkdir(parents=True)
    (options.directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    weight_map = {}
    for number, members in enumerate(shards, 1):
        name = f"model-{number:05}-of-{len(shards):06}.safetensors"
        write_shard(options.directory / name, members, options.scales)
        weight_map.update({entry[0]: name for entry in members})
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (options.directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    print(f"{len(entries)} tensors, {total / 1e9:.1f} GB in {len(shards)} files")


if __name__ == "__main__":
    main()
