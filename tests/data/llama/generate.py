"""Writes the tiny models beside this file and what PyTorch in float64 says about them; README.md describes the
files. Run it with a Python that has torch, transformers, safetensors and numpy (the versions used are in README.md):

    python tests/data/llama/generate.py [NAME...]

Weights and ids come from numpy's PCG64 under fixed seeds, so they do not depend on PyTorch's version. Before a file is
written, the float64 forward and its gradients are held against transformers' float32 (loading the very directory), and
the table in README.md is made from what that showed.
"""
import json
import math
import pathlib
import sys

import numpy
import safetensors.torch
import torch
import transformers

from llama64 import logits_of, loss_of, parameter_shapes

HERE = pathlib.Path(__file__).parent
GRADIENT_BOUND = 3e-5  # of a tensor's largest entry: what tests/e2e/oracle_test.py demands


def hub(**changes):
    """A config as the hub's files spell it."""
    return dict({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
                 "max_position_embeddings": 128, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
                 "torch_dtype": "float32", "bos_token_id": 1, "eos_token_id": 2}, **changes)


def modern(rope, **changes):
    """A config as transformers 5 writes it."""
    config = hub(rope_parameters=rope, dtype="float32", attention_bias=False, mlp_bias=False, **changes)
    del config["rope_theta"], config["torch_dtype"]
    return config


def qwen2(config):
    """The same as a Qwen2, with the fields that such files have of windows that nobody uses."""
    kept = {key: value for key, value in config.items() if key not in ("attention_bias", "mlp_bias")}
    return kept | {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "use_sliding_window": False,
                   "sliding_window": 16, "max_window_layers": 1}


def shape(hidden, layers, heads, groups, inner, vocab, **more):
    return dict(hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=groups,
                intermediate_size=inner, vocab_size=vocab, **more)


LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}

# name -> (config, rows, length).
VARIANTS = {
    # As many key heads as query heads; odd inner size; no tie_word_embeddings at all, which means untied.
    "mha": (hub(**shape(24, 2, 3, 3, 37, 64)), 3, 21),
    # Grouped queries, tied, linear scaling in the hub's spelling, rows longer than a block of 64 keys.
    "gqa": (hub(**shape(24, 2, 4, 2, 33, 76, head_dim=8), tie_word_embeddings=True,
                rope_scaling={"type": "linear", "factor": 4.0}), 2, 70),
    # One key head, a head size that is not hidden / heads nor a multiple of 16, transformers 5's spelling.
    "mqa": (modern({"rope_theta": 500000.0, "rope_type": "default"}, **shape(24, 1, 3, 1, 41, 65, head_dim=24),
                   tie_word_embeddings=False), 4, 17),
    # A vocabulary far wider than the model; another epsilon.
    "wide": (hub(**shape(16, 1, 2, 1, 24, 320), tie_word_embeddings=False) | {"rms_norm_eps": 1e-6}, 2, 9),
    # Stored as bfloat16.
    "bf16": (hub(**shape(32, 1, 4, 2, 40, 100), tie_word_embeddings=True) | {"torch_dtype": "bfloat16"}, 3, 19),
    # One row that crosses the border of a span of 1,024 keys, linear scaling in transformers 5's spelling.
    "long": (modern({"rope_theta": 10000.0, "rope_type": "linear", "factor": 2.0}, **shape(16, 1, 2, 1, 24, 64),
                    tie_word_embeddings=False) | {"max_position_embeddings": 2048}, 1, 1100),
    # A vocabulary past the border of a tile of 4,096 columns.
    "tall": (hub(**shape(8, 1, 1, 1, 16, 4100), tie_word_embeddings=True), 1, 31),
    # Llama 3.1's scaling: of the eight pairs one is fast, two are between, five are slow.
    "llama3": (hub(**shape(32, 1, 2, 1, 40, 71), tie_word_embeddings=False, attention_bias=False, mlp_bias=False,
                   rope_scaling=LLAMA3) | {"rope_theta": 500.0}, 2, 60),
    # The same in transformers 5's spelling, stored as float16, another head size than hidden / heads.
    "f16": (modern(LLAMA3 | {"rope_theta": 500.0}, **shape(24, 1, 2, 1, 40, 71, head_dim=16),
                   tie_word_embeddings=False) | {"dtype": "float16"}, 2, 40),
    # Biases of every projection.
    "biases": (hub(**shape(24, 2, 3, 1, 29, 64, head_dim=16), tie_word_embeddings=True, attention_bias=True,
                   mlp_bias=True), 3, 20),
    # Qwen2: biases of queries, keys and values; as the hub's files of R1-Distill-Qwen spell it, and as transformers 5.
    "qwen2": (qwen2(hub(**shape(24, 2, 4, 2, 37, 67, head_dim=8), tie_word_embeddings=False, use_mrope=False,
                        attention_dropout=0.0, use_cache=True)), 3, 22),
    "qwen2_tied": (qwen2(modern({"rope_theta": 1000000.0, "rope_type": "default"}, **shape(24, 2, 3, 1, 35, 66),
                                tie_word_embeddings=True, layer_types=["full_attention"] * 2)), 2, 19),
    # Heads of 100 and of 2.
    "head100": (hub(**shape(16, 1, 2, 1, 24, 64, head_dim=100), tie_word_embeddings=True), 2, 70),
    "head2": (hub(**shape(16, 2, 8, 4, 24, 64), tie_word_embeddings=False), 2, 70),
    # YaRN as Qwen2.5's cards say, rows beyond max_position_embeddings: of ten pairs three are fast, three are between.
    "yarn": (qwen2(hub(**shape(24, 1, 2, 1, 37, 67, head_dim=20), tie_word_embeddings=False,
                       rope_scaling={"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32})
                   | {"rope_theta": 100.0, "max_position_embeddings": 32}), 2, 60),
    # Everything that YaRN has a default for, transformers 5's spelling; heads of 4.
    "yarn_all": (modern({"rope_theta": 50.0, "rope_type": "yarn", "factor": 8.0, "beta_fast": 4.0, "beta_slow": 1.5,
                         "original_max_position_embeddings": 40, "mscale": 0.7, "mscale_all_dim": 1.2,
                         "truncate": False}, **shape(24, 1, 6, 3, 29, 64), tie_word_embeddings=True), 2, 60),
}
# Where the files would be large, numbers are kept at some positions of the only row, and for some rows of the table of
# embeddings: those on both sides of the borders at 64 and 1,024 keys, and at column 4,096.
KEPT_POSITIONS = {"long": [0, 1, 62, 63, 64, 65, 127, 128, 500, 1022, 1023, 1024, 1025, 1087, 1088, 1098, 1099],
                  "tall": [0, 30]}
KEPT_ROWS = {"tall": [0, 1, 7, 2047, 2048, 4094, 4095, 4096, 4097, 4098, 4099]}

# name -> the settings of its curve, as flags of `headroom train`. What is not named has the default.
CURVES = {
    "mha": {"--lr": 0.01, "--warmup-steps": 5, "--grad-clip": 2.0},
    "gqa": {"--lr": 0.005},
    "mqa": {"--lr": 0.01, "--lr-schedule": "constant", "--grad-clip": 0, "--grad-accum": 2},
    "biases": {"--lr": 0.01, "--lr-schedule": "constant", "--grad-accum": 2},
    "qwen2": {"--lr": 0.01, "--warmup-steps": 3},
}
CURVE_STEPS, CURVE_ROWS, CURVE_LENGTH = 20, 4, 24
DEFAULTS = {"--lr-schedule": "cosine", "--warmup-steps": 0, "--grad-clip": 1.0, "--weight-decay": 0.1, "--beta1": 0.9,
            "--beta2": 0.95, "--eps": 1e-8}


def make_weights(config, random):
    """Norms around 1, biases that matter, matrices wide enough that attention and gates are far from uniform."""
    weights = {}
    for name, dims in parameter_shapes(config).items():
        if name.endswith(".bias"):
            values = random.normal(0.0, 0.2, dims)
        elif len(dims) == 1:
            values = random.uniform(0.6, 1.4, dims)
        elif "embed_tokens" in name or "lm_head" in name:
            values = random.normal(0.0, 0.25, dims)
        else:
            values = random.normal(0.0, 1.2 / math.sqrt(dims[1]), dims)
        weights[name] = torch.from_numpy(values.astype(numpy.float32))
    return weights


def make_ids(random, vocab, rows, length):
    """Rows that can be learnt: mostly next = 5 * last + 3 (mod vocab), one in four at random."""
    ids = numpy.empty((rows, length), numpy.int64)
    ids[:, 0] = random.integers(0, vocab, rows)
    for t in range(1, length):
        stray = random.random(rows) < 0.25
        ids[:, t] = numpy.where(stray, random.integers(0, vocab, rows), (5 * ids[:, t - 1] + 3) % vocab)
    return ids


def as_parameters(weights):
    return {name: weight.double().requires_grad_() for name, weight in weights.items()}


def learning_rate(settings, step):
    """The schedule of README.md; steps count from 1."""
    peak, warmup = settings["--lr"], settings["--warmup-steps"]
    if step <= warmup:
        return peak * step / warmup
    if settings["--lr-schedule"] == "constant":
        return peak
    done = (step - warmup) / (CURVE_STEPS - warmup)
    return peak * (0.1 + 0.9 * 0.5 * (1.0 + math.cos(math.pi * done)))


def train(settings, parameters, batches, loss_of_batch):
    """AdamW by torch.optim over `parameters`; returns losses, norms before clipping, learning rates."""
    decayed = [p for p in parameters if p.dim() >= 2]
    vectors = [p for p in parameters if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": settings["--weight-decay"]},
                                   {"params": vectors, "weight_decay": 0.0}],
                                  betas=(settings["--beta1"], settings["--beta2"]), eps=settings["--eps"])
    losses, norms, rates = [], [], []
    for step, batch in enumerate(batches, 1):
        rates.append(learning_rate(settings, step))
        for group in optimizer.param_groups:
            group["lr"] = rates[-1]
        optimizer.zero_grad()
        loss = loss_of_batch(torch.tensor(batch))
        loss.backward()
        clip = settings["--grad-clip"] or math.inf
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, clip).item())
        losses.append(loss.item())
        optimizer.step()
    return losses, norms, rates


def write_curve(folder, config, weights, random, peer):
    settings = DEFAULTS | CURVES[folder.name]
    batches = [make_ids(random, config["vocab_size"], CURVE_ROWS, CURVE_LENGTH).tolist() for _ in range(CURVE_STEPS)]
    truth = as_parameters(weights)
    losses, norms, rates = train(settings, list(truth.values()), batches,
                                 lambda ids: loss_of(logits_of(config, truth, ids), ids))
    peers, *_ = train(settings, list(peer.parameters()), batches, lambda ids: peer(input_ids=ids, labels=ids).loss)
    text = json.dumps({"batches": batches}, separators=(",", ":"))
    (folder / "curve_tokens.json").write_text(text + "\n")
    record = {"flags": CURVES[folder.name], "rows": CURVE_ROWS, "length": CURVE_LENGTH, "losses": losses,
              "grad_norms": norms, "lrs": rates}
    (folder / "curve.json").write_text(json.dumps(record, indent=1) + "\n")
    clipped = sum(norm > settings["--grad-clip"] > 0 for norm in norms)
    worst = max(abs(a - b) for a, b in zip(losses, peers))
    assert worst < 1e-5, worst
    print(f"  curve: loss {losses[0]:.4f} -> {losses[-1]:.4f}, {clipped} of {CURVE_STEPS} steps clipped, "
          f"norms {min(norms):.3f} .. {max(norms):.3f}, transformers f32 off by {worst:.1e}")


def write_variant(name, seed):
    config, rows, length = VARIANTS[name]
    random = numpy.random.Generator(numpy.random.PCG64(seed))
    weights = make_weights(config, random)
    stored = getattr(torch, config.get("torch_dtype") or config["dtype"])
    weights = {key: weight.to(stored) for key, weight in weights.items()}
    ids = make_ids(random, config["vocab_size"], rows, length)
    if name in KEPT_ROWS:
        ids[0, : len(KEPT_ROWS[name])] = KEPT_ROWS[name]  # as inputs and as targets
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "ids.json").write_text(json.dumps({"ids": ids.tolist()}, separators=(",", ":")) + "\n")
    safetensors.torch.save_file(weights, folder / "model.safetensors", {"format": "pt"})

    truth, ids = as_parameters(weights), torch.from_numpy(ids)
    logits = logits_of(config, truth, ids)
    loss = loss_of(logits, ids)
    loss.backward()
    gradients = {key: weight.grad for key, weight in truth.items()}

    peer, info = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True,
                                                                   attn_implementation="eager")
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    answer = peer(input_ids=ids, labels=ids)
    answer.loss.backward()
    off_logits = (answer.logits.double() - logits).abs().max().item()
    off_loss = abs(answer.loss.item() - loss.item())
    off_gradients = max(((p.grad.double() - gradients[key]).abs().max() / gradients[key].abs().max()).item()
                        for key, p in peer.named_parameters())
    assert off_logits < 2e-5 and off_loss < 3e-6 and off_gradients < 1e-5, (off_logits, off_loss, off_gradients)
    # One SGD step at lr 1 rounds w - g once, to half a unit in the last place: 2^-24 |w - g| at most.
    noise = max(((weights[key].double() - g).abs().max() * 2.0**-24 / g.abs().max()).item()
                for key, g in gradients.items())
    assert noise < GRADIENT_BOUND / 8, noise
    print(f"| {name} | {sum(w.numel() for w in weights.values()):,} | {loss.item():.4f} | {off_logits:.1e} | "
          f"{off_loss:.1e} | {off_gradients:.1e} | {noise:.1e} |")

    kept = {"logits": logits.detach().float()}
    if name in KEPT_POSITIONS:
        kept["positions"] = torch.tensor(KEPT_POSITIONS[name], dtype=torch.int32)
        kept["logits"] = kept["logits"][:, KEPT_POSITIONS[name]].contiguous()
    safetensors.torch.save_file(kept, folder / "logits.safetensors")
    kept = {key: gradient.float() for key, gradient in gradients.items()}
    if name in KEPT_ROWS:
        table = "model.embed_tokens.weight"
        rows_kept = sorted(set(KEPT_ROWS[name]) | set(ids.flatten().tolist()))
        assert kept[table][rows_kept].abs().max() == kept[table].abs().max()
        kept[table + ".rows"] = torch.tensor(rows_kept, dtype=torch.int32)
        kept[table] = kept[table][rows_kept].contiguous()
    safetensors.torch.save_file(kept, folder / "gradients.safetensors")
    (folder / "loss.json").write_text(json.dumps({"loss": loss.item(), "predictions": rows * (length - 1)}) + "\n")
    if name in CURVES:
        peer.zero_grad()
        write_curve(folder, config, weights, random, peer)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, numpy {numpy.__version__}")
    for number, variant in enumerate(VARIANTS):
        if len(sys.argv) < 2 or variant in sys.argv[1:]:
            write_variant(variant, 1000 + number)
