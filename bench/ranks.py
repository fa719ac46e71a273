"""Jobs of several ranks against one rank with as many data shards, over a random matrix: bits, memory, bytes sent.

  python3 bench/ranks.py [--headroom build/headroom] [--jobs 60] [--seed 1] [--only N]

Each job is a random small model trained for three steps by 2, 3, 4 or 8 ranks under mpirun, with a random stage of
ZeRO, shards, micro-batches, clipping, checkpointing, offload, optimizer and format, and once more on one rank. Held to:

  bits     the trained model, the checkpoint's weights and states, losses and norms are equal
  memory   of each rank: measured <= predicted <= budget, predicted - measured <= max(1 % of predicted, 8 MiB)
  wire     what a rank sent in a step, for stages 0 to 2, to the byte: (D - 1) / D of a gradient and of a weight, by
           whole blocks of 1,024 elements; gradients of small tensors; norms of blocks; losses

Job N is a function of seed and N alone. Prints a line a job and a summary; the exit code is the number of jobs that
broke something (at most 100).
"""

import argparse
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

MIB = 2**20
SLACK_BYTES = 8 * MIB
STEPS, TOKENS = 3, 24
BLOCK, LEAST_BLOCKS = 1024, 4
# In a container everybody is root.
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def random_config(rng):
    heads = rng.choice([2, 4])
    return {
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": rng.choice([259, 777, 2048]),
        "hidden_size": heads * rng.choice([16, 32, 48]),
        "intermediate_size": rng.choice([100, 256, 344]),
        "num_hidden_layers": rng.randint(1, 4),
        "num_attention_heads": heads,
        "num_key_value_heads": rng.choice([1, heads]),
        "max_position_embeddings": 256,
        "tie_word_embeddings": rng.random() < 0.5,
        "torch_dtype": "float32",
    }


def random_job(rng):
    """(ranks, shards, rows, what decides numbers, what must not)."""
    ranks = rng.choice([2, 2, 3, 4, 4, 8])
    shards = ranks * rng.choice([1, 1, 2, 4])
    rows = shards * rng.choice([1, 2])
    numbers = rng.choice([[], [], ["--grad-clip", "0"], ["--optimizer", "adamw8bit"], ["--optimizer", "sgd"],
                          ["--precision", "bf16"], ["--precision", "f16"], ["--compress-activations", "8"],
                          ["--master-weights", "bf16"], ["--clip-mode", "tensor"]])  # fmt: skip
    way = ["--zero", str(rng.randrange(4)), "--threads", rng.choice(["1", "1", "2"])]
    if rng.random() < 0.3 and "--compress-activations" not in numbers:
        way += ["--checkpointing", "full"]
    if shards == ranks and not numbers and rng.random() < 0.4:
        way += ["--clip-mode", "two-pass", "--grad-accum", "1"]
    elif rng.random() < 0.4:
        way += ["--grad-accum", str(rows // ranks)]
    if rng.random() < 0.3:
        way += ["--disk", "disk", "--offload", rng.choice(["all", "optimizer", "weights"])]
    return ranks, shards, rows, numbers, way


def random_batches(rng, rows, vocabulary):
    step = lambda: [[rng.randrange(vocabulary) for _ in range(TOKENS)] for _ in range(rows)]  # noqa: E731
    return {"batches": [step() for _ in range(STEPS)]}


def elements_of_tensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    counts = []
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        count = 1
        for size in tensor["shape"]:
            count *= size
        counts.append(count)
    return counts


def first_of(rank, ranks, elements, unit):
    blocks = -(-elements // unit)
    return min(elements, -(-blocks * rank // ranks) * unit)


def sent_by_formula(rank, ranks, stage, tensors, predictions):
    sent = (ranks - 1) * 4 * predictions // ranks
    for elements in tensors:
        if -(-elements // BLOCK) < LEAST_BLOCKS * ranks:
            sent += (ranks - 1) * 4 * elements
            continue
        first, end = (first_of(one, ranks, elements, BLOCK) for one in (rank, rank + 1))
        sent += 4 * (elements - (end - first)) + (ranks - 1) * 4 * (end - first)
        if stage > 0:
            sent += (ranks - 1) * 8 * (-(-end // BLOCK) - first // BLOCK)
    return sent


class Job:
    def __init__(self, arguments, number):
        self.headroom = arguments.headroom
        rng = random.Random(f"{arguments.seed} {number}")
        config = random_config(rng)
        self.ranks, self.shards, self.rows, self.numbers, self.way = random_job(rng)
        self.directory = Path(tempfile.mkdtemp(prefix="headroom-ranks-"))
        (self.directory / "config.json").write_text(json.dumps(config))
        self.run("init", "config.json", "--output", "model")
        (self.directory / "tokens.json").write_text(json.dumps(random_batches(rng, self.rows, config["vocab_size"])))

    def close(self):
        shutil.rmtree(self.directory)

    def run(self, *words, ranks=0):
        launcher = ["mpirun", "--quiet", "--oversubscribe", "-n", str(ranks)] if ranks else []
        done = subprocess.run([*launcher, self.headroom, *words], cwd=self.directory, env=ENVIRONMENT, text=True,
                              capture_output=True, check=False)  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"exit code {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")

    def train(self, output, ranks, *flags):
        self.run("train", "model", "--tokens", "tokens.json", "--lr", "0.01", "--data-shards", str(self.shards),
                 "--output", output, "--report", f"{output}.json", *self.numbers, *flags, ranks=ranks)  # fmt: skip
        directory = self.directory / output
        lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
        files = ["model.safetensors", *(f"checkpoint-{STEPS}/{name}.safetensors" for name in ("model", "optimizer"))]
        numbers = [(line["loss"], line["grad_norm"]) for line in lines]
        return [numbers, *((directory / name).read_bytes() for name in files)]

    def broken(self):
        """What does not hold, in words; and the largest slack of a rank."""
        broken = []
        if self.train("many", self.ranks, *self.way) != self.train("one", 0):
            broken.append("other bits than one rank")
        report = json.loads((self.directory / "many.json").read_text())
        slack = 0
        for row in report["ranks"]:
            predicted, measured = row["predicted_peak_bytes"], row["measured_peak_bytes"]
            slack = max(slack, predicted - measured)
            if not measured <= predicted <= report["budget_bytes"]:
                broken.append(f"rank {row['rank']}: {measured} measured, {predicted} predicted")
            if predicted - measured > max(predicted // 100, SLACK_BYTES):
                broken.append(f"rank {row['rank']}: {predicted - measured} bytes are not used")
        stage = int(self.way[1])
        is_plain = not {"--master-weights", "--clip-mode"} & {*self.numbers, *self.way}
        if stage < 3 and is_plain:
            tensors = elements_of_tensors(self.directory / "model" / "model.safetensors")
            places = TOKENS - 1 + ("bf16" in self.numbers)
            for row in report["ranks"]:
                expected = sent_by_formula(row["rank"], self.ranks, stage, tensors, self.rows * places)
                if row["sent_bytes"] != expected:
                    broken.append(f"rank {row['rank']} sent {row['sent_bytes']}, by formula {expected}")
        return broken, slack


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--headroom", default=str(Path(__file__).resolve().parent.parent / "build" / "headroom"))
    parser.add_argument("--jobs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    arguments = parser.parse_args()
    arguments.headroom = str(Path(arguments.headroom).resolve())
    if shutil.which("mpirun") is None:
        sys.exit("skipped: no mpirun; apt-get install openmpi-bin")
    numbers = [arguments.only] if arguments.only is not None else range(arguments.jobs)
    failures, largest_slack = 0, 0
    for number in numbers:
        job = Job(arguments, number)
        try:
            broken, slack = job.broken()
        except RuntimeError as error:
            broken, slack = [str(error)], 0
        finally:
            job.close()
        failures += bool(broken)
        largest_slack = max(largest_slack, slack)
        words = " ".join([*job.numbers, *job.way])
        print(f"{number:3} {job.ranks} ranks, {job.shards} shards, {words}: {'; '.join(broken) or 'equal'}", flush=True)
    print(f"{len(numbers)} jobs, {failures} broken; predicted - measured at most {largest_slack / MIB:.2f} MiB")
    sys.exit(min(failures, 100))


if __name__ == "__main__":
    main()
