#include "headroom/plan/picture_page.h"

namespace headroom {

const std::string_view kPictureHead = R"page(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>headroom</title>
<style>
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #1c2430; --soft: #5d6878; --line: #d9dee6; --grid: #e8ebf0; --mark: #c2273d;
  --peak: #1f7a68; --budget: #6b4fa3;
  --role0: #8c98a8; --role1: #3f76bf; --role2: #d9534f; --role3: #7d5fb2;
  --role4: #eda23b; --role5: #2a9d8f; --role6: #6aa84f; --role7: #cc6f9c;
  --phase0: #c3cedd; --phase1: #7f93ad; --phase2: #3d4f68;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --card: #1a2028; --ink: #e6eaf0; --soft: #98a3b3; --line: #313a46;
    --grid: #262e38; --mark: #ff6b7d; --peak: #4fc3ad; --budget: #b39ae6;
    --role0: #7d8998; --role1: #5b93dc; --role2: #e56a66; --role3: #9a7dd1;
    --role4: #e6a54a; --role5: #3bb3a4; --role6: #7fbb64; --role7: #dc86b0;
    --phase0: #2f3947; --phase1: #566a85; --phase2: #93abca;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 14px/1.45 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1500px; margin: 0 auto; padding: 22px 24px 28px; }
h1 { font-size: 19px; font-weight: 600; margin: 0 0 6px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 1px 14px; margin: 0 0 14px; font-size: 13px; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.key { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-top: 9px; font-size: 12.5px; color: var(--soft); }
.key i { display: inline-block; width: 14px; height: 8px; border-radius: 2px; margin-right: 6px; }
.tiles { display: flex; flex-wrap: wrap; gap: 10px; margin-bottom: 14px; }
.tile { border: 1px solid var(--line); border-radius: 8px; background: var(--card); padding: 8px 14px; min-width: 138px; }
.tile span { display: block; color: var(--soft); font-size: 12px; }
.tile b { font-size: 17px; font-weight: 600; font-variant-numeric: tabular-nums; }
.bar { display: flex; flex-wrap: wrap; gap: 14px; align-items: center; margin-bottom: 10px; }
.choice { display: inline-flex; border: 1px solid var(--line); border-radius: 7px; overflow: hidden; }
.choice button { font: inherit; padding: 4px 13px; border: 0; background: var(--card); color: var(--soft);
  cursor: pointer; }
.choice button + button { border-left: 1px solid var(--line); }
.choice button[aria-pressed=true] { background: var(--ink); color: var(--card); }
label { color: var(--soft); cursor: pointer; }
.work { display: grid; grid-template-columns: minmax(0, 1fr) 340px; gap: 14px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
.chart { position: relative; height: 648px; }
.chart canvas { position: absolute; inset: 0; width: 100%; height: 100%; border-radius: 8px; }
.chart canvas:focus-visible { outline: 2px solid var(--role1); }
aside { padding: 13px 15px; font-variant-numeric: tabular-nums; height: 648px; overflow: auto; }
aside h2 { font-size: 14px; margin: 0; font-weight: 600; overflow-wrap: anywhere; }
aside h3 { font-size: 12px; margin: 13px 0 3px; color: var(--soft); font-weight: 500; }
aside p { margin: 1px 0; color: var(--soft); font-size: 12.5px; overflow-wrap: anywhere; }
.row { display: flex; align-items: center; gap: 8px; padding: 1.5px 0; font-size: 13px; }
.row i { flex: none; width: 10px; height: 10px; border-radius: 2.5px; }
.row span { flex: 1; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.row.zero { color: var(--soft); opacity: .65; }
footer { color: var(--soft); font-size: 12.5px; margin-top: 11px; }
@media (max-width: 900px) { .work { grid-template-columns: 1fr; } .chart { height: 420px; } aside { height: auto; } }
</style>
</head>
<body>
<main>
<h1 id="title"></h1>
<dl id="about"></dl>
<div class="tiles" id="tiles"></div>
<div class="bar">
  <div class="choice" id="graphs"></div>
  <div class="choice" id="views">
    <button data-view="role" aria-pressed="true">By role</button
    ><button data-view="arena" aria-pressed="false">Arena</button>
  </div>
  <label id="from"><input type="checkbox" id="base" checked> from zero, with persistent values</label>
</div>
<div class="work">
  <div class="card chart"><canvas id="chart"></canvas><canvas id="over" tabindex="0" role="img"
    aria-label="Memory over the nodes of the graph. Arrow keys move the cursor."></canvas></div>
  <aside class="card" id="side" aria-live="polite"></aside>
</div>
<div class="key" id="key"></div>
<footer id="foot"></footer>
</main>
<script type="application/json" id="plan">)page";

}  // namespace headroom
