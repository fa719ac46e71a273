#!/usr/bin/env bash
# clang-tidy with .clang-tidy on the given C++ files; without any, on those that differ from BASE (default: main).
# Reads build/tidy/compile_commands.json, so run it after a configure of the preset tidy (`make tidy` does).
set -euo pipefail
cd "$(dirname "$0")/.."

files=("$@")
if [ "${#files[@]}" -eq 0 ]; then
  base=$(git merge-base HEAD "${BASE:-main}")
  mapfile -t files < <({ git diff --name-only --diff-filter=d "$base"; git ls-files -o --exclude-standard; } | sort -u)
fi

# Headers are checked where they are included; sources that this build does not compile have no flags.
sources=()
for file in "${files[@]}"; do
  [[ $file != *.cc ]] || ! grep -qF -- "/$file\"" build/tidy/compile_commands.json || sources+=("$file")
done
if [ "${#sources[@]}" -eq 0 ]; then
  echo "tidy: no source files differ"
  exit 0
fi
printf '%s\0' "${sources[@]}" | xargs -0 -n 1 -P "$(nproc)" \
  clang-tidy -p build/tidy --quiet --extra-arg=-Wno-unknown-warning-option
echo "tidy: ${#sources[@]} files, clean"
