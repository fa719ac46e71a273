"""Trains one llama with PyTorch on the CPU (f32, AdamW) as `headroom train` does by default, and prints one JSON line
with seconds per step and the peak of the process. README.md says how to run both sides.

    train_torch.py MODEL [--batch-size 4] [--seq-len 128] [--steps 8] [--tokens FILE.json]

MODEL is a config .json (random weights) or a Hugging Face directory. With --tokens both sides can train on the same
batches; without it the ids are random.
"""
import argparse
import json
import os
import pathlib
import statistics
import time


def memory_bytes(field):
    """VmHWM (peak) or VmRSS (now) of this process, as the kernel counts it."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--seq-len", type=int, default=128)
    parser.add_argument("--steps", type=int, default=8, help="the first one is run, but not timed")
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--tokens", help='{"batches": [[[...], ...], ...]}: step, row, position')
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--checkpointing", action="store_true", help="compute layers again in the backward")
    parser.add_argument("--compile", action="store_true", help="torch.compile the model")
    parser.add_argument("--loop", action="store_true", help="AdamW tensor by tensor instead of fused")
    return parser.parse_args()


def main():
    args = arguments()
    import torch
    import transformers

    transformers.LlamaForCausalLM  # lazily imported: make it part of the figure after the imports
    imported = memory_bytes("VmHWM")
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    if pathlib.Path(args.model).is_dir():
        model = transformers.LlamaForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    else:
        model = transformers.LlamaForCausalLM(transformers.LlamaConfig.from_json_file(args.model)).float()
    model.train()
    if args.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})

    if args.tokens:
        batches = torch.tensor(json.loads(pathlib.Path(args.tokens).read_text())["batches"])[: args.steps]
    else:
        batches = torch.randint(0, model.config.vocab_size, (args.steps, args.batch_size, args.seq_len))
    if len(batches) < 2:
        raise SystemExit("train_torch.py: at least two steps are needed; the first one is not timed")

    parameters = list(model.parameters())
    groups = [{"params": [p for p in parameters if p.dim() >= 2], "weight_decay": 0.1},
              {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=args.lr, betas=(0.9, 0.95), eps=1e-8, fused=not args.loop, foreach=False)
    forward = torch.compile(model) if args.compile else model

    losses, seconds = [], []
    for ids in batches:
        start = time.perf_counter()
        loss = forward(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)

    timed, tokens = seconds[1:], batches[0].numel()
    print(json.dumps({
        "engine": f"torch {torch.__version__}, transformers {transformers.__version__}",
        "parameters": sum(p.numel() for p in parameters),
        "rows_x_tokens": list(batches[0].shape),
        "threads": args.threads,
        "variant": [name for name in ("checkpointing", "compile", "loop") if getattr(args, name)],
        "timed_steps": len(timed),
        "seconds_per_step": round(statistics.median(timed), 4),
        "seconds_per_step_range": [round(min(timed), 4), round(max(timed), 4)],
        "tokens_per_second": round(tokens / statistics.median(timed), 1),
        "peak_bytes": memory_bytes("VmHWM"),
        "peak_after_imports_bytes": imported,
        "losses": losses,
    }))


if __name__ == "__main__":
    main()
