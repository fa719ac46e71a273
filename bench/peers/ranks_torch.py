"""Two ranks of one thread each on this machine, gloo over loopback: DistributedDataParallel or FSDP2 of a llama.

  python ranks_torch.py ddp|fsdp2 MODEL TOKENS.json

MODEL is a Hugging Face directory with weights, TOKENS.json as `headroom train --tokens` takes it; rank r has the r-th
half of each batch. f32, fused AdamW, clipping at 1. Each rank prints a JSON line: seconds of each step, loss of each,
and its peak (VmHWM).
"""

import json
import os
import subprocess
import sys
import time

RANKS = 2


def start_ranks():
    environment = {**os.environ, "WORLD_SIZE": str(RANKS), "MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1",
                   "MASTER_PORT": str(29500 + os.getpid() % 1000), "GLOO_SOCKET_IFNAME": "lo"}  # fmt: skip
    bind = [["taskset", "-c", str(rank)] for rank in range(RANKS)]
    ranks = [
        subprocess.Popen([*bind[rank], sys.executable, *sys.argv], env={**environment, "RANK": str(rank)})
        for rank in range(RANKS)
    ]
    sys.exit(max(rank.wait() for rank in ranks))


def main():
    import torch
    import torch.distributed as dist
    import transformers

    mode, model_directory, tokens = sys.argv[1:4]
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    model = transformers.LlamaForCausalLM.from_pretrained(model_directory, dtype=torch.float32)
    if mode == "ddp":
        engine = torch.nn.parallel.DistributedDataParallel(model)
    else:
        from torch.distributed.fsdp import fully_shard

        mesh = dist.device_mesh.init_device_mesh("cpu", (RANKS,))
        for layer in model.model.layers:
            fully_shard(layer, mesh=mesh)
        engine = fully_shard(model, mesh=mesh)
    optimizer = torch.optim.AdamW(engine.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    seconds, losses = [], []
    with open(tokens, encoding="utf-8") as file:
        batches = json.load(file)["batches"]
    for batch in batches:
        rows = len(batch) // RANKS
        ids = torch.tensor(batch[rank * rows : (rank + 1) * rows])
        dist.barrier()
        begin = time.time()
        loss = engine(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(engine.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.time() - begin)
        dist.all_reduce(loss.detach())
        losses.append(loss.item())
    with open("/proc/self/status", encoding="utf-8") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    line = json.dumps({"rank": rank, "seconds": seconds, "losses": losses, "peak_bytes": peak * 1024})
    os.write(1, (line + "\n").encode())  # in one piece: the other rank prints as well


if __name__ == "__main__":
    if "RANK" not in os.environ:
        start_ranks()
    main()
