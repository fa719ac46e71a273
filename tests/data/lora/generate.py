"""Writes the adapters beside this file and what PyTorch in float64 says about them. Run it with a Python that has torch,
safetensors and numpy; with peft and transformers installed, too, each is held against PEFT's float32 first:

    python tests/data/lora/generate.py

Every adapter belongs to a model of tests/data/llama. Its numbers come from numpy's PCG64 under fixed seeds; B is not
zero, so that the adapter counts from the start. For each NAME:

  adapter_config.json, adapter_model.safetensors   as PEFT names things
  logits.safetensors     of the model's ids.json with the adapter
  gradients.safetensors  of the mean loss over those ids, for each matrix, by its name
  curve.json             20 AdamW steps of the matrices alone on the model's curve_tokens.json
"""
import json
import math
import pathlib
import re
import sys

import numpy
import safetensors.torch
import torch

HERE = pathlib.Path(__file__).parent
MODELS = HERE.parent / "llama"
sys.path.insert(0, str(MODELS))
from llama64 import logits_of, loss_of  # noqa: E402

STEPS = 20
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
# name -> (model, config members)
VARIANTS = {
    "mha": ("mha", {"r": 4, "lora_alpha": 6, "target_modules": ALL}),
    # Ranks and alphas that differ between layers, scaled by the root of the rank; a base in bfloat16.
    "patterns": ("bf16", {"r": 3, "lora_alpha": 4, "use_rslora": True, "target_modules": ["q_proj", "v_proj", "mlp.up_proj"],
                          "rank_pattern": {"layers.0.self_attn.q_proj": 5}, "alpha_pattern": {"v_proj": 9}}),
    # Biases: the adapter's product is added before them.
    "biases": ("biases", {"r": 2, "lora_alpha": 2, "target_modules": ["o_proj", "down_proj"]}),
    # Regular expressions of layers, of which PEFT takes the one as the whole name and the others as what it ends in.
    "regex": ("qwen2_tied", {"r": 3, "lora_alpha": 4, "target_modules": r".*\.1\.(self_attn\.[qv]|mlp\.(up|down))_proj",
                       "exclude_modules": ["down_proj"], "rank_pattern": {r"self_attn\.[qk]_proj": 2},
                       "alpha_pattern": {r"v_pro.": 9, "_proj": 5, r"layers\.\d+\.mlp\..*": 2}}),
    # Adapters of some layers, which began in another way, with what says how beside it.
    "layers": ("qwen2_tied", {"r": 3, "lora_alpha": 4, "target_modules": ["q_proj", "gate_proj"], "layers_to_transform": [1],
                        "layers_pattern": "layers", "init_lora_weights": "eva", "eva_config": {"rho": 2.0, "tau": 0.99},
                        "loftq_config": {}, "fan_in_fan_out": True}),
    # DoRA: the rows of a weight with its adapter are scaled to magnitudes. Only logits.
    "dora": ("biases", {"r": 3, "lora_alpha": 4, "target_modules": ["q_proj", "down_proj"], "use_dora": True}),
    # Layers that are trained whole beside LoRA: embedding, output, a norm, a matrix with its bias. Only logits.
    "whole": ("qwen2", {"r": 2, "lora_alpha": 4, "target_modules": ["v_proj", "up_proj"],
                        "modules_to_save": ["embed_tokens", "lm_head", "model.norm", "0.self_attn.k_proj",
                                            "classifier"]}),
}
LR = 0.01


def ends_in(module, name):
    return module == name or module.endswith("." + name)


def is_target(config, module):
    targets = config["target_modules"]
    if isinstance(targets, str):
        found = re.fullmatch(targets, module)
    else:
        found = any(ends_in(module, target) for target in targets)
    if not found or any(ends_in(module, name) for name in config.get("exclude_modules", [])):
        return False
    layers = config.get("layers_to_transform")
    return layers is None or int(re.match(r".*\.layers\.(\d+)\.", module)[1]) in layers


def value_for(pattern, module, otherwise):
    return next((value for key, value in pattern.items() if re.match(rf"(.*\.)?({key})$", module)), otherwise)


def layers_of(config, weights):
    """module -> (rank, scale)"""
    layers = {}
    for name in weights:
        module = name.removesuffix(".weight")
        if not is_target(config, module):
            continue
        rank = value_for(config.get("rank_pattern", {}), module, config["r"])
        alpha = value_for(config.get("alpha_pattern", {}), module, config["lora_alpha"])
        layers[module] = (rank, alpha / (math.sqrt(rank) if config.get("use_rslora") else rank))
    return layers


def write(name, seed):
    model, members = VARIANTS[name]
    folder, source = HERE / name, MODELS / model
    folder.mkdir(exist_ok=True)
    random = numpy.random.Generator(numpy.random.PCG64(seed))
    base_config = json.loads((source / "config.json").read_text())
    weights = {key: value.double() for key, value in safetensors.torch.load_file(source / "model.safetensors").items()}
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "bias": "none", "fan_in_fan_out": False,
              "inference_mode": True, "lora_dropout": 0.0, "modules_to_save": None,
              "base_model_name_or_path": model} | members
    layers = layers_of(config, weights)
    matrices = {}
    for module, (rank, _) in layers.items():
        outputs, inputs = weights[module + ".weight"].shape
        for factor, shape in (("A", (rank, inputs)), ("B", (outputs, rank))):
            values = random.uniform(-1, 1, shape) * (1 / math.sqrt(inputs) if factor == "A" else 0.2)
            matrices[f"base_model.model.{module}.lora_{factor}.weight"] = torch.tensor(values, dtype=torch.float32)
        if config.get("use_dora"):
            values = random.uniform(0.5, 2, outputs)
            matrices[f"base_model.model.{module}.lora_magnitude_vector"] = torch.tensor(values, dtype=torch.float32)
    for key, weight in weights.items():
        if any(ends_in(key.rsplit(".", 1)[0], layer) for layer in config["modules_to_save"] or []):
            noise = random.normal(0, 0.1, weight.shape)
            matrices["base_model.model." + key] = (weight + torch.tensor(noise)).float()
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")
    safetensors.torch.save_file(matrices, folder / "adapter_model.safetensors", {"format": "pt"})

    ids = torch.tensor(json.loads((source / "ids.json").read_text())["ids"])
    trained = {key: value.double().requires_grad_() for key, value in matrices.items()}

    def logits(ids):
        merged = dict(weights)
        for module, (_, scale) in layers.items():
            a, b = (trained[f"base_model.model.{module}.lora_{factor}.weight"] for factor in "AB")
            weight = weights[module + ".weight"] + scale * (b @ a)
            if config.get("use_dora"):
                magnitudes = trained[f"base_model.model.{module}.lora_magnitude_vector"]
                weight = weight * (magnitudes / weight.norm(dim=1))[:, None]
            merged[module + ".weight"] = weight
        merged.update((key.removeprefix("base_model.model."), value) for key, value in trained.items()
                      if ".lora_" not in key)
        return logits_of(base_config, merged, ids)

    with torch.no_grad():
        expected = logits(ids)
    check_with_peft(folder, source, ids, expected)
    safetensors.torch.save_file({"logits": expected.float()}, folder / "logits.safetensors")
    if config.get("use_dora") or config["modules_to_save"]:
        return
    loss = loss_of(logits(ids), ids)
    loss.backward()
    safetensors.torch.save_file({key: value.grad.float() for key, value in trained.items()},
                                folder / "gradients.safetensors")

    tokens = source / "curve_tokens.json"
    if tokens.exists():
        for value in trained.values():
            value.grad = None
        optimizer = torch.optim.AdamW(trained.values(), lr=LR, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
        losses = []
        for batch in json.loads(tokens.read_text())["batches"][:STEPS]:
            ids = torch.tensor(batch)
            optimizer.zero_grad()
            loss = loss_of(logits(ids), ids)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
            losses.append(loss.item())
            optimizer.step()
        (folder / "curve.json").write_text(json.dumps({"lr": LR, "losses": losses}) + "\n")
        print(f"{name}: loss {losses[0]:.4f} -> {losses[-1]:.4f}")


def check_with_peft(folder, source, ids, expected):
    try:
        import peft
        import transformers
    except ImportError:
        print(f"{folder.name}: not held against PEFT, which is not installed")
        return
    base = transformers.AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager")
    model = peft.PeftModel.from_pretrained(base, folder)
    with torch.no_grad():
        off = (model(input_ids=ids).logits.double() - expected).abs().max().item()
    assert off < 2e-5, off
    print(f"{folder.name}: PEFT {peft.__version__} off by {off:.1e}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for number, variant in enumerate(VARIANTS):
        write(variant, 2000 + number)
