"""Decoding of a mixture of experts whose experts do not fit: tokens per second, what of the experts is in memory, and
what the disk does, over the budget; and what long contexts take beside weights and cache.

  python3 bench/deepseek.py MODEL [--headroom build/headroom] [--budgets 2GiB,2.5GiB,4GiB] [--generate 32] [--repeat 3]
                            [--threads N] [--skew 1.0] [--seed 0] [--json out.json]
  python3 bench/deepseek.py --contexts deepseek-v2-lite,deepseek-v3

MODEL is a directory with weights, as `headroom init deepseek-v2-lite` and `headroom quantize` make it; each budget is a
run of `headroom bench` of its own, the first of them the least that works, where slots keep nothing for long. The bound
is what the disk alone or the computation alone would allow, whichever is less, by the hits that were measured. --skew:
first multiplies the rows of every gate by factors of a lognormal distribution of that deviation, so that routers prefer
some experts, as trained ones do (random weights prefer none); the model's files are changed.
"""

import argparse
import json
import random
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from streaming import disk_rate

MIB = 2**20


def skew_gates(model, deviation, seed):
    """In place; gates are kept in bf16 or f32."""
    numbers = random.Random(seed)
    for path in sorted(Path(model).glob("*.safetensors")):
        with open(path, "r+b") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            header = json.loads(file.read(size))
            for name, tensor in sorted(header.items()):
                if not name.endswith("mlp.gate.weight"):
                    continue
                if len(tensor["shape"]) != 2:
                    sys.exit(f"{path}: {name} is quantised; expected a gate in bf16 or f32, as quantize leaves it")
                rows, columns = tensor["shape"]
                begin, end = (8 + size + offset for offset in tensor["data_offsets"])
                width = (end - begin) // (rows * columns)
                for row in range(rows):
                    factor = numbers.lognormvariate(0.0, deviation)
                    at = begin + row * columns * width
                    file.seek(at)
                    data = scaled(file.read(columns * width), width, factor)
                    file.seek(at)
                    file.write(data)


def scaled(data, width, factor):
    if width == 4:
        values = struct.unpack(f"<{len(data) // 4}f", data)
        return struct.pack(f"<{len(values)}f", *(factor * value for value in values))
    halves = struct.unpack(f"<{len(data) // 2}H", data)
    values = struct.unpack(f"<{len(halves)}f", b"".join(struct.pack("<I", half << 16) for half in halves))
    bits = struct.unpack(f"<{len(halves)}I", struct.pack(f"<{len(halves)}f", *(factor * value for value in values)))
    return struct.pack(f"<{len(bits)}H", *((bit + 0x8000) >> 16 & 0xFFFF for bit in bits))


def run(options, budget, report):
    command = [options.headroom, "bench", options.model, "--prompt", "0", "--memory", budget, "--quiet"]
    command += ["--generate", str(options.generate), "--repeat", str(options.repeat)]
    command += ["--threads", str(options.threads), "--report", report]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None, done.stderr
    return json.loads(Path(report).read_text(encoding="utf-8")), done.stderr


def curve(options):
    if options.skew > 0:
        skew_gates(options.model, options.skew, options.seed)
    file = max(Path(options.model).glob("*.safetensors"), key=lambda path: path.stat().st_size)
    results = []
    with tempfile.TemporaryDirectory() as directory:
        report = f"{directory}/report.json"
        _, words = run(options, "16MiB", report)
        least = int(json.loads(Path(report).read_text(encoding="utf-8"))["smallest_budget_bytes"])
        print(f"the least that works: {least / MIB:,.0f} MiB", flush=True)
        for budget in [str(least), *options.budgets.split(",")]:
            disk = disk_rate(file)
            result, words = run(options, budget, report)
            if result is None:
                print(f"{budget}: {words.strip()}")
                continue
            test = result["tests"][0]
            files = test.get("file_bytes_per_second", 0)
            line = {
                "budget": budget,
                "measured_peak_bytes": result["measured_peak_bytes"],
                "predicted_peak_bytes": result["predicted_peak_bytes"],
                "tokens_per_second": test["tokens_per_second"],
                "experts_in_memory": test.get("experts_in_memory", 0),
                "file_bytes_per_token": files / test["tokens_per_second"],
                "disk_bytes_per_second": disk,
            }
            results.append(line)
            print(words_of(line), flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def words_of(line):
    rate, files = line["tokens_per_second"], line["file_bytes_per_token"]
    disk = line["disk_bytes_per_second"]
    return (
        f"{line['measured_peak_bytes'] / MIB:8,.0f} MiB measured, {line['predicted_peak_bytes'] / MIB:8,.0f} "
        f"predicted: {rate:7.3f} tokens/s, {100 * line['experts_in_memory']:5.1f} % of the experts in memory, "
        f"{files / MIB:7.0f} MiB a token from files, {100 * files * rate / disk:5.1f} % of the disk's "
        f"{disk / 1e9:.2f} GB/s"
    )


def contexts(options):
    """What a plan takes beside weights and cache, by its own table."""
    for preset in options.contexts.split(","):
        for context in (32768, 131072):
            command = [options.headroom, "plan", preset, "--task", "generate", "--context", str(context)]
            command += ["--kv-cache-dtype", "bf16", "--memory", "4TiB", "--prefill-chunk", str(options.chunk)]
            text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            rows = re.findall(r"^  (\S[\w ]*?) {2,}.* ([\d,]+) B$", text, re.M)
            size = {name: int(value.replace(",", "")) for name, value in rows}
            other = (size["arena"] - size["weight"] - size["kv cache"]) / MIB
            print(f"{preset} at {context:,}: {other:,.1f} MiB beside weights and cache, chunks of {options.chunk}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--budgets", default="2GiB,2.5GiB,3GiB,4GiB,6GiB")
    parser.add_argument("--generate", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--skew", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json")
    parser.add_argument("--contexts")
    parser.add_argument("--chunk", type=int, default=32)
    options = parser.parse_args()
    if options.contexts:
        return contexts(options)
    if not options.model:
        parser.error("expected a model or --contexts")
    return curve(options)


if __name__ == "__main__":
    sys.exit(main())
