"""Writes the tiny models beside this file and what PyTorch in float64 says about them, as ../llama/generate.py does,
whose README describes the files:

    python tests/data/deepseek/generate.py [NAME...]

Each float64 forward is held against transformers' float32, which loads the very directory, and so are its gradients.
"""
import json
import math
import pathlib
import sys

import numpy
import safetensors.torch
import torch
import transformers

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "llama"))
import generate as llama  # noqa: E402
from deepseek64 import balanced_loss_of, logits_of, loss_of, parameter_shapes  # noqa: E402

YARN = {"type": "yarn", "factor": 40, "original_max_position_embeddings": 32, "beta_fast": 32, "beta_slow": 1}


def attention(heads, queries, latent, plain, rotated, value):
    return dict(num_attention_heads=heads, num_key_value_heads=heads, q_lora_rank=queries, kv_lora_rank=latent,
                qk_nope_head_dim=plain, qk_rope_head_dim=rotated, v_head_dim=value)


def common(hidden, layers, inner, vocab, **more):
    return dict(hidden_size=hidden, num_hidden_layers=layers, intermediate_size=inner, vocab_size=vocab,
                hidden_act="silu", rms_norm_eps=1e-6, rope_theta=10000.0, max_position_embeddings=1280,
                tie_word_embeddings=False, attention_bias=False, attention_dropout=0.0, initializer_range=0.02,
                torch_dtype="float32", bos_token_id=1, eos_token_id=2, **more)


def v2(*experts, **more):
    routed, shared, chosen, inner, dense = experts
    return dict({"architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2", "n_routed_experts": routed,
                 "n_shared_experts": shared, "num_experts_per_tok": chosen, "moe_intermediate_size": inner,
                 "first_k_dense_replace": dense, "moe_layer_freq": 1, "scoring_func": "softmax", "topk_method": "greedy",
                 "n_group": 1, "topk_group": 1, "norm_topk_prob": False, "routed_scaling_factor": 1.0,
                 "aux_loss_alpha": 0.001, "seq_aux": True, "pretraining_tp": 1}, **more)


def v3(*experts, **more):
    return v2(*experts, **dict({"architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3",
                                "scoring_func": "sigmoid", "topk_method": "noaux_tc", "norm_topk_prob": True,
                                "routed_scaling_factor": 2.5, "ep_size": 1, "num_nextn_predict_layers": 0}, **more))


# name -> (config, rows, length).
VARIANTS = {
    # Latent attention alone, no compressed queries, rows longer than a block of 64 keys.
    "latent": (common(24, 2, 37, 67, **attention(3, None, 16, 8, 4, 12)) | v2(8, 2, 2, 12, 2), 2, 70),
    # Compressed queries, YaRN with equal scales as released, sizes that are no multiples of 16.
    "latent_yarn": (common(24, 2, 37, 64, **attention(2, 10, 12, 6, 4, 7)) | v3(8, 1, 2, 12, 2) |
                    {"rope_scaling": YARN | {"mscale": 1.0, "mscale_all_dim": 1.0}}, 2, 60),
    # V2-Lite: no compressed queries, greedy choice of 3 among 16 experts, two shared ones, YaRN at 0.707.
    "lite": (common(24, 3, 40, 67, **attention(2, None, 16, 8, 8, 8)) | v2(16, 2, 3, 20, 1) |
             {"rope_scaling": YARN | {"mscale": 0.707, "mscale_all_dim": 0.707}}, 3, 21),
    # V2: groups limit the choice, weights are scaled by 16.
    "v2": (common(24, 2, 40, 67, **attention(3, 12, 16, 8, 4, 8)) | v2(
        16, 1, 3, 12, 1, topk_method="group_limited_greedy", n_group=4, topk_group=2, routed_scaling_factor=16.0), 3, 21),
    # V3: sigmoid, correction bias, groups by the sums of their two best, normalised.
    "v3": (common(32, 3, 40, 64, **attention(4, 12, 16, 8, 8, 8)) | v3(16, 1, 4, 16, 1, n_group=4, topk_group=2) |
           {"rope_scaling": YARN | {"mscale": 1.0, "mscale_all_dim": 1.0}}, 3, 24),
}
# Where an expert hardly gets a token, AdamW's usual epsilon would make steps of rounding errors.
CURVES = {"latent": {"--lr": 0.005}, "lite": {"--lr": 0.005, "--grad-accum": 2, "--eps": 1e-4},
          "v3": {"--lr": 0.003, "--eps": 1e-4}}
# The same steps, with that loss.
BALANCED = {"lite": CURVES["lite"] | {"--balance-loss": 0.25, "--eps": 1e-3}, "v3": CURVES["v3"] | {"--balance-loss": 0.25}}


def make_weights(config, random):
    weights = {}
    for name, dims in parameter_shapes(config).items():
        if name.endswith("e_score_correction_bias"):
            values = random.normal(0.0, 0.1, dims)
        elif len(dims) == 1:
            values = random.uniform(0.6, 1.4, dims)
        elif "embed_tokens" in name or "lm_head" in name:
            values = random.normal(0.0, 0.25, dims)
        elif name.endswith("mlp.gate.weight"):
            values = random.normal(0.0, 2.0 / math.sqrt(dims[1]), dims)
        else:
            values = random.normal(0.0, 1.2 / math.sqrt(dims[1]), dims)
        weights[name] = torch.from_numpy(values.astype(numpy.float32))
    return weights


def gradients_by_name(config, peer):
    """transformers' gradients under the names that files have: it keeps a layer's experts in one tensor."""
    all_of = {}
    for name, parameter in peer.named_parameters():
        gradient = parameter.grad
        if name.endswith("experts.gate_up_proj"):
            at = name[: -len("gate_up_proj")]
            for expert, both in enumerate(gradient):
                gate, up = both.chunk(2)
                all_of[f"{at}{expert}.gate_proj.weight"], all_of[f"{at}{expert}.up_proj.weight"] = gate, up
        elif name.endswith("experts.down_proj"):
            for expert, one in enumerate(gradient):
                all_of[f"{name[:-len('down_proj')]}{expert}.down_proj.weight"] = one
        else:
            all_of[name] = gradient
    return all_of


def write_variant(name, seed):
    config, rows, length = VARIANTS[name]
    random = numpy.random.Generator(numpy.random.PCG64(seed))
    weights = make_weights(config, random)
    ids = llama.make_ids(random, config["vocab_size"], rows, length)
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "ids.json").write_text(json.dumps({"ids": ids.tolist()}, separators=(",", ":")) + "\n")
    safetensors.torch.save_file(weights, folder / "model.safetensors", {"format": "pt"})

    truth, ids = llama.as_parameters(weights), torch.from_numpy(ids)
    logits = logits_of(config, truth, ids)
    loss = loss_of(logits, ids)
    loss.backward()
    gradients = {key: torch.zeros_like(weight) if weight.grad is None else weight.grad for key, weight in truth.items()}

    peer, info = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True,
                                                                   attn_implementation="eager")
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    answer = peer(input_ids=ids, labels=ids)
    answer.loss.backward()
    off_logits = (answer.logits.double() - logits).abs().max().item()
    off_loss = abs(answer.loss.item() - loss.item())
    theirs = gradients_by_name(config, peer)
    off_gradients = max(((theirs[key].double() - gradients[key]).abs().max() / gradients[key].abs().max()).item()
                        for key in theirs if gradients[key].abs().max() > 0)
    assert off_logits < 3e-5 and off_loss < 3e-6 and off_gradients < 2e-5, (off_logits, off_loss, off_gradients)
    print(f"| {name} | {sum(w.numel() for w in weights.values()):,} | {loss.item():.4f} | {off_logits:.1e} | "
          f"{off_loss:.1e} | {off_gradients:.1e} |")
    safetensors.torch.save_file({"logits": logits.detach().float()}, folder / "logits.safetensors")
    safetensors.torch.save_file({key: gradient.float() for key, gradient in gradients.items()},
                                folder / "gradients.safetensors")
    (folder / "loss.json").write_text(json.dumps({"loss": loss.item(), "predictions": rows * (length - 1)}) + "\n")
    if name in CURVES:
        write_curve(folder, config, weights, random)


def write_curve(folder, config, weights, random):
    batches = [llama.make_ids(random, config["vocab_size"], llama.CURVE_ROWS, llama.CURVE_LENGTH).tolist()
               for _ in range(llama.CURVE_STEPS)]
    (folder / "curve_tokens.json").write_text(json.dumps({"batches": batches}, separators=(",", ":")) + "\n")
    write_steps(folder / "curve.json", CURVES[folder.name], weights, batches,
                lambda truth, ids: loss_of(logits_of(config, truth, ids), ids))
    if folder.name in BALANCED:
        flags = BALANCED[folder.name]
        write_steps(folder / "balanced_curve.json", flags, weights, batches,
                    lambda truth, ids: balanced_loss_of(config, truth, ids, flags["--balance-loss"]))


def write_steps(path, flags, weights, batches, loss_of_batch):
    truth = llama.as_parameters(weights)
    trained = [weight for key, weight in truth.items() if not key.endswith("e_score_correction_bias")]
    losses, norms, rates = llama.train(llama.DEFAULTS | flags, trained, batches, lambda ids: loss_of_batch(truth, ids))
    record = {"flags": flags, "rows": llama.CURVE_ROWS, "length": llama.CURVE_LENGTH, "losses": losses,
              "grad_norms": norms, "lrs": rates}
    path.write_text(json.dumps(record, indent=1) + "\n")
    print(f"  {path.name}: loss {losses[0]:.4f} -> {losses[-1]:.4f}, norms {min(norms):.3f} .. {max(norms):.3f}")



if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, numpy {numpy.__version__}")
    for number, variant in enumerate(VARIANTS):
        if len(sys.argv) < 2 or variant in sys.argv[1:]:
            write_variant(variant, 2000 + number)
