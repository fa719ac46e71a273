"""DeepSeek-V2 and V3 in float64, written from their papers: the truth that the files beside this one hold.

Sources: multi-head latent attention and the gates (DeepSeek-AI 2024, arXiv 2405.04434 section 2 and 2412.19437 section
2.1), YaRN with its two scales (the released models' own code). Keys and values are made of the latents, head by head,
as the papers have it; an engine that multiplies queries into the latents' space instead must arrive at the same. What
../llama/llama64.py has is taken from there. generate.py checks this forward against transformers' float32.

Dimensions: B rows, T positions, F features, H heads, N plain and R rotated features of a query, V of a value, L of a
latent, E experts, K chosen.
"""
import math
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "llama"))
from llama64 import loss_of, rms_norm, rope_frequencies, rope_magnitude  # noqa: E402,F401

LATENT_EPS = 1e-6


def is_v3(config):
    return config["model_type"] == "deepseek_v3"


def has_experts(config, layer):
    return config.get("n_routed_experts") and layer >= config.get("first_k_dense_replace", 0)


def parameter_shapes(config):
    """Name -> shape of every stored tensor, in the order of the forward pass."""
    features, vocab, heads = config["hidden_size"], config["vocab_size"], config["num_attention_heads"]
    plain, rotated, value = config["qk_nope_head_dim"], config["qk_rope_head_dim"], config["v_head_dim"]
    latent, queries = config["kv_lora_rank"], config.get("q_lora_rank")
    shapes = {"model.embed_tokens.weight": (vocab, features)}

    def mlp(at, inner):
        shapes[at + "gate_proj.weight"] = shapes[at + "up_proj.weight"] = (inner, features)
        shapes[at + "down_proj.weight"] = (features, inner)

    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        shapes[at + "input_layernorm.weight"] = (features,)
        attention = at + "self_attn."
        if queries:
            shapes[attention + "q_a_proj.weight"] = (queries, features)
            shapes[attention + "q_a_layernorm.weight"] = (queries,)
            shapes[attention + "q_b_proj.weight"] = (heads * (plain + rotated), queries)
        else:
            shapes[attention + "q_proj.weight"] = (heads * (plain + rotated), features)
        shapes[attention + "kv_a_proj_with_mqa.weight"] = (latent + rotated, features)
        shapes[attention + "kv_a_layernorm.weight"] = (latent,)
        shapes[attention + "kv_b_proj.weight"] = (heads * (plain + value), latent)
        shapes[attention + "o_proj.weight"] = (features, heads * value)
        shapes[at + "post_attention_layernorm.weight"] = (features,)
        if not has_experts(config, layer):
            mlp(at + "mlp.", config["intermediate_size"])
            continue
        inner = config["moe_intermediate_size"]
        shapes[at + "mlp.gate.weight"] = (config["n_routed_experts"], features)
        if is_v3(config):
            shapes[at + "mlp.gate.e_score_correction_bias"] = (config["n_routed_experts"],)
        for expert in range(config["n_routed_experts"]):
            mlp(f"{at}mlp.experts.{expert}.", inner)
        mlp(at + "mlp.shared_experts.", inner * config["n_shared_experts"])
    shapes["model.norm.weight"] = (features,)
    if not config.get("tie_word_embeddings", False):
        shapes["lm_head.weight"] = (vocab, features)
    return shapes


def score_scale(config):
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    scale = (config["qk_nope_head_dim"] + config["qk_rope_head_dim"]) ** -0.5
    if rope.get("rope_type", rope.get("type", "default")) == "default" or not rope.get("mscale_all_dim"):
        return scale
    return scale * (0.1 * rope["mscale_all_dim"] * math.log(rope["factor"]) + 1) ** 2


def rotate(x, cosine, sine):
    """x [B, heads, T, R], pairs of neighbours; tables [T, R/2]."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cosine - odd * sine, odd * cosine + even * sine], -1).flatten(-2)


def choose(config, scores):
    """The K experts of each token, by scores [T, E]; experts outside the best groups are barred."""
    groups = config.get("n_group") or 1
    if is_v3(config) or config.get("topk_method") == "group_limited_greedy":
        tokens, experts = scores.shape
        inside = scores.view(tokens, groups, experts // groups)
        of_group = inside.topk(2, -1).values.sum(-1) if is_v3(config) else inside.amax(-1)
        kept = torch.zeros_like(of_group, dtype=torch.bool)
        kept.scatter_(1, of_group.topk(config["topk_group"], -1).indices, True)
        scores = inside.masked_fill(~kept[..., None], -math.inf).view(tokens, experts)
    return scores.topk(config["num_experts_per_tok"], -1).indices


def gate(config, logits, bias):
    """logits [T, E] -> the chosen experts and their weights, [T, K] each."""
    scale = config.get("routed_scaling_factor", 1.0)
    if not is_v3(config):
        scores = logits.softmax(-1)
        chosen = choose(config, scores.detach())
        return chosen, scores.gather(1, chosen) * scale
    scores = logits.sigmoid()
    chosen = choose(config, scores.detach() + bias.detach())
    weights = scores.gather(1, chosen)
    if config.get("norm_topk_prob", True):
        weights = weights / (weights.sum(-1, keepdim=True) + 1e-20)
    return chosen, weights * scale


def swiglu(x, weights, at):
    inner = x @ weights[at + "gate_proj.weight"].T
    return (inner * torch.sigmoid(inner) * (x @ weights[at + "up_proj.weight"].T)) @ weights[at + "down_proj.weight"].T


def balance_loss(config, logits, chosen, rows):
    """logits [B * T, E], chosen [B * T, K] -> the mean over the B rows of sum_e f_e P_e (arXiv 2412.19437, eq. 17 to 20)."""
    scores = logits.sigmoid() if is_v3(config) else logits.softmax(-1)
    share = (scores / scores.sum(-1, keepdim=True)).view(rows, -1, config["n_routed_experts"]).mean(1)
    count = torch.zeros_like(logits).scatter(1, chosen, 1.0).view(rows, -1, config["n_routed_experts"]).mean(1)
    return (config["n_routed_experts"] / config["num_experts_per_tok"] * count * share).sum(-1).mean()


def mixture(config, weights, x, at, rows, balances):
    """x [B * T, F]; every expert computes every token, and what was not chosen counts nothing."""
    bias = weights.get(at + "gate.e_score_correction_bias")
    logits = x @ weights[at + "gate.weight"].T
    chosen, shares = gate(config, logits, bias)
    balances.append(balance_loss(config, logits, chosen, rows))
    share_of = torch.zeros(len(x), config["n_routed_experts"], dtype=x.dtype).scatter(1, chosen, shares)
    y = swiglu(x, weights, at + "shared_experts.")
    for expert in range(config["n_routed_experts"]):
        y = y + share_of[:, expert, None] * swiglu(x, weights, f"{at}experts.{expert}.")
    return y


def balanced_loss_of(config, weights, ids, alpha):
    """The mean cross-entropy, and alpha times the balance losses of all gates."""
    balances = []
    logits = logits_of(config, weights, ids[:, :-1], balances)
    logits = torch.cat([logits, torch.zeros_like(logits[:, :1])], 1)  # the last position predicts nothing
    return loss_of(logits, ids) + alpha * sum(balances)


def logits_of(config, weights, ids, balances=None):
    """ids i64 [B, T] -> logits f64 [B, T, V]; weights: name -> f64 tensor. `balances` gets each gate's balance_loss."""
    balances = [] if balances is None else balances
    rows, length = ids.shape
    heads, eps = config["num_attention_heads"], config["rms_norm_eps"]
    plain, rotated, value = config["qk_nope_head_dim"], config["qk_rope_head_dim"], config["v_head_dim"]
    angles = torch.arange(length, dtype=torch.float64)[:, None] * rope_frequencies(config, rotated)
    cosine, sine = (rope_magnitude(config) * table for table in (angles.cos(), angles.sin()))
    future = torch.ones(length, length, dtype=torch.bool).triu(1)

    x = weights["model.embed_tokens.weight"][ids]
    for layer in range(config["num_hidden_layers"]):
        def weight(name, at=f"model.layers.{layer}."):
            return weights[at + name + ".weight"]

        def split(y, sizes):
            return y.view(rows, length, heads, sum(sizes)).transpose(1, 2).split(sizes, -1)

        h = rms_norm(x, weight("input_layernorm"), eps)
        if config.get("q_lora_rank"):
            q = rms_norm(h @ weight("self_attn.q_a_proj").T, weight("self_attn.q_a_layernorm"), LATENT_EPS)
            q = q @ weight("self_attn.q_b_proj").T
        else:
            q = h @ weight("self_attn.q_proj").T
        q, q_turned = split(q, [plain, rotated])
        latent, key = (h @ weight("self_attn.kv_a_proj_with_mqa").T).split([config["kv_lora_rank"], rotated], -1)
        latent = rms_norm(latent, weight("self_attn.kv_a_layernorm"), LATENT_EPS)
        k, v = split(latent @ weight("self_attn.kv_b_proj").T, [plain, value])
        key = rotate(key[:, None], cosine, sine)
        scores = q @ k.transpose(2, 3) + rotate(q_turned, cosine, sine) @ key.transpose(2, 3)
        scores = (scores * score_scale(config)).masked_fill(future, -math.inf)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(rows, length, heads * value)
        x = x + mixed @ weight("self_attn.o_proj").T
        h = rms_norm(x, weight("post_attention_layernorm"), eps)
        at = f"model.layers.{layer}.mlp."
        if has_experts(config, layer):
            x = x + mixture(config, weights, h.flatten(0, 1), at, rows, balances).view_as(h)
        else:
            x = x + swiglu(h, weights, at)
    x = rms_norm(x, weights["model.norm.weight"], eps)
    result = x @ weights.get("lm_head.weight", weights["model.embed_tokens.weight"]).T
    assert result.dtype == torch.float64
    return result
