#!/usr/bin/env bash
# The quick start: a language model of the DeepSeek-LLM architecture from nothing but text, inside 256 MiB.
#   1. the text: this repository's own sources and pages, one file in ten held out
#   2. a tokenizer and random weights       headroom init
#   3. training under --memory 256MiB       headroom train
#   4. its loss against those of counting   scripts/ngram_entropy.py
#   5. it continues a prompt                headroom generate
#   6. in 4 bits: how much smaller and faster, and what that costs
#                                           headroom quantize, eval, bench
# QUICKSTART_STEPS shortens it (the test suite does). QUICKSTART_RANKS=2 trains on so many ranks under mpirun, which
# divide weights, gradients and optimizer state (--zero 3); the weights are those of one rank and as many --data-shards.
set -euo pipefail
cd "$(dirname "$0")/.."

headroom=${HEADROOM:-build/headroom}
work=${QUICKSTART_DIR:-build/quickstart}
steps=${QUICKSTART_STEPS:-800}
budget=256MiB
ranks=${QUICKSTART_RANKS:-1}
launcher=()
divided=()
if [ "$ranks" -gt 1 ]; then
  launcher=(mpirun --quiet --oversubscribe -n "$ranks")
  divided=(--zero 3)
  if [ "$(id -u)" -eq 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
fi

rm -rf "$work"
mkdir -p "$work"
# Without git (a source archive) the same files are found by their folders.
{ git ls-files 2>/dev/null || find apps bench docs examples include scripts src tests -type f; } |
  grep -E '\.(cc|h|md|py|sh|cmake)$' | grep -v -E '^tests/data/|zh-CN' | LC_ALL=C sort >"$work/files"
awk 'NR % 10 == 5' "$work/files" | xargs cat >"$work/held-out.txt"
awk 'NR % 10 != 5' "$work/files" | xargs cat >"$work/train.txt"
echo "text: $(wc -c <"$work/train.txt") bytes to train on, $(wc -c <"$work/held-out.txt") held out"

"$headroom" init tiny-4m --output "$work/model" --tokenizer-data "$work/train.txt" --vocabulary 512

"${launcher[@]}" "$headroom" train "$work/model" --data "$work/train.txt" --eval-data "$work/held-out.txt" \
  --output "$work/trained" --memory "$budget" --steps "$steps" --batch-size 8 --seq-len 128 \
  --lr 3e-3 --warmup-steps $((steps / 20)) --report "$work/train.json" --html "$work/plan.html" "${divided[@]}"

python3 scripts/ngram_entropy.py "$work/trained/train.tokens" "$work/trained/eval.tokens" --report "$work/train.json"

prompt=$'// Returns the number of bytes'
echo
echo "a continuation of: $prompt"
"$headroom" generate "$work/trained" --prompt "$prompt" --max-new-tokens 96 --temperature 0.7 --top-p 0.9 \
  --memory "$budget" --report "$work/generate.json"
echo
"$headroom" quantize "$work/trained" --output "$work/small" --bits 4 --group-size 64 --report "$work/small.json"
for model in trained small; do
  "$headroom" eval "$work/$model" --data "$work/held-out.txt" --seq-len 128 --memory "$budget" --quiet \
    --report "$work/eval-$model.json" >"$work/eval-$model.txt"
  "$headroom" bench "$work/$model" --prompt 0 --generate 64 --repeat 3 --memory "$budget" --quiet \
    --report "$work/bench-$model.json" >"$work/bench-$model.txt"
done
echo
echo "the model: $work/trained   in 4 bits: $work/small   the plan as a picture: $work/plan.html"
python3 - "$work/train.json" "$work/generate.json" <<'TABLE'
import json, sys
print(f"{'':12} {'measured':>14} {'predicted':>14} {'budget':>14}")
for name, path in zip(("train", "generate"), sys.argv[1:]):
    report = json.load(open(path, encoding="utf-8"))
    keys = ("measured_peak_bytes", "predicted_peak_bytes", "budget_bytes")
    print(f"{name:12} " + " ".join(f"{report[key] / 2**20:10.2f} MiB" for key in keys))
TABLE
python3 - "$work" <<'SMALL'
import json, sys
def report(name): return json.load(open(f"{sys.argv[1]}/{name}.json", encoding="utf-8"))
small = report("small")
perplexity = [report(f"eval-{model}")["perplexity"] for model in ("trained", "small")]
tokens = [report(f"bench-{model}")["tests"][0]["tokens_per_second"] for model in ("trained", "small")]
print(f"in 4 bits: {small['read_bytes'] / small['written_bytes']:.1f} times smaller, "
      f"perplexity {perplexity[0]:.3f} -> {perplexity[1]:.3f} ({100 * (perplexity[1] / perplexity[0] - 1):+.1f} %), "
      f"{tokens[1] / tokens[0]:.1f} times as fast")
SMALL
