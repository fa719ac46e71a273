"""Llama and Qwen2 in float64, written from their papers: the truth that the files beside this one hold.

transformers' `model.double()` keeps float32 spots (norms, softmax, rotary tables), so it cannot serve as float64
truth. This forward has none; generate.py checks it against transformers' own float32 before it writes anything.
Sources: RMSNorm (Zhang and Sennrich 2019), RoPE (Su et al. 2021) with Hugging Face's pairs (i, i + D/2), linear scaling
(positions divided by the factor), that of Llama 3.1 (Meta's llama-models, apply_scaling), YaRN, grouped-query attention
(Ainslie et al. 2023), SwiGLU (Shazeer 2020), Qwen2's biases of queries, keys and values (Yang et al. 2024).

Dimensions: B rows, T positions, F features, H query heads, K key/value heads, D head size, V vocabulary.
"""
import math

import torch


def rope_frequencies(config, head):
    """The D/2 angles from one position to the next, of a config in either of Hugging Face's two spellings."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    theta = rope.get("rope_theta", config.get("rope_theta", 10000.0))
    frequencies = theta ** (-torch.arange(0, head, 2, dtype=torch.float64) / head)
    if kind == "linear":
        return frequencies / rope["factor"]
    if kind == "yarn":
        return yarn_scaled(frequencies, theta, rope, config)
    if kind == "llama3":
        return torch.tensor([llama3_scaled(frequency.item(), rope) for frequency in frequencies], dtype=torch.float64)
    assert kind in ("default", "dynamic"), kind  # dynamic: longer texts than these only
    return frequencies


def llama3_scaled(frequency, rope):
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    length, wave = rope["original_max_position_embeddings"], 2 * math.pi / frequency
    if wave < length / high:
        return frequency
    if wave > length / low:
        return frequency / rope["factor"]
    smooth = (length / wave - low) / (high - low)
    return (1 - smooth) * frequency / rope["factor"] + smooth * frequency


def yarn_scaled(frequencies, theta, rope, config):
    """Pairs that turn beta_fast times and more in the original positions stay, those that turn beta_slow times and less
    are slowed by the factor, between the two in proportion to their number (Peng et al. 2023, arXiv 2309.00071)."""
    pairs = len(frequencies)
    length = rope.get("original_max_position_embeddings", config["max_position_embeddings"])

    def pair_that_turns(times):
        return 2 * pairs * math.log(length / (times * 2 * math.pi)) / (2 * math.log(theta))

    low, high = pair_that_turns(rope.get("beta_fast", 32)), pair_that_turns(rope.get("beta_slow", 1))
    if rope.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, 2 * pairs - 1)
    slowed = ((torch.arange(pairs, dtype=torch.float64) - low) / (high - low or 0.001)).clamp(0, 1)
    return frequencies * (slowed / rope["factor"] + 1 - slowed)


def rope_magnitude(config):
    """What cosines and sines are multiplied by."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if rope.get("rope_type", rope.get("type")) != "yarn":
        return 1.0
    growth = 0.1 * math.log(rope["factor"])
    if "mscale" in rope and "mscale_all_dim" in rope:
        return rope.get("attention_factor", (rope["mscale"] * growth + 1) / (rope["mscale_all_dim"] * growth + 1))
    return rope.get("attention_factor", growth + 1)


def with_biases(config):
    """The projections that have a bias."""
    if config["model_type"] == "qwen2":
        return {"q_proj", "k_proj", "v_proj"}
    return ({"q_proj", "k_proj", "v_proj", "o_proj"} if config.get("attention_bias") else set()) | (
        {"gate_proj", "up_proj", "down_proj"} if config.get("mlp_bias") else set())


def parameter_shapes(config):
    """Name -> shape of every stored tensor, in the order of the forward pass."""
    features, inner, vocab = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    head = config.get("head_dim", features // config["num_attention_heads"])
    queries, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    shapes = {"model.embed_tokens.weight": (vocab, features)}
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        shapes[at + "input_layernorm.weight"] = (features,)
        for name, dims in {"self_attn.q_proj": (queries, features), "self_attn.k_proj": (keys, features),
                           "self_attn.v_proj": (keys, features), "self_attn.o_proj": (features, queries),
                           "post_attention_layernorm": (features,), "mlp.gate_proj": (inner, features),
                           "mlp.up_proj": (inner, features), "mlp.down_proj": (features, inner)}.items():
            shapes[at + name + ".weight"] = dims
            if name.split(".")[-1] in with_biases(config):
                shapes[at + name + ".bias"] = dims[:1]
    shapes["model.norm.weight"] = (features,)
    if not config.get("tie_word_embeddings", False):
        shapes["lm_head.weight"] = (vocab, features)
    return shapes


def rms_norm(x, weight, eps):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps) * weight


def rotate(x, cosine, sine):
    """x [B, heads, T, D]; tables [T, D/2]."""
    low, high = x.chunk(2, -1)
    return torch.cat([low * cosine - high * sine, high * cosine + low * sine], -1)


def logits_of(config, weights, ids):
    """ids i64 [B, T] -> logits f64 [B, T, V]; weights: name -> f64 tensor."""
    rows, length = ids.shape
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    head = config.get("head_dim", config["hidden_size"] // heads)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * rope_frequencies(config, head)
    cosine, sine = (rope_magnitude(config) * table for table in (angles.cos(), angles.sin()))
    future = torch.ones(length, length, dtype=torch.bool).triu(1)
    eps = config["rms_norm_eps"]

    x = weights["model.embed_tokens.weight"][ids]
    for layer in range(config["num_hidden_layers"]):
        def weight(name, at=f"model.layers.{layer}."):
            return weights[at + name + ".weight"]

        def linear(y, name, at=f"model.layers.{layer}."):
            return y @ weights[at + name + ".weight"].T + weights.get(at + name + ".bias", 0.0)

        def split(y, count):
            return y.view(rows, length, count, head).transpose(1, 2)

        h = rms_norm(x, weight("input_layernorm"), eps)
        q = rotate(split(linear(h, "self_attn.q_proj"), heads), cosine, sine)
        k = rotate(split(linear(h, "self_attn.k_proj"), groups), cosine, sine)
        v = split(linear(h, "self_attn.v_proj"), groups)
        k, v = (y.repeat_interleave(heads // groups, 1) for y in (k, v))
        scores = (q @ k.transpose(2, 3) / math.sqrt(head)).masked_fill(future, -math.inf)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(rows, length, heads * head)
        x = x + linear(mixed, "self_attn.o_proj")
        h = rms_norm(x, weight("post_attention_layernorm"), eps)
        gate = linear(h, "mlp.gate_proj")
        x = x + linear(gate * torch.sigmoid(gate) * linear(h, "mlp.up_proj"), "mlp.down_proj")
    x = rms_norm(x, weights["model.norm.weight"], eps)
    result = x @ weights.get("lm_head.weight", weights["model.embed_tokens.weight"]).T
    assert result.dtype == torch.float64
    return result


def loss_of(logits, ids):
    """Mean next-token cross-entropy over all predictions of all rows."""
    chosen = logits[:, :-1].gather(2, ids[:, 1:, None])[..., 0]
    return (logits[:, :-1].logsumexp(-1) - chosen).mean()
