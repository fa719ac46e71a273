#!/usr/bin/env python3
"""Prints what the house is measured by (docs/architecture.md), counted in the sources.

  scripts/measure_house.py                    the tree as it is
  scripts/measure_house.py --base REVISION    and how its lines differ from a revision
  scripts/measure_house.py --commits A..B     and the files that each of these commits touches

Tests, documents and lines that are blank are left out of the counts of lines.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = re.compile(r"(src|apps|include)/.*\.(cc|h|js)")
# What a run's options are called on their way from the command line to the job.
OPTIONS = re.compile(r"\b(Run|Train|Generate|Eval|Convert)Options\b")
# What hands out memory of the arena or reads it, in files that know its owner; views by name are runtime's business.
ARENA = re.compile(r"(\.|->)((persistent|memory|staging|tensor)\(|as<[\w:]+( const)?>\()")
ARENA_OWNERS = re.compile(r'#include "headroom/runtime/(workspace|executor|arena)\.h"')
PUBLIC = '#include "headroom/headroom.h"'


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def room_of(path):
    """src/headroom/train/x.cc -> train; apps/x.cc -> apps."""
    parts = path.split("/")
    return parts[2] if parts[0] == "src" else parts[0]


def sources(revision=None):
    """Path -> text of the sources of a revision, or of the tree."""
    if revision is None:
        paths = git("ls-files", "-co", "--exclude-standard", "src", "apps", "include").splitlines()
        return {path: (ROOT / path).read_text() for path in paths if SOURCE.fullmatch(path) and (ROOT / path).exists()}
    paths = [path for path in git("ls-tree", "-r", "--name-only", revision).splitlines() if SOURCE.fullmatch(path)]
    return {path: git("show", f"{revision}:{path}") for path in paths}


def without_comments(text):
    return re.sub(r"//[^\n]*", "", text)


def uses(files, pattern):
    """Paths whose code, comments aside, has a match."""
    return [path for path, text in sorted(files.items()) if pattern.search(without_comments(text))]


def knows_arena(files, path):
    """Whether a file, or the header of its name, includes what owns the arena."""
    header = re.sub(r"\.cc$", ".h", path)
    return bool(ARENA_OWNERS.search(files[path]) or ARENA_OWNERS.search(files.get(header, "")))


def lines(files):
    """(lines outside formats/, lines in it), blank ones aside."""
    counts = [0, 0]
    for path, text in files.items():
        counts[room_of(path) == "formats"] += sum(bool(line.strip()) for line in text.splitlines())
    return counts


def print_list(title, paths, is_long):
    rooms = sorted({room_of(path) for path in paths})
    print(f"{title}: {len(paths)} files in {len(rooms)} rooms{': ' + ', '.join(rooms) if rooms else ''}")
    if is_long:
        print("".join(f"  {path}\n" for path in paths), end="")


def print_measures(files, is_long):
    print_list("options of a run pass through", uses(files, OPTIONS), is_long)
    touching = [path for path in uses(files, ARENA)
                if room_of(path) not in ("runtime", "backend") and knows_arena(files, path)]
    print_list("memory of the arena is touched outside runtime and backend by", touching, is_long)
    below = [path for path, text in sorted(files.items())
             if PUBLIC in text and room_of(path) not in ("apps", "api", "verbs", "include")]
    print_list("the public header is included below api by", below, is_long)
    others, formats = lines(files)
    print(f"lines: {others} outside formats, {formats} in formats")
    return others, formats


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", help="the revision that lines are compared with")
    parser.add_argument("--commits", help="a range of commits whose files are counted, such as main..topic")
    parser.add_argument("--list", action="store_true", help="print the files, too")
    arguments = parser.parse_args()

    files = sources()
    if arguments.base:
        print(f"{arguments.base}:")
        print_measures(sources(arguments.base), False)
        print("now:")
    others, formats = print_measures(files, arguments.list)
    if arguments.base:
        base_others, base_formats = lines(sources(arguments.base))
        print(f"lines against {arguments.base}: {others - base_others:+} ({others / base_others - 1:+.1%}) outside "
              f"formats, {formats - base_formats:+} in formats")
    if arguments.commits:
        for commit in git("rev-list", "--reverse", arguments.commits).split():
            paths = git("diff-tree", "--no-commit-id", "--name-only", "-r", commit).splitlines()
            tests = sum(path.startswith("tests/") for path in paths)
            print(f"{len(paths):4} files ({tests} of tests)  {git('log', '-1', '--format=%h %s', commit).strip()}")
            if arguments.list:
                print("".join(f"  {path}\n" for path in paths), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
