"""Trains one llama with PyTorch on the CPU (f32, AdamW) as `headroom train` does by default, and prints one JSON line
with seconds per step and the peak of the process. README.md says how to run both sides; bench/training.py runs them in
turn.

    train_torch.py MODEL [--batch-size 4] [--seq-len 128] [--steps 8] [--tokens FILE.json] [what PyTorch may trade]

MODEL is a config .json (random weights) or a Hugging Face directory. With --tokens both sides can train on the same
batches; without it the ids are random.
"""

import argparse
import json
import os
import pathlib
import statistics
import time

CHUNK = 256  # rows of logits at a time with --chunked-loss
TRADES = ("checkpointing", "compile", "loop", "medium", "chunked_loss", "in_backward", "autocast")


def memory_bytes(field):
    """VmHWM (peak) or VmRSS (now) of this process, as the kernel counts it."""
    lines = pathlib.Path("/proc/self/status").read_text(encoding="ascii").splitlines()
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
    parser.add_argument("--medium", action="store_true", help="f32 products by oneDNN, accurate to f32 on most")
    parser.add_argument("--chunked-loss", action="store_true", help=f"logits of {CHUNK} rows at a time, made twice")
    parser.add_argument("--in-backward", action="store_true", help="updates inside the backward, without clipping")
    parser.add_argument("--autocast", action="store_true", help="forward and loss under autocast to bf16")
    parser.add_argument("--optimizer", choices=("adamw", "torchao", "bitsandbytes"), default="adamw",
                        help="AdamW in f32, or with 8-bit states of one of these packages")  # fmt: skip
    return parser.parse_args()


class Trainer:
    def __init__(self, args, model):
        import torch

        self.torch, self.args, self.model = torch, args, model
        self.parameters = list(model.parameters())
        self.forward = torch.compile(model) if args.compile else model
        if args.in_backward:
            self.optimizers = {p: self.make_optimizer([p]) for p in self.parameters}
            for parameter in self.parameters:
                parameter.register_post_accumulate_grad_hook(self.update)
        else:
            self.optimizer = self.make_optimizer(self.parameters)

    def make_optimizer(self, parameters):
        groups = [
            {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": 0.1},
            {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        settings = {"lr": self.args.lr, "betas": (0.9, 0.95), "eps": 1e-8}
        if self.args.optimizer == "torchao":
            from torchao.optim import AdamW8bit

            return AdamW8bit(groups, block_size=256, **settings)
        if self.args.optimizer == "bitsandbytes":
            from bitsandbytes.optim import AdamW8bit

            return AdamW8bit(groups, **settings)
        return self.torch.optim.AdamW(
            groups, fused=not self.args.loop, foreach=False, **settings
        )

    def update(self, parameter):
        self.optimizers[parameter].step()
        parameter.grad = None

    def loss(self, ids):
        if not self.args.chunked_loss:
            return self.forward(input_ids=ids, labels=ids).loss
        from torch.utils.checkpoint import checkpoint

        def of_rows(hidden, targets):
            logits = self.model.lm_head(hidden)
            return self.torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum")

        hidden = self.model.model(input_ids=ids).last_hidden_state[:, :-1].reshape(-1, self.model.config.hidden_size)
        targets = ids[:, 1:].reshape(-1)
        total = sum(
            checkpoint(of_rows, hidden[i : i + CHUNK], targets[i : i + CHUNK], use_reentrant=False)
            for i in range(0, len(targets), CHUNK)
        )
        return total / len(targets)

    def step(self, ids):
        with self.torch.autocast("cpu", dtype=self.torch.bfloat16, enabled=self.args.autocast):
            loss = self.loss(ids)
        loss.backward()
        if not self.args.in_backward:
            self.torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        return loss.item()


def make_model(args, torch, transformers):
    if pathlib.Path(args.model).is_dir():
        model = transformers.LlamaForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    else:
        model = transformers.LlamaForCausalLM(transformers.LlamaConfig.from_json_file(args.model)).float()
    model.train()
    if args.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model


def main():
    args = arguments()
    import torch
    import transformers

    transformers.LlamaForCausalLM  # lazily imported: make it part of the figure after the imports
    imported = memory_bytes("VmHWM")
    torch.set_num_threads(args.threads)
    torch.set_float32_matmul_precision("medium" if args.medium else "highest")
    torch.manual_seed(0)
    model = make_model(args, torch, transformers)
    if args.tokens:
        batches = torch.tensor(json.loads(pathlib.Path(args.tokens).read_text(encoding="ascii"))["batches"])
        batches = batches[: args.steps]
    else:
        batches = torch.randint(0, model.config.vocab_size, (args.steps, args.batch_size, args.seq_len))
    if len(batches) < 2:
        raise SystemExit("train_torch.py: at least two steps are needed; the first one is not timed")

    trainer = Trainer(args, model)
    losses, seconds = [], []
    for ids in batches:
        start = time.perf_counter()
        losses.append(trainer.step(ids))
        seconds.append(time.perf_counter() - start)

    timed, tokens = seconds[1:], batches[0].numel()
    report = {
        "engine": f"torch {torch.__version__}, transformers {transformers.__version__}",
        "parameters": sum(p.numel() for p in trainer.parameters),
        "rows_x_tokens": list(batches[0].shape),
        "threads": args.threads,
        "variant": [name for name in TRADES if getattr(args, name)],
        "optimizer": args.optimizer,
        "timed_steps": len(timed),
        "seconds": [round(value, 4) for value in timed],
        "seconds_per_step": round(statistics.median(timed), 4),
        "tokens_per_second": round(tokens / statistics.median(timed), 1),
        "peak_bytes": memory_bytes("VmHWM"),
        "peak_after_imports_bytes": imported,
        "losses": losses,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
