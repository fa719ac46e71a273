#!/usr/bin/env bash
# Installs the Debian packages of the named groups of packages.txt: only what is missing, as root or through sudo.
# Prints nothing and needs no network when everything is there. Elsewhere than on Debian it names what is needed.
#
#   scripts/setup.sh build test lint
set -euo pipefail
cd "$(dirname "$0")/.."

needed=()
for group in "$@"; do
  mapfile -t -O "${#needed[@]}" needed < <(awk -v group="$group" '$1 == group { print $2 }' packages.txt)
done
[ "${#needed[@]}" -gt 0 ] || { echo "setup: no packages in '$*'; the groups are in packages.txt" >&2; exit 2; }

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "setup: not a Debian system; please provide: ${needed[*]}" >&2
  exit 0
fi

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | awk '$1 == "installed" { print $2 }')
missing=()
for package in "${needed[@]}"; do
  grep -qxF -- "$package" <<<"$installed" || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "setup: missing packages, and neither root nor sudo to install them: apt-get install ${missing[*]}" >&2
    exit 1
  }
  root=(sudo)
fi
apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "setup: installing ${missing[*]}" >&2
# A fresh image has an empty list of packages; when the mirror is down, a list from before may still do.
"${apt[@]}" update >"$log" 2>&1 || { echo "setup: apt-get update failed:" >&2; cat "$log" >&2; }
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
