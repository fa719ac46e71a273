"""Writes traces.json: the loss scale over 10,000 scripted steps, by torch.amp.GradScaler and by DeepSpeed's
DynamicLossScaler with hysteresis.

  python3 generate.py path/to/deepspeed/runtime/fp16/loss_scaler.py

Made with torch 2.15 and the file of DeepSpeed 0.16.9, whose other modules are stubbed. Step i overflows where a linear
congruence says so (overflows() below, and tests/train/loss_scaler_test.cc): rarely, and in some hundreds of steps often.
A trace is the list of [step, scale that it ran with] at its start and after every change.
"""

import importlib.util
import json
import sys
import types
from pathlib import Path

import torch

STEPS = 10_000


def overflows():
    """Rare ones, so that thousands of steps stay clean; dense around 4,000; a burst at 9,000."""
    state = 12345
    for step in range(STEPS):
        state = (state * 1664525 + 1013904223) % 2**32
        dense = 4000 <= step < 4040
        chance = 2**30 if dense else 2**19
        yield state < chance or 9000 <= step < 9003


def changes(scales):
    trace = []
    for step, scale in enumerate(scales):
        if not trace or trace[-1][1] != scale:
            trace.append([step, scale])
    return trace


def by_torch():
    scaler = torch.amp.GradScaler("cpu")
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.0)
    for overflow in overflows():
        yield scaler.get_scale() if scaler._scale is not None else 65536.0
        scaler.scale(torch.zeros(1))
        weight.grad = torch.full((1,), float("inf") if overflow else 1.0)
        scaler.step(optimizer)
        scaler.update()


def by_deepspeed(path, hysteresis):
    for name in ("deepspeed", "deepspeed.comm", "deepspeed.runtime", "deepspeed.runtime.config_utils",
                 "deepspeed.utils"):  # fmt: skip
        sys.modules[name] = types.ModuleType(name)
    sys.modules["deepspeed"].comm = sys.modules["deepspeed.comm"]
    sys.modules["deepspeed.comm"].get_rank = lambda: 1
    sys.modules["deepspeed.runtime.config_utils"].DeepSpeedConfigObject = object
    sys.modules["deepspeed.utils"].logger = None
    spec = importlib.util.spec_from_file_location("loss_scaler", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    scaler = module.DynamicLossScaler(init_scale=2**16, scale_window=1000, min_scale=1, delayed_shift=hysteresis)
    for overflow in overflows():
        yield float(scaler.cur_scale)
        try:
            scaler.update_scale(overflow)
        except Exception:  # at the smallest scale it ends the run: the generator of scales ends as well
            return


def main():
    traces = {"torch": changes(by_torch())}
    for hysteresis in (2, 4):
        scales = list(by_deepspeed(sys.argv[1], hysteresis))
        traces[f"deepspeed_{hysteresis}"] = changes(scales)
        traces[f"deepspeed_{hysteresis}_steps"] = len(scales)
    Path(__file__).with_name("traces.json").write_text(json.dumps(traces) + "\n", encoding="utf-8")
    print({name: trace if isinstance(trace, int) else len(trace) for name, trace in traces.items()})


if __name__ == "__main__":
    main()
