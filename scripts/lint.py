#!/usr/bin/env python3
"""Holds the tree to the house's style; exits non-zero on a breach.

  scripts/lint.py              the whole tree, with the report
  scripts/lint.py FILE...      these files only (what the pre-commit hook runs)
  scripts/lint.py --fix        rewrite the C++ files with clang-format first

Checks: clang-format; file lengths; line widths (outside C++, where clang-format has the last word); ASCII; tabs and
trailing blanks; the floors (who may include whom); links of the documentation.
Exceptions live in scripts/lint_allow.txt, each with its reason; an exception that nothing needs is a breach too.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ALLOW_FILE = "scripts/lint_allow.txt"

SOFT_LINES, HARD_LINES, KERNEL_LINES = 350, 600, 800
WIDTH = 120

CPP = (".cc", ".h")
CODE = CPP + (".js", ".py", ".sh", ".cmake", "CMakeLists.txt", "Makefile", ".ci/run", ".bash")
TEXT = CODE + (".md", ".txt", ".json", ".yaml", ".yml")

# Which floors each floor of src/headroom may include besides itself, from the ground up (docs/architecture.md).
FLOORS = {
    "base": "",
    "comm": "base",
    "formats": "base",
    "data": "base formats",
    "graph": "base",
    "backend": "base graph",
    "ops": "base graph backend",
    "plan": "base graph",
    "runtime": "base comm formats graph backend plan",
    "measure": "base formats graph backend plan runtime",
    "passes": "base graph ops plan",
    "models": "base formats graph ops runtime",
    "tasks": "base data graph ops runtime models",
    "techniques": "base formats data graph ops plan passes models runtime",
    "generate": "base formats graph backend ops plan runtime measure passes models tasks",
    "quantize": "base formats data graph backend ops plan runtime measure models",
    "train": "base comm formats data graph backend ops plan runtime measure passes models tasks techniques",
    "api": "base comm formats data graph backend ops plan runtime passes models tasks techniques generate train "
    "quantize measure",
    "verbs": "base comm formats data graph backend ops plan runtime passes models tasks techniques generate train "
    "quantize measure api",
}
OPTION_FLOORS = ("api", "verbs")  # who may read the options of the public header; they make settings of them
# Where in the arena a value lies is known here; all others read and write through views (runtime/view.h).
ARENA_FLOORS = ("backend", "runtime", "measure")
ARENA = re.compile(r"\bpersistent\(|\.staging\(\)|\.as<")
# What the process says goes through one file, which loses no result and drops notes that have no place.
CONSOLE = "src/headroom/base/console.cc"
STREAM = re.compile(r"\b(stdout|stderr)\b|std::c(out|err)\b")
INCLUDE = re.compile(r'^\s*#\s*include\s+["<](headroom/([^">]+))[">]')
RELATIVE_INCLUDE = re.compile(r'^\s*#\s*include\s+"(?!headroom/|tests/|bench/|apps/)([^"]+)"')

LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def tracked_files():
    """Paths of the tree, relative to the root: what git knows or would add; without git, everything but builds."""
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=False
    )
    if listing.returncode == 0:
        paths = [path for path in listing.stdout.decode().split("\0") if path]
    else:
        paths = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()]
        paths = [path for path in paths if not path.startswith(("build/", ".git/"))]
    return sorted(path for path in set(paths) if (ROOT / path).is_file())


def is_fixture(path):
    """Data of tests and recorded figures: not written by hand, so not held to the style."""
    return path.startswith("tests/data/")


class Allowed:
    """The written exceptions: lines of `CHECK PATH  # reason`."""

    def __init__(self):
        self.entries = {}
        self.problems = []
        for number, line in enumerate((ROOT / ALLOW_FILE).read_text().splitlines(), 1):
            entry, _, reason = line.partition("#")
            if not entry.strip():
                continue
            words = entry.split()
            if len(words) != 2 or not reason.strip():
                self.problems.append(f"{ALLOW_FILE}:{number}: expected `CHECK PATH  # reason`")
            else:
                self.entries[tuple(words)] = number
        self.used = set()

    def permits(self, check, path):
        if (check, path) in self.entries:
            self.used.add((check, path))
            return True
        return False

    def unused(self):
        for (check, path), number in self.entries.items():
            if (check, path) not in self.used:
                yield f"{ALLOW_FILE}:{number}: nothing needs the exception `{check} {path}`; remove it"


def check_length(path, lines):
    limit = KERNEL_LINES if path.startswith("src/headroom/backend/") else HARD_LINES
    if path.endswith(CODE) and len(lines) > limit:
        yield "length", f"{path}: {len(lines)} lines; at most {limit}; try one file for each thing it holds"


def check_text(path, lines):
    is_code = path.endswith(CODE)
    is_makefile = path.endswith("Makefile")
    is_ascii = not path.endswith(".zh-CN.md")
    for number, line in enumerate(lines, 1):
        if is_ascii and not line.isascii():
            yield "ascii", f"{path}:{number}: not ASCII"
        if "\t" in line and not is_makefile:
            yield "tabs", f"{path}:{number}: a tab; expected spaces"
        if is_code and line != line.rstrip():
            yield "blanks", f"{path}:{number}: blanks at the end of the line"
        if is_code and not path.endswith(CPP) and len(line) > WIDTH and "http" not in line:
            yield "width", f"{path}:{number}: {len(line)} columns; at most {WIDTH}"


def check_floors(path, lines):
    parts = path.split("/")
    public = path.startswith("include/headroom/")
    floor = parts[2] if path.startswith("src/headroom/") and len(parts) > 3 else None
    if floor is not None and floor not in FLOORS:
        yield "floors", f"{path}: no floor {floor}; the floors and who may use whom are the table in scripts/lint.py"
        return
    if path.endswith(".h") and "#pragma once" not in (line.strip() for line in lines):
        yield "floors", f"{path}: a header without #pragma once"
    for number, line in enumerate(lines, 1):
        if floor and floor not in ARENA_FLOORS and not line.lstrip().startswith("//") and ARENA.search(line):
            yield "floors", f"{path}:{number}: {floor} touches the arena; expected a view (runtime/view.h)"
        if path.startswith(("src/", "apps/")) and path != CONSOLE and STREAM.search(line):
            yield "floors", f"{path}:{number}: a standard stream; expected write_result or write_note ({CONSOLE[:-2]}h)"
        if relative := RELATIVE_INCLUDE.match(line):
            if path.startswith(("src/", "include/")):
                yield "floors", f'{path}:{number}: "{relative[1]}"; expected a path from src/, "headroom/FLOOR/FILE.h"'
        found = INCLUDE.match(line)
        if found and found[2] == "headroom.h" and floor and floor not in OPTION_FLOORS:
            yield "floors", f"{path}:{number}: {floor} includes the public header; expected its own settings instead"
        if not found or "/" not in found[2]:
            continue
        used = found[2].split("/")[0]
        if public:
            yield "floors", f"{path}:{number}: the public API includes {found[1]}; expected nothing of the inside"
        elif floor and used != floor and used not in FLOORS[floor].split():
            below = FLOORS[floor] or "nothing"
            yield "floors", f"{path}:{number}: {floor} includes {used}; the floors below it are: {below}"


def check_links(path, lines):
    in_code = False
    for number, line in enumerate(lines, 1):
        in_code ^= line.startswith("```")
        for target in [] if in_code else LINK.findall(line):
            if not (ROOT / path).parent.joinpath(target).exists():
                yield "links", f"{path}:{number}: a link to {target}, which is not there"


def clang_format(paths, fix):
    """Formats in parallel; yields one message a file that clang-format would change."""
    tool = shutil.which("clang-format-14") or shutil.which("clang-format")
    if not tool:
        yield "format", "clang-format is missing; try make setup"
        return
    how = ["-i"] if fix else ["--dry-run", "--Werror", "--ferror-limit=1"]
    batches = [paths[start : start + 16] for start in range(0, len(paths), 16)]
    processes = []
    for batch in batches:
        if len(processes) >= (os.cpu_count() or 1):
            yield from finish(processes.pop(0))
        processes.append(subprocess.Popen([tool, *how, *batch], cwd=ROOT, stderr=subprocess.PIPE, text=True))
    for process in processes:
        yield from finish(process)


def finish(process):
    _, errors = process.communicate()
    wrong = sorted({line.split(":")[0] for line in errors.splitlines() if "-Wclang-format-violations" in line})
    for path in wrong:
        yield "format", f"{path}: not as clang-format writes it; try make format"
    if process.returncode != 0 and not wrong:
        yield "format", errors.strip()


def report(contents):
    """Lines, comment share and longest file of each part of the tree, and the files above the soft limit."""
    parts = defaultdict(lambda: [0, 0, 0, 0, ""])
    long_files = []
    for path, lines in contents.items():
        if not path.endswith(CPP):
            continue
        words = path.split("/")
        name = "/".join(words[1:3]) if path.startswith("src/") else words[0]
        part = parts[name]
        written = [line.strip() for line in lines if line.strip()]
        part[0] += 1
        part[1] += len(written)
        part[2] += sum(line.startswith("//") for line in written)
        if len(lines) > part[3]:
            part[3], part[4] = len(lines), words[-1]
        if len(lines) > SOFT_LINES:
            long_files.append(f"{path} ({len(lines)})")
    print(f"{'part':<20} {'files':>5} {'lines':>7} {'comments':>9}  longest")
    for name, (files, lines, comments, longest, longest_name) in sorted(parts.items()):
        print(f"{name:<20} {files:>5} {lines:>7} {comments / max(lines, 1):>9.1%}  {longest_name} ({longest})")
    if long_files:
        print(f"above the soft limit of {SOFT_LINES} lines: " + ", ".join(sorted(long_files)))


def main(arguments):
    fix = "--fix" in arguments
    chosen = [os.path.relpath(os.path.abspath(name), ROOT) for name in arguments if not name.startswith("-")]
    paths = [path for path in (chosen or tracked_files()) if path.endswith(TEXT) and not is_fixture(path)]
    cpp = [path for path in paths if path.endswith(CPP)]
    allowed = Allowed()
    breaches = [("allow", problem) for problem in allowed.problems]
    contents = {}
    breaches += clang_format(cpp, fix)
    for path in paths:
        try:
            contents[path] = (ROOT / path).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            breaches.append(("ascii", f"{path}: not UTF-8"))
            continue
        breaches += check_length(path, contents[path])
        breaches += check_text(path, contents[path])
        if path.endswith(CPP):
            breaches += check_floors(path, contents[path])
        if path.endswith(".md"):
            breaches += check_links(path, contents[path])
    breaches = [(check, text) for check, text in breaches if not allowed.permits(check, text.split(":")[0])]
    if not chosen:
        breaches += [("allow", text) for text in allowed.unused()]
        report(contents)
    for check, text in breaches:
        print(f"lint [{check}] {text}", file=sys.stderr)
    print(f"lint: {len(contents)} files, {len(breaches)} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
