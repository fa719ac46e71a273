"""The llama family in float64, written from its papers: the truth that the files beside this one hold.

transformers' `model.double()` keeps float32 spots (norms, softmax, rotary tables), so it cannot serve as float64
truth. This forward has none; generate.py checks it against transformers' own float32 before it writes anything.
Sources: RMSNorm (Zhang and Sennrich 2019), RoPE (Su et al. 2021) with Hugging Face's pairs (i, i + D/2) and linear
scaling (positions divided by the factor), grouped-query attention (Ainslie et al. 2023), SwiGLU (Shazeer 2020).

Dimensions: B rows, T positions, F features, H query heads, K key/value heads, D head size, V vocabulary.
"""
import math

import torch


def rope_of(config):
    """(theta, linear factor) of a config in either of Hugging Face's two spellings."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    assert kind in ("default", "linear"), kind
    theta = rope.get("rope_theta", config.get("rope_theta", 10000.0))
    return theta, rope.get("factor", 1.0) if kind == "linear" else 1.0


def parameter_shapes(config):
    """Name -> shape of every stored tensor, in the order of the forward pass."""
    features, inner, vocab = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    head = config.get("head_dim", features // config["num_attention_heads"])
    queries, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    shapes = {"model.embed_tokens.weight": (vocab, features)}
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        shapes |= {at + "input_layernorm.weight": (features,),
                   at + "self_attn.q_proj.weight": (queries, features),
                   at + "self_attn.k_proj.weight": (keys, features),
                   at + "self_attn.v_proj.weight": (keys, features),
                   at + "self_attn.o_proj.weight": (features, queries),
                   at + "post_attention_layernorm.weight": (features,),
                   at + "mlp.gate_proj.weight": (inner, features),
                   at + "mlp.up_proj.weight": (inner, features),
                   at + "mlp.down_proj.weight": (features, inner)}
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
    theta, factor = rope_of(config)
    frequencies = theta ** (-torch.arange(0, head, 2, dtype=torch.float64) / head)
    angles = (torch.arange(length, dtype=torch.float64) / factor)[:, None] * frequencies
    cosine, sine = angles.cos(), angles.sin()
    future = torch.ones(length, length, dtype=torch.bool).triu(1)
    eps = config["rms_norm_eps"]

    x = weights["model.embed_tokens.weight"][ids]
    for layer in range(config["num_hidden_layers"]):
        def weight(name, at=f"model.layers.{layer}."):
            return weights[at + name + ".weight"]

        def split(y, count):
            return y.view(rows, length, count, head).transpose(1, 2)

        h = rms_norm(x, weight("input_layernorm"), eps)
        q = rotate(split(h @ weight("self_attn.q_proj").T, heads), cosine, sine)
        k = rotate(split(h @ weight("self_attn.k_proj").T, groups), cosine, sine)
        v = split(h @ weight("self_attn.v_proj").T, groups)
        k, v = (y.repeat_interleave(heads // groups, 1) for y in (k, v))
        scores = (q @ k.transpose(2, 3) / math.sqrt(head)).masked_fill(future, -math.inf)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(rows, length, heads * head)
        x = x + mixed @ weight("self_attn.o_proj").T
        h = rms_norm(x, weight("post_attention_layernorm"), eps)
        gate = h @ weight("mlp.gate_proj").T
        x = x + (gate * torch.sigmoid(gate) * (h @ weight("mlp.up_proj").T)) @ weight("mlp.down_proj").T
    x = rms_norm(x, weights["model.norm.weight"], eps)
    result = x @ weights.get("lm_head.weight", weights["model.embed_tokens.weight"]).T
    assert result.dtype == torch.float64
    return result


def loss_of(logits, ids):
    """Mean next-token cross-entropy over all predictions of all rows."""
    chosen = logits[:, :-1].gather(2, ids[:, 1:, None])[..., 0]
    return (logits[:, :-1].logsumexp(-1) - chosen).mean()
