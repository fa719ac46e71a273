"""Two ranks with a weak link between them: what of the transfer is hidden, and whether the plan knows the step's time.

  python3 bench/weak_links.py [--config CONFIG] [--rates 100,1000,10000] [--stages 0,1,2,3] [--tokens 1025]

Needs root: each rank gets a network namespace of its own on this machine, joined by a pair of virtual cables (veth)
whose ends send no faster than the rate (tc tbf), and nothing else between them: messages go by TCP. Skips with a
sentence where that is not allowed. What ops take is measured first, by two processes at once, as two ranks run.

Prints for each rate and stage the median of the steps beside the plan's: of computing alone, of transfers alone, the
larger of the two, and the step that was predicted; and the share of the transfer's time that was hidden.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAMES = ("headroom-one", "headroom-two")
ADDRESSES = ("10.213.77.1", "10.213.77.2")
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 2048,
    "hidden_size": 256,
    "intermediate_size": 768,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": True,
    "torch_dtype": "float32",
}


def run(command, **how):
    return subprocess.run([str(part) for part in command], check=True, text=True, capture_output=True, **how)


class Link:
    """Two namespaces and what joins them, until the end of the block."""

    def __enter__(self):
        self.remove()
        for name in NAMES:
            run(["ip", "netns", "add", name])
            run(["ip", "-n", name, "link", "set", "lo", "up"])
        run(["ip", "link", "add", "wire", "netns", NAMES[0], "type", "veth", "peer", "name", "wire", "netns", NAMES[1]])
        for name, address in zip(NAMES, ADDRESSES):
            run(["ip", "-n", name, "address", "add", f"{address}/24", "dev", "wire"])
            run(["ip", "-n", name, "link", "set", "wire", "up"])
        return self

    def __exit__(self, *_):
        self.remove()

    @staticmethod
    def remove():
        for name in NAMES:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)

    @staticmethod
    def limit(mbits):
        """The rate of both ends, in bits of a million a second; the bucket holds what goes in 5 ms, the queue in 50."""
        bucket = max(mbits * 1_000_000 // 8 // 200, 256 * 1024)
        for name in NAMES:
            run(["tc", "-n", name, "qdisc", "replace", "dev", "wire", "root", "tbf", "rate", f"{mbits}mbit", "burst",
                 bucket, "latency", "50ms"])  # fmt: skip


def start_agent(directory):
    """What mpirun starts a daemon on the other `host` with: inside that one's namespace, under another host's name."""
    agent = directory / "agent"
    agent.write_text(
        f'#!/bin/sh\nshift\nexec ip netns exec {NAMES[1]} unshare --uts sh -c "hostname {NAMES[1]}; $*"\n',
        encoding="utf-8",
    )
    agent.chmod(0o755)
    return agent


def train(headroom, directory, stage, flags):
    shutil.rmtree(directory / "out", ignore_errors=True)
    launch = ["mpirun", "--quiet", "-n", "2", "--host", ",".join(f"{one}:1" for one in ADDRESSES), "--bind-to", "none",
              "--mca", "plm", "rsh", "--mca", "plm_rsh_agent", directory / "agent", "--mca", "btl", "self,tcp",
              "--mca", "btl_tcp_if_include", "wire", "--mca", "oob_tcp_if_include", "wire"]  # fmt: skip
    for variable in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "XDG_CACHE_HOME"):
        launch += ["-x", variable]
    job = [headroom, "train", directory / "model", "--tokens", directory / "tokens.json", "--output", directory / "out",
           "--threads", "1", "--save-every", "0", "--zero", stage, "--report", directory / "report.json",
           *flags]  # fmt: skip
    inside = ["ip", "netns", "exec", NAMES[0], "unshare", "--uts", "sh", "-c", f'hostname {NAMES[0]}; exec "$@"', "sh"]
    run([*inside, *launch, *job], env=environment(directory))
    seconds = [json.loads(line)["seconds"] for line in (directory / "out" / "metrics.jsonl").read_text().splitlines()]
    return statistics.median(seconds[1:]), json.loads((directory / "report.json").read_text())


def environment(directory):
    return {**ENVIRONMENT, "XDG_CACHE_HOME": str(directory / "cache")}


def measure_rates(headroom, directory, flags):
    """By two at once, as the ranks run."""
    command = [headroom, "plan", directory / "model", "--tokens", directory / "tokens.json", "--threads", "1",
               "--measure", *flags]  # fmt: skip
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    both = [subprocess.Popen([*map(str, command)], env=environment(directory), **quiet) for _ in range(2)]
    if any(process.wait() for process in both):
        sys.exit("headroom plan --measure failed")


def write_tokens(path, vocabulary, rows, tokens, steps):
    choose = random.Random(1)
    batches = [[[choose.randrange(vocabulary) for _ in range(tokens)] for _ in range(rows)] for _ in range(steps)]
    path.write_text(json.dumps({"batches": batches}), encoding="utf-8")


def reason_to_skip():
    for program in ("mpirun", "ip", "tc"):
        if shutil.which(program) is None:
            return f"no {program}"
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        with Link() as link:
            link.limit(100)
    except subprocess.CalledProcessError as error:
        return f"{' '.join(error.cmd)} says: {error.stderr.strip()}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--headroom", default=str(HERE.parent / "build" / "headroom"))
    parser.add_argument("--config", help="of the model; a llama of 5.2 million parameters where nothing is said")
    parser.add_argument("--rates", default="100,1000,10000", help="of the link, in Mbit/s")
    parser.add_argument("--stages", default="0,1,2,3")
    parser.add_argument("--tokens", type=int, default=1025, help="of a row; a rank has two rows")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("flags", nargs="*", help="further flags of train, behind --")
    arguments = parser.parse_args()
    reason = reason_to_skip()
    if reason:
        print(f"skipped: {reason}")
        return
    headroom = str(Path(arguments.headroom).resolve())
    with tempfile.TemporaryDirectory(prefix="headroom-links-") as name, Link() as link:
        directory = Path(name)
        config = json.loads(Path(arguments.config).read_text()) if arguments.config else CONFIG
        (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
        run([headroom, "init", directory / "config.json", "--output", directory / "model"])
        write_tokens(directory / "tokens.json", config["vocab_size"], 4, arguments.tokens, arguments.steps)
        start_agent(directory)
        measure_rates(headroom, directory, arguments.flags)
        print("| Mbit/s | link, MB/s | --zero | sent, MB | step, s | computing | transfers | larger of both | "
              "predicted | off | hidden |")  # fmt: skip
        print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        for rate in map(int, arguments.rates.split(",")):
            link.limit(rate)
            for stage in arguments.stages.split(","):
                seconds, report = train(headroom, directory, stage, arguments.flags)
                compute, moved = report["predicted_compute_seconds"], report["predicted_transfer_seconds"]
                predicted, first = report["predicted_step_seconds"], report["ranks"][0]
                hidden = sum(rank["hidden_seconds"] for rank in report["ranks"])
                waited = sum(rank["waited_seconds"] for rank in report["ranks"])
                print(f"| {rate:,} | {report['link']['bytes_per_second'] / 1e6:,.1f} | {stage} | "
                      f"{first['sent_bytes'] / 1e6:,.1f} | {seconds:.2f} | {compute:.2f} | {moved:.2f} | "
                      f"{max(compute, moved):.2f} | {predicted:.2f} | {predicted / seconds - 1:+.0%} | "
                      f"{hidden / (hidden + waited):.0%} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
