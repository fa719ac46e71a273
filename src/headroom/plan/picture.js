// Draws what picture.cc wrote of a plan: memory over the nodes of its graphs, by role and by address; and what
// memory_page.cc wrote of a step that ran: memory over its time, planned and measured.
"use strict";
const D = JSON.parse(document.getElementById("plan").textContent);
const NAME = 0, ROLE = 1, BYTES = 2, OFFSET = 3, FIRST = 4, LAST = 5;
const STACK = [1, 3, 5, 0, 2, 4, 7, 6];  // roles, bottom to top
const $ = id => document.getElementById(id);
const roles = D.roles.length;

function bytes(n) {
  for (const [unit, size] of [["TiB", 2 ** 40], ["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 1024]])
    if (Math.abs(n) >= size) return (n / size).toFixed(2) + " " + unit;
  return n + " B";
}
const count = n => n.toLocaleString("en-US");
const PREDICTED = D.arena + D.reserve;
const isNear = D.budget > 0 && D.budget <= 1.6 * PREDICTED;  // a budget that a picture has room for

// Live bytes by role at each node, from the values and what was summed up of the small ones.
const persistent = new Array(roles).fill(0);
for (const v of D.persistent) persistent[v[ROLE]] += v[BYTES];
for (const [role, steps] of D.persistentRest) if (steps.length) persistent[role] += steps[1];
for (const g of D.graphs) {
  g.count = Math.max(1, g.nodes.length);
  g.live = Array.from({length: roles}, () => new Float64Array(g.count + 1));
  for (const v of g.values) {
    g.live[v[ROLE]][v[FIRST]] += v[BYTES];
    g.live[v[ROLE]][Math.min(v[LAST] + 1, g.count)] -= v[BYTES];
  }
  for (const live of g.live) for (let n = 1; n < g.count; ++n) live[n] += live[n - 1];
  for (const [role, steps] of g.rest) {
    for (let i = 0; i < steps.length; i += 2) {
      const end = Math.min(g.count, steps[i + 2] ?? g.count);
      for (let n = steps[i]; n < end; ++n) g.live[role][n] += steps[i + 1];
    }
  }
  g.total = new Float64Array(g.count).fill(D.persistentBytes);
  for (const live of g.live) for (let n = 0; n < g.count; ++n) g.total[n] += live[n];
  let most = 0;
  for (const total of g.total) most = Math.max(most, total);
  g.peak = g.total.indexOf(most);
}
if (D.peakGraph >= 0 && D.peakNode >= 0) D.graphs[D.peakGraph].peak = D.peakNode;

const state = {graph: Math.max(0, D.peakGraph), view: D.graphs.length > 0 ? "role" : "time", base: true, node: -1,
               pinned: false, y: -1};
const graph = () => D.graphs[state.graph];
const isPeak = n => state.graph === D.peakGraph && n === D.peakNode;
const points = D.points ?? [];  // of a step: [milliseconds, alive, resident, graph, node, place, phase]
const END = points.length > 0 ? points[points.length - 1][0] : 1;
// What the cursor moves over: nodes, or points in time.
const places = () => state.view === "time" ? points.length : graph().count;
const PLANNED = "--role1", MEASURED = "--mark";
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const PAD = {left: 78, right: 18, top: 26, bottom: 50};
let box = {};

function layout() {
  const area = $("over").getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  for (const id of ["chart", "over"]) {
    $(id).width = Math.round(area.width * ratio);
    $(id).height = Math.round(area.height * ratio);
  }
  const bottom = state.base ? 0 : D.persistentBytes;
  const measured = state.view === "time" ? points.reduce((most, p) => Math.max(most, p[2]), 0) : 0;
  const highest = state.view === "arena" ? D.arena : Math.max(PREDICTED, isNear ? D.budget : 0, measured);
  const top = bottom + Math.max(1, highest - bottom) * 1.06;
  const w = area.width - PAD.left - PAD.right, h = area.height - PAD.top - PAD.bottom;
  box = {ratio, w, h, bottom, top, width: area.width, height: area.height,
         x: node => PAD.left + node / graph().count * w,
         time: ms => PAD.left + ms / END * w,
         y: at => PAD.top + h - (Math.max(at, bottom) - bottom) / (top - bottom) * h,
         place: px => {
           const share = Math.min(1, Math.max(0, (px - PAD.left) / w));
           if (state.view !== "time") return Math.min(places() - 1, Math.floor(share * places()));
           const at = points.findIndex(p => p[0] >= share * END);
           return at < 0 ? places() - 1 : at;
         },
         at: py => bottom + (PAD.top + h - py) / h * (top - bottom)};
}

function pen(id) {
  const c = $(id).getContext("2d");
  c.setTransform(box.ratio, 0, 0, box.ratio, 0, 0);
  c.clearRect(0, 0, box.width, box.height);
  c.font = "12px system-ui, sans-serif";
  return c;
}

// Steps of 1, 2, 5, 10, ... times `unit` that cut `range` into `about` parts.
function tick(range, about, unit) {
  for (let step = unit, i = 0; ; step *= [2, 2.5, 2][i++ % 3]) if (step >= range / about) return step;
}

// [unit, its name] of the largest that `step` has whole ones of: an axis says all its numbers in one.
function unitOf(step) {
  for (const [name, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 1024]]) if (step >= size) return [size, name];
  return [1, "B"];
}

function text(c, what, x, y, align) {
  c.textAlign = align;
  const half = c.measureText(what).width / 2;
  c.fillText(what, align === "center" ? Math.min(Math.max(x, half), box.width - half - 2) : x, y);
}

function axes(c) {
  c.strokeStyle = css("--grid");
  c.fillStyle = css("--soft");
  c.lineWidth = 1;
  c.textBaseline = "middle";
  const [unit, name] = unitOf((box.top - box.bottom) / 7);
  const step = tick(box.top - box.bottom, 7, unit);
  for (let at = Math.ceil(box.bottom / step) * step; at <= box.top; at += step) {
    const y = Math.round(box.y(at)) + .5;
    c.beginPath(); c.moveTo(PAD.left, y); c.lineTo(PAD.left + box.w, y); c.stroke();
    text(c, at === 0 ? "0" : `${count(at / unit)} ${name}`, PAD.left - 8, y, "right");
  }
  c.textBaseline = "top";
  state.view === "time" ? timeAxis(c) : nodeAxis(c);
}

function nodeAxis(c) {
  const g = graph(), low = PAD.top + box.h;
  const every = Math.max(1, tick(g.count, 9, 1));
  for (let at = 0; at <= g.count; at += every) {
    const n = Math.max(1, at);
    text(c, count(n), box.x(n - .5), low + 17, "center");
  }
  for (let n = 0; n < g.nodes.length; ++n) {
    c.fillStyle = css("--phase" + g.nodes[n][2]);
    let end = n + 1;
    while (end < g.nodes.length && g.nodes[end][2] === g.nodes[n][2]) ++end;
    c.fillRect(box.x(n), low + 5, box.x(end) - box.x(n), 6);
    n = end - 1;
  }
  c.fillStyle = css("--soft");
  text(c, "node", PAD.left + box.w / 2, low + 33, "center");
}

function timeAxis(c) {
  const low = PAD.top + box.h;
  const every = tick(END, 8, 10 ** Math.floor(Math.log10(END / 8)));
  const digits = Math.max(0, -Math.floor(Math.log10(every) + 1e-9));
  for (let i = 0; i * every <= END; ++i) text(c, (i * every).toFixed(digits), box.time(i * every), low + 17, "center");
  for (let i = 0; i < points.length; ++i) {
    const begin = box.time(i > 0 ? points[i - 1][0] : 0);
    c.fillStyle = css("--phase" + points[i][6]);
    c.fillRect(begin, low + 5, Math.max(.5, box.time(points[i][0]) - begin), 6);
  }
  c.fillStyle = css("--soft");
  text(c, "milliseconds of the step", PAD.left + box.w / 2, low + 33, "center");
}

// Memory over time: what is planned to be alive, with the reserve, and what the kernel said.
function drawTime(c) {
  const path = which => {
    c.beginPath();
    c.moveTo(PAD.left, box.y(which(points[0])));
    let before = 0;
    for (const p of points) {
      c.lineTo(box.time(before), box.y(which(p)));
      c.lineTo(box.time(p[0]), box.y(which(p)));
      before = p[0];
    }
  };
  if (points.length === 0) return;
  c.lineWidth = 1.5;
  path(p => p[1] + D.reserve);
  c.strokeStyle = c.fillStyle = css(PLANNED);
  c.stroke();
  c.lineTo(box.time(END), box.y(0)); c.lineTo(PAD.left, box.y(0));
  c.globalAlpha = .15;
  c.fill();
  c.globalAlpha = 1;
  path(p => p[2]);
  c.strokeStyle = css(MEASURED);
  c.stroke();
}

function drawRoles(c) {
  const g = graph();
  let under = new Float64Array(g.count);
  const band = (role, height) => {
    const over = under.map((low, n) => low + height(n));
    c.fillStyle = css("--role" + role);
    c.beginPath();
    for (let n = 0; n < g.count; ++n) { c.lineTo(box.x(n), box.y(over[n])); c.lineTo(box.x(n + 1), box.y(over[n])); }
    for (let n = g.count; n-- > 0;) { c.lineTo(box.x(n + 1), box.y(under[n])); c.lineTo(box.x(n), box.y(under[n])); }
    c.fill();
    under = over;
  };
  for (const role of STACK) if (persistent[role] > 0) band(role, () => persistent[role]);
  for (const role of STACK) if (g.live[role].some(x => x > 0)) band(role, n => g.live[role][n]);
}

function bars() {
  const all = D.persistent.map(v => [v[0], v[1], v[2], v[3], 0, graph().count - 1]);
  return all.concat(graph().values);
}

function drawArena(c) {
  const card = css("--card");
  const colours = D.roles.map((_, role) => css("--role" + role));
  for (const v of bars()) {
    const x = box.x(v[FIRST]), w = box.x(Math.min(v[LAST], graph().count - 1) + 1) - x;
    const y = box.y(v[OFFSET] + v[BYTES]), h = box.y(v[OFFSET]) - y;
    if (h <= 0) continue;
    c.fillStyle = colours[v[ROLE]];
    c.fillRect(x, y, Math.max(w, .5), Math.max(h, .3));
    if (h > 3 && w > 3) { c.strokeStyle = card; c.lineWidth = .6; c.strokeRect(x, y, w, h); }
  }
}

function rule(c, at, text, colour, side) {
  const y = Math.round(box.y(at)) + .5;
  c.strokeStyle = c.fillStyle = colour;
  c.lineWidth = 1;
  c.setLineDash([5, 4]);
  c.beginPath(); c.moveTo(PAD.left, y); c.lineTo(PAD.left + box.w, y); c.stroke();
  c.setLineDash([]);
  label(c, text, side === "left" ? PAD.left + 6 : PAD.left + box.w - 6, y - 10, side, colour);
}

function label(c, text, x, y, align, colour) {
  const w = c.measureText(text).width + 10;
  const left = align === "left" ? x : align === "right" ? x - w : x - w / 2;
  c.fillStyle = css("--card");
  c.globalAlpha = .88;
  c.fillRect(left, y - 8, w, 16);
  c.globalAlpha = 1;
  c.fillStyle = colour;
  c.textAlign = "left";
  c.textBaseline = "middle";
  c.fillText(text, left + 5, y);
}

function draw() {
  layout();
  const c = pen("chart");
  axes(c);
  c.save();
  c.beginPath(); c.rect(PAD.left, PAD.top, box.w, box.h); c.clip();
  ({role: drawRoles, arena: drawArena, time: drawTime})[state.view](c);
  c.restore();
  const ink = css("--ink");
  const stay = D.persistentBytes;
  if (state.view !== "time") {
    if (stay > 0 && state.base) rule(c, stay, "persistent " + bytes(stay), ink, "left");
    rule(c, D.arena, "arena " + bytes(D.arena), ink, "right");
  }
  if (state.view !== "arena") {
    const said = `predicted peak ${bytes(PREDICTED)}: arena and reserve of ${bytes(D.reserve)}`;
    rule(c, PREDICTED, said, css("--peak"), "left");
    const budget = "budget " + bytes(D.budget), colour = css("--budget");
    if (isNear) rule(c, D.budget, budget, colour, "right");
    else if (D.budget > 0) label(c, budget + ", above this picture", PAD.left + box.w, PAD.top + 9, "right", colour);
  }
  if (state.view !== "time") markPeak(c);
  follow();
}

function markPeak(c) {
  const g = graph();
  c.strokeStyle = c.fillStyle = css("--mark");
  const x = box.x(g.peak + .5), y = box.y(g.total[g.peak]);
  c.globalAlpha = .5;
  c.beginPath(); c.moveTo(x, PAD.top + box.h + 12); c.lineTo(x, y); c.lineWidth = 1; c.stroke();
  c.globalAlpha = 1;
  c.beginPath(); c.arc(x, y, 4.5, 0, 7); c.fill();
  c.strokeStyle = css("--card"); c.stroke();
  const what = (isPeak(g.peak) ? "the peak" : "most of this graph") + ": node " + count(g.peak + 1);
  const inside = Math.min(Math.max(x, PAD.left + 70), PAD.left + box.w - 70);
  label(c, what, inside, PAD.top - 13, "center", css("--mark"));
}

function underCursor() {
  if (state.view !== "arena" || state.y < 0) return null;
  const at = box.at(state.y);
  const isAlive = v => v[FIRST] <= state.node && state.node <= v[LAST];
  return bars().find(v => isAlive(v) && v[OFFSET] <= at && at < v[OFFSET] + v[BYTES]) || null;
}

function row(role, name, size, extra) {
  const r = document.createElement("div");
  r.className = "row" + (size === 0 ? " zero" : "");
  const i = document.createElement("i"), s = document.createElement("span"), b = document.createElement("b");
  i.style.background = role < 0 ? "transparent" : `var(--role${role})`;
  s.textContent = s.title = name;
  b.textContent = bytes(size);
  b.style.fontWeight = 500;
  r.append(i, s, b);
  if (extra) r.title = extra;
  return r;
}

function add(tag, text) {
  const e = document.createElement(tag);
  e.textContent = text;
  $("side").append(e);
}

function follow() {
  const c = pen("over");
  $("side").replaceChildren();
  state.view === "time" ? followTime(c) : followNodes(c);
  add("h3", "Of the process");
  const rows = [["arena", D.arena], ["process reserve", D.reserve], ["predicted peak", PREDICTED]];
  if (D.budget > 0) rows.push(["budget", D.budget]);
  for (const [what, size] of rows) $("side").append(row(-1, what, size));
}

function cursor(c, x) {
  c.strokeStyle = css("--ink");
  c.beginPath(); c.moveTo(x, PAD.top); c.lineTo(x, PAD.top + box.h); c.stroke();
}

function followTime(c) {
  if (points.length === 0) return;
  let most = 0;
  points.forEach((p, i) => { if (p[2] > points[most][2]) most = i; });
  const at = state.node < 0 ? most : state.node;
  const [ms, alive, resident, g, node, place] = points[at];
  if (state.node >= 0) cursor(c, box.time(ms));
  add("h2", `${ms.toFixed(3)} ms` + (at === most ? ", the most that was resident" : ""));
  add("p", `${place}, node ${count(node + 1)} of '${D.names[g]}'`);
  add("h3", "At its end");
  for (const [what, size] of [["alive in the arena", alive], ["with the reserve", alive + D.reserve],
                              ["resident, measured", resident]]) $("side").append(row(-1, what, size));
}

function followNodes(c) {
  const g = graph(), n = state.node < 0 ? g.peak : state.node;
  const value = underCursor();
  if (state.node >= 0) cursor(c, box.x(n + .5));
  if (value) {
    c.lineWidth = 2;
    c.strokeStyle = css("--ink");
    const x = box.x(value[FIRST]), end = box.x(Math.min(value[LAST], g.count - 1) + 1);
    const y = box.y(value[OFFSET] + value[BYTES]), low = box.y(value[OFFSET]);
    c.strokeRect(x, y, Math.max(2, end - x), Math.max(2, low - y));
  }
  if (g.nodes.length > 0) {
    const [op, scope, phase] = g.nodes[n];
    add("h2", `Node ${count(n + 1)} of ${count(g.count)} of '${g.name}'` + (isPeak(n) ? ", the peak" : ""));
    add("p", g.texts[op] + " in the " + D.phases[phase] + (g.texts[scope] ? " of " + g.texts[scope] : ""));
  }
  if (value) {
    add("h3", "Under the cursor");
    $("side").append(row(value[ROLE], value[NAME], value[BYTES]));
    add("p", `${D.roles[value[ROLE]]}, from byte ${count(value[OFFSET])}, ` + (value[OFFSET] < D.persistentBytes
        ? "persistent" : `nodes ${count(value[FIRST] + 1)} to ${count(Math.min(value[LAST] + 1, g.count))}`));
  }
  add("h3", "Alive, by role");
  for (const role of [...STACK].reverse()) {
    const size = persistent[role] + g.live[role][n];
    if (persistent[role] > 0 || g.live[role].some(x => x > 0)) $("side").append(row(role, D.roles[role], size));
  }
  $("side").append(row(-1, "all of them", g.total[n]), row(-1, isPeak(n) ? "gaps" : "idle", D.arena - g.total[n]));
  if (D.disk > 0) {
    add("h3", "On disk");
    for (const [what, size] of [["kept there", D.disk], [`read by a run of '${g.name}'`, g.diskRead],
                                [`written by a run of '${g.name}'`, g.diskWritten]]) {
      $("side").append(row(-1, what, size));
    }
  }
  const list = (title, values, most) => {
    if (values.length === 0) return;
    add("h3", title);
    for (const v of values.slice(0, most)) $("side").append(row(v[ROLE], v[NAME], v[BYTES], D.roles[v[ROLE]]));
    if (values.length > most) add("p", `and ${count(values.length - most)} more`);
  };
  list("Largest that come and go", g.values.filter(v => v[FIRST] <= n && n <= v[LAST]), 8);
  list("Largest that stay", D.persistent, 5);
}

function choices(id, names, pick) {
  names.forEach((name, i) => {
    const b = document.createElement("button");
    b.textContent = name;
    b.onclick = () => pick(i);
    $(id).append(b);
  });
}
function press(id, chosen) {
  [...$(id).children].forEach((b, i) => b.setAttribute("aria-pressed", String(i === chosen)));
}

function tiles() {
  const above = D.bound ? (D.arena / D.bound - 1) * 100 : 0;
  const list = [["Predicted peak", bytes(PREDICTED)], ["Arena", bytes(D.arena)],
                ["of it persistent", bytes(D.persistentBytes)], ["Process reserve", bytes(D.reserve)]];
  if (D.budget > 0) {
    list.push(["Budget", bytes(D.budget)]);
    list.push([PREDICTED <= D.budget ? "Left" : "Missing", bytes(Math.abs(D.budget - PREDICTED))]);
  }
  if (D.disk > 0) list.push(["On disk", bytes(D.disk)]);
  list.push(["Above the lower bound", above.toFixed(2) + " %"], ["Threads", D.threads]);
  for (const [what, figure] of list) {
    const t = document.createElement("div"), s = document.createElement("span"), b = document.createElement("b");
    t.className = "tile";
    s.textContent = what;
    b.textContent = figure;
    t.append(s, b);
    $("tiles").append(t);
  }
}

function key() {
  const entries = D.phases.map((name, i) => ["--phase" + i, name]);
  if (state.view === "time") {
    entries.push([PLANNED, "planned: alive in the arena, and the reserve"], [MEASURED, "measured: resident"]);
  }
  $("key").replaceChildren(...entries.map(([colour, name]) => {
    const s = document.createElement("span"), i = document.createElement("i");
    i.style.background = `var(${colour})`;
    s.append(i, name);
    return s;
  }));
}

function about() {
  document.title = D.title;
  $("title").textContent = D.title;
  const rows = [["Model", D.model], ["Chosen", D.choice], ["Speed", D.forecast], ["Command", D.command]];
  for (const [what, words] of rows) {
    if (!words) continue;
    const term = document.createElement("dt"), said = document.createElement("dd");
    term.textContent = what;
    said.textContent = words;
    $("about").append(term, said);
  }
}

about();
tiles();
key();
choices("graphs", D.graphs.map(g => g.name), i => {
  Object.assign(state, {graph: i, node: -1, pinned: false});
  press("graphs", i);
  draw();
});
press("graphs", state.graph);
$("graphs").hidden = D.graphs.length < 2;
$("views").hidden = $("from").hidden = D.graphs.length === 0;
[...$("views").children].forEach((b, i) => b.onclick = () => {
  state.view = b.dataset.view;
  press("views", i);
  draw();
});
$("base").onchange = e => { state.base = e.target.checked; draw(); };
const over = $("over");
const point = e => {
  const area = over.getBoundingClientRect();
  state.node = box.place(e.clientX - area.left);
  state.y = e.clientY - area.top;
  follow();
};
over.onpointermove = e => { if (!state.pinned) point(e); };
over.onpointerleave = () => { if (!state.pinned) { state.node = -1; state.y = -1; follow(); } };
over.onclick = e => { state.pinned = !state.pinned; point(e); };
over.onkeydown = e => {
  const step = {ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20}[e.key];
  if (e.key === "Escape") { state.node = -1; state.pinned = false; }
  else if (!step) return;
  else {
    const from = state.node >= 0 ? state.node : state.view === "time" ? 0 : graph().peak;
    state.node = Math.min(places() - 1, Math.max(0, from + step));
    state.pinned = true;
  }
  e.preventDefault();
  follow();
};
const hidden = graph() ? graph().hidden : 0;
$("foot").textContent = "Click to hold the cursor, Escape to let go."
    + (D.graphs.length > 0 ? " Sizes are whole lines of 64 bytes." : "")
    + (hidden > 0 ? ` The ${count(hidden)} smallest values are summed up by role.` : "");
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
addEventListener("resize", draw);
if (D.graphs.length > 0 || points.length > 0) draw();
