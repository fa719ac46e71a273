"""The objects of one instruction set define nothing that a program could link or run without it.

A weak symbol outside the set's namespace (an inline function, a template of the library) could be the copy that the
linker keeps for everybody, and then a processor that lacks the set stops on an illegal instruction. A constructor of a
static object would run before the choice of the instruction set.
"""

import argparse
import subprocess
import sys


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nm", required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("objects", nargs="+")
    arguments = parser.parse_args()
    mangled = f"{len(arguments.namespace)}{arguments.namespace}"  # also as an argument of a template
    failures = []
    defined = 0
    for path in arguments.objects:
        listing = subprocess.run([arguments.nm, "--defined-only", path], check=True, capture_output=True, text=True)
        for line in listing.stdout.splitlines():
            kind, name = line.split()[-2:]
            inside = mangled in name
            defined += inside and kind in "TW"
            # Code that the linker sees: T is a strong symbol, W a weak one. Shared constants do no harm.
            if kind in "TW" and not inside:
                failures.append(f"{path}: {name} ({kind}) is visible outside {arguments.namespace}")
            if name.startswith("_GLOBAL__sub_I") and "asan" not in name:
                failures.append(f"{path}: {name} runs before main")
    if defined == 0:
        failures.append(f"no symbol of {mangled} in {len(arguments.objects)} objects")
    print("\n".join(failures) or f"{defined} symbols, all in headroom::{arguments.namespace}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
