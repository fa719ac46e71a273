#include "headroom/measure/memory_page.h"

#include <fmt/core.h>

#include <algorithm>

#include "headroom/graph/op.h"
#include "headroom/measure/text_file.h"

namespace headroom {
namespace {

constexpr std::string_view kHead = R"page(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>headroom: memory of a step</title>
<style>
:root { color-scheme: light dark; --page: #f6f7f9; --ink: #1c2430; --soft: #5d6878; --line: #d9dee6;
  --live: #3f76bf; --measured: #d9534f; --predicted: #2a9d8f; --budget: #7d5fb2; }
@media (prefers-color-scheme: dark) { :root { --page: #12161c; --ink: #e6eaf0; --soft: #98a3b3; --line: #313a46; } }
body { margin: 0; background: var(--page); color: var(--ink); font: 14px/1.5 system-ui, sans-serif; }
main { max-width: 1300px; margin: 0 auto; padding: 20px; }
h1 { font-size: 19px; font-weight: 600; }
canvas { width: 100%; height: 460px; display: block; }
#key span { margin-right: 20px; white-space: nowrap; } #key i { display: inline-block; width: 18px; height: 3px;
  margin-right: 6px; vertical-align: middle; }
#at { color: var(--soft); min-height: 3em; font-variant-numeric: tabular-nums; }
</style></head><body><main><h1>headroom: memory of a step</h1><div id="key"></div><canvas id="chart"></canvas>
<p id="at">Move over the picture.</p></main>
<script type="application/json" id="data">)page";

constexpr std::string_view kTail = R"page(</script>
<script>
const d = JSON.parse(document.getElementById("data").textContent);
const canvas = document.getElementById("chart"), ctx = canvas.getContext("2d"), css = getComputedStyle(document.body);
const mib = b => (b / 1048576).toFixed(2) + " MiB", colour = name => css.getPropertyValue("--" + name);
const lines = [["live", "planned: alive in the arena, and the reserve"], ["predicted", "planned: arena and reserve, " +
  mib(d.arena + d.reserve)], ["measured", "measured: resident"]].concat(d.budget && d.budget < 2 * (d.arena + d.reserve) ?
  [["budget", "budget, " + mib(d.budget)]] : []);
document.getElementById("key").innerHTML = lines.map(l => `<span><i style="background:var(--${l[0]})"></i>${l[1]}</span>`)
  .join("");
const end = d.points.length ? d.points[d.points.length - 1][0] : 1;
const shown = lines.some(l => l[0] == "budget") ? d.budget : 0;
const highest = 1.05 * d.points.reduce((most, p) => Math.max(most, p[2]), Math.max(d.arena + d.reserve, shown));
let left = 70, width, height;
const x = ms => left + (width - left - 10) * ms / end, y = b => height - 25 - (height - 35) * b / highest;
function path(which) {
  ctx.beginPath(); ctx.moveTo(left, y(which(d.points[0])));
  let before = 0;
  for (const p of d.points) { ctx.lineTo(x(before), y(which(p))); ctx.lineTo(x(p[0]), y(which(p))); before = p[0]; }
}
function level(b, name) {
  ctx.beginPath(); ctx.moveTo(left, y(b)); ctx.lineTo(width - 10, y(b)); ctx.strokeStyle = colour(name); ctx.stroke();
}
function draw(cursor) {
  width = canvas.clientWidth; height = canvas.clientHeight;
  canvas.width = width * devicePixelRatio; canvas.height = height * devicePixelRatio;
  ctx.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0); ctx.font = "12px system-ui";
  ctx.lineWidth = 1; ctx.fillStyle = colour("soft");
  for (let i = 0; i <= 5; ++i) {
    level(highest * i / 5, "line"); ctx.textAlign = "right"; ctx.fillText(mib(highest * i / 5), left - 6, y(highest * i / 5) + 4);
    ctx.textAlign = "center"; ctx.fillText((end * i / 5).toFixed(1) + " ms", Math.min(x(end * i / 5), width - 30),
      height - 6);
  }
  if (!d.points.length) return;
  ctx.lineWidth = 1.5;
  path(p => p[1] + d.reserve); ctx.strokeStyle = colour("live"); ctx.stroke();
  ctx.lineTo(x(end), y(0)); ctx.lineTo(left, y(0)); ctx.globalAlpha = .15; ctx.fillStyle = colour("live"); ctx.fill();
  ctx.globalAlpha = 1;
  level(d.arena + d.reserve, "predicted"); if (shown) level(shown, "budget");
  path(p => p[2]); ctx.strokeStyle = colour("measured"); ctx.stroke();
  if (cursor) { ctx.beginPath(); ctx.moveTo(x(cursor[0]), 0); ctx.lineTo(x(cursor[0]), height - 25); ctx.strokeStyle =
    colour("soft"); ctx.stroke(); }
}
canvas.onmousemove = event => {
  const ms = (event.offsetX - left) / (width - left - 10) * end;
  const p = d.points.find(p => p[0] >= ms) || d.points[d.points.length - 1];
  if (!p) return;
  draw(p);
  document.getElementById("at").textContent = `${p[0].toFixed(3)} ms: node ${p[4]} of ${d.graphs[p[3]]}, ${p[5]}: ` +
    `alive in the arena ${mib(p[1])}, resident ${mib(p[2])}`;
};
onresize = () => draw(); draw();
</script></body></html>
)page";

// Free of quotes, backslashes and '<': names of ops and segments are the models', not files'; but nothing may break the
// page.
std::string harmless(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '"' || c == '\\' || c == '<' || c < ' '; }, '_');
  return text;
}

}  // namespace

void write_memory_page(const std::string& path, const MemoryPage& page) {
  TextFile out(path);
  out.write(kHead);
  out.write(fmt::format(R"({{"arena":{},"reserve":{},"budget":{},"graphs":[)", page.plan.arena_bytes,
                        page.budget.reserve_bytes, page.budget.budget_bytes));
  for (size_t i = 0; i < page.graphs.size(); ++i) {
    out.write(fmt::format("{}\"{}\"", i == 0 ? "" : ",", harmless(page.graphs[i]->name)));
  }
  out.write("],\"points\":[");
  for (size_t i = 0; i < page.points.size(); ++i) {
    const MemoryTimeline::Point& point = page.points[i];
    const Node& node = page.graphs[static_cast<size_t>(point.graph)]->nodes[static_cast<size_t>(point.node)];
    out.write(fmt::format("{}\n[{:.4f},{},{},{},{},\"{}\"]", i == 0 ? "" : ",",
                          1e-6 * static_cast<double>(point.end_ns - page.begin_ns), point.live_bytes,
                          point.resident_bytes, point.graph, point.node, harmless(place_of(node))));
  }
  out.write("]}");
  out.write(kTail);
  out.commit();
}

}  // namespace headroom
