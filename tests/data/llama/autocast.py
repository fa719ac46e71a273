"""Writes MODEL/curve_autocast.json: the loss curve of curve.json's batches and flags in PyTorch's mixed precision on the
CPU (torch.autocast, f32 weights and AdamW; in float16 with torch.amp.GradScaler), by transformers.

  python3 autocast.py

torch 2.15, transformers 5.23. tests/e2e/precision_test.py holds `--precision bf16|f16` against it.
"""

import json
import math

import torch
import transformers
from generate import CURVES, DEFAULTS, HERE, learning_rate


def curve(folder, dtype):
    settings = DEFAULTS | CURVES[folder.name]
    batches = json.loads((folder / "curve_tokens.json").read_text())["batches"]
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    parameters = list(model.parameters())
    decayed = [p for p in parameters if p.dim() >= 2]
    vectors = [p for p in parameters if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": settings["--weight-decay"]},
                                   {"params": vectors, "weight_decay": 0.0}],
                                  betas=(settings["--beta1"], settings["--beta2"]), eps=settings["--eps"])
    scaler = torch.amp.GradScaler("cpu", enabled=dtype == torch.float16)
    losses, scales = [], []
    for step, batch in enumerate(batches, 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, step)
        optimizer.zero_grad()
        ids = torch.tensor(batch)
        with torch.autocast("cpu", dtype=dtype):
            loss = model(input_ids=ids, labels=ids).loss
        scales.append(scaler.get_scale())
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(parameters, settings["--grad-clip"] or math.inf)
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    return {"losses": losses, "scales": scales}


def main():
    torch.set_num_threads(1)
    for name in CURVES:
        folder = HERE / name
        curves = {"bf16": curve(folder, torch.bfloat16), "f16": curve(folder, torch.float16)}
        truth = json.loads((folder / "curve.json").read_text())["losses"]
        for dtype, one in curves.items():
            worst = max(abs(a - b) for a, b in zip(one["losses"], truth))
            print(f"{name} {dtype}: {worst:.2e} from f64, scale {one['scales'][0]} to {one['scales'][-1]}")
        (folder / "curve_autocast.json").write_text(json.dumps(curves) + "\n")


if __name__ == "__main__":
    main()
