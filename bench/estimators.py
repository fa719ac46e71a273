"""What training takes, as estimators say and as it is: DeepSpeed's and accelerate's calculators beside headroom's plan.

  python3 bench/estimators.py --python ~/peers/bin/python [--headroom build/headroom] [--case NAME[:ROWSxTOKENS] ...]

DeepSpeed and accelerate speak of a training step of PyTorch, so their figures stand against the peak of
bench/peers/train_torch.py; headroom's plan stands against the peak of headroom's own run. Peaks are VmHWM. A case is a
config .json or one of bench/peers, with the rows and the tokens of a step; the default cases are llama-124m:4x128 and
llama-134m:4x512. --python is an environment with torch, transformers, deepspeed and accelerate; what is missing there
is left out.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

PEERS = Path(__file__).resolve().parent / "peers"
GB = 1e9


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True)
    parser.add_argument("--headroom", default="build/headroom")
    parser.add_argument("--case", action="append", help="NAME:ROWSxTOKENS")
    return parser.parse_args()


def run(command):
    """Its standard output, or None where it ended badly; then its last words are printed."""
    done = subprocess.run([str(part) for part in command], check=False, capture_output=True, encoding="utf-8")
    if done.returncode == 0:
        return done.stdout
    words = (done.stderr.strip().splitlines() or ["no words"])[-1]
    print(f"{command[0]} {command[1]}: {words[:160]}", file=sys.stderr)
    return None


def measure_headroom(headroom, config, rows, tokens, directory):
    """Predicted and measured peak of one step."""
    model, report, data = directory / "model", directory / "report.json", directory / "tokens.json"
    vocabulary = json.loads(config.read_text(encoding="ascii"))["vocab_size"]
    batch = [[(31 * row + 7 * at * at) % vocabulary for at in range(tokens)] for row in range(rows)]
    data.write_text(json.dumps({"batches": [batch]}), encoding="ascii")
    files = ["--tokens", data, "--output", directory / "out", "--report", report]
    made = run([headroom, "init", config, "--output", model, "--quiet"])
    if made is None or run([headroom, "train", model, *files, "--quiet"]) is None:
        return None, None
    figures = json.loads(report.read_text(encoding="ascii"))
    return figures["predicted_peak_bytes"], figures["measured_peak_bytes"]


def measure_torch(python, config, rows, tokens):
    shape = ["--batch-size", rows, "--seq-len", tokens, "--steps", 2]
    printed = run([python, PEERS / "train_torch.py", config, *shape])
    return None if printed is None else json.loads(printed.splitlines()[-1])["peak_bytes"]


def line(what, said, measured):
    if said is None or measured is None:
        print(f"  {what:<22} {'-' if said is None else f'{said / GB:.3f} GB':>11}")
        return
    error = f"{100 * (said / measured - 1):+.1f}%"
    print(f"  {what:<22} {said / GB:8.3f} GB  measured {measured / GB:8.3f} GB  {error:>8}")


def main():
    args = arguments()
    for case in args.case or ["llama-124m:4x128", "llama-134m:4x512"]:
        name, _, shape = case.rpartition(":")
        config = Path(name) if name.endswith(".json") else PEERS / f"{name}.json"
        rows, tokens = (int(number) for number in shape.split("x"))
        printed = run([args.python, PEERS / "estimate.py", config])
        said = {} if printed is None else json.loads(printed.splitlines()[-1])
        with tempfile.TemporaryDirectory(prefix="headroom-estimators-") as directory:
            predicted, measured = measure_headroom(args.headroom, config, rows, tokens, Path(directory))
        torch_peak = measure_torch(args.python, config, rows, tokens)
        print(f"{config.stem}, {said.get('parameters', 0) / 1e6:.1f} M parameters, {rows} rows of {tokens} tokens, f32")
        for what, value in said.items():
            if isinstance(value, str):
                print(f"  {what:<22} left out: {value}")
            elif what != "parameters":
                line(what, value, torch_peak)
        line("headroom plan", predicted, measured)


if __name__ == "__main__":
    main()
