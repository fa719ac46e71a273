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
  g.peak = g.total.indexOf(Math.max(...g.total));
}

const state = {graph: Math.max(0, D.peakGraph), view: "role", base: true, node: -1, pinned: false, y: -1};
const graph = () => D.graphs[state.graph];
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const PAD = {left: 78, right: 18, top: 26, bottom: 46};
let box = {};

function layout() {
  const area = $("over").getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  for (const id of ["chart", "over"]) {
    $(id).width = Math.round(area.width * ratio);
    $(id).height = Math.round(area.height * ratio);
  }
  const bottom = state.base ? 0 : D.persistentBytes;
  const top = bottom + Math.max(1, (D.arena - bottom)) * 1.06;
  const w = area.width - PAD.left - PAD.right, h = area.height - PAD.top - PAD.bottom;
  box = {ratio, w, h, bottom, top, width: area.width, height: area.height,
         x: node => PAD.left + node / graph().count * w,
         y: at => PAD.top + h - (Math.max(at, bottom) - bottom) / (top - bottom) * h,
         node: px => Math.min(graph().count - 1, Math.max(0, Math.floor((px - PAD.left) / w * graph().count))),
         at: py => bottom + (PAD.top + h - py) / h * (top - bottom)};
}

function pen(id) {
  const c = $(id).getContext("2d");
  c.setTransform(box.ratio, 0, 0, box.ratio, 0, 0);
  c.clearRect(0, 0, box.width, box.height);
  c.font = "12px system-ui, sans-serif";
  return c;
}

function tick(range, about) {
  const rough = range / about;
  let unit = 1;
  while (rough >= unit * 1024) unit *= 1024;
  for (let step = unit, i = 0; ; step *= [2, 2.5, 2][i++ % 3]) if (step >= rough) return step;
}

function axes(c) {
  const g = graph();
  c.strokeStyle = css("--grid");
  c.fillStyle = css("--soft");
  c.lineWidth = 1;
  c.textBaseline = "middle";
  c.textAlign = "right";
  const step = tick(box.top - box.bottom, 7);
  for (let at = Math.ceil(box.bottom / step) * step; at <= box.top; at += step) {
    const y = Math.round(box.y(at)) + .5;
    c.beginPath(); c.moveTo(PAD.left, y); c.lineTo(PAD.left + box.w, y); c.stroke();
    c.fillText(at === 0 ? "0" : bytes(at).replace(".00", ""), PAD.left - 8, y);
  }
  c.textAlign = "center";
  c.textBaseline = "top";
  let every = 1;
  for (let i = 0; every * 9 < g.count; ++i) every *= [2, 2.5, 2][i % 3];
  every = Math.max(1, Math.round(every));
  for (let at = 0; at <= g.count; at += every) {
    const n = Math.max(1, at);
    c.fillText(count(n), box.x(n - .5), PAD.top + box.h + 17);
  }
  for (let n = 0; n < g.nodes.length; ++n) {
    c.fillStyle = css("--phase" + g.nodes[n][2]);
    let end = n + 1;
    while (end < g.nodes.length && g.nodes[end][2] === g.nodes[n][2]) ++end;
    c.fillRect(box.x(n), PAD.top + box.h + 5, box.x(end) - box.x(n), 6);
    n = end - 1;
  }
  c.fillStyle = css("--soft");
  c.fillText("node", PAD.left + box.w / 2, PAD.top + box.h + 31);
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
  state.view === "role" ? drawRoles(c) : drawArena(c);
  c.restore();
  const ink = css("--ink"), g = graph();
  const stay = D.persistentBytes;
  if (stay > 0 && state.base) rule(c, stay, "persistent " + bytes(stay), ink, "left");
  rule(c, D.arena, "arena " + bytes(D.arena), ink, "right");
  const room = D.budget - D.reserve;
  if (D.budget > 0 && room > D.arena && room <= box.top) rule(c, room, "budget less the reserve", ink, "left");
  c.strokeStyle = c.fillStyle = css("--mark");
  const x = box.x(g.peak + .5), y = box.y(g.total[g.peak]);
  c.globalAlpha = .5;
  c.beginPath(); c.moveTo(x, PAD.top + box.h + 12); c.lineTo(x, y); c.lineWidth = 1; c.stroke();
  c.globalAlpha = 1;
  c.beginPath(); c.arc(x, y, 4.5, 0, 7); c.fill();
  c.strokeStyle = css("--card"); c.stroke();
  const inside = Math.min(Math.max(x, PAD.left + 60), PAD.left + box.w - 60);
  label(c, "peak " + bytes(g.total[g.peak]), inside, PAD.top - 13, "center", css("--mark"));
  follow();
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
  const g = graph(), n = state.node < 0 ? g.peak : state.node;
  const c = pen("over");
  const value = underCursor();
  if (state.node >= 0) {
    const x = box.x(n + .5);
    c.strokeStyle = css("--ink");
    c.beginPath(); c.moveTo(x, PAD.top); c.lineTo(x, PAD.top + box.h); c.stroke();
  }
  if (value) {
    c.lineWidth = 2;
    c.strokeStyle = css("--ink");
    const x = box.x(value[FIRST]), end = box.x(Math.min(value[LAST], g.count - 1) + 1);
    const y = box.y(value[OFFSET] + value[BYTES]), low = box.y(value[OFFSET]);
    c.strokeRect(x, y, Math.max(2, end - x), Math.max(2, low - y));
  }
  $("side").replaceChildren();
  if (g.nodes.length > 0) {
    const [op, scope, phase] = g.nodes[n];
    add("h2", `Node ${count(n + 1)} of ${count(g.count)}` + (n === g.peak ? ", the peak" : ""));
    add("p", g.texts[op] + " in the " + D.phases[phase] + (g.texts[scope] ? " of " + g.texts[scope] : ""));
  }
  add("p", bytes(g.total[n]) + " alive, " + count(g.total[n]) + " bytes");
  if (value) {
    add("h3", "Under the cursor");
    $("side").append(row(value[ROLE], value[NAME], value[BYTES]));
    add("p", `${D.roles[value[ROLE]]}, from byte ${count(value[OFFSET])}, ` + (value[OFFSET] < D.persistentBytes
        ? "persistent" : `nodes ${count(value[FIRST] + 1)} to ${count(Math.min(value[LAST] + 1, g.count))}`));
  }
  add("h3", "By role");
  for (const role of [...STACK].reverse()) {
    const size = persistent[role] + g.live[role][n];
    if (persistent[role] > 0 || g.live[role].some(x => x > 0)) $("side").append(row(role, D.roles[role], size));
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
  const predicted = D.arena + D.reserve, above = D.bound ? (D.arena / D.bound - 1) * 100 : 0;
  const list = [["Predicted peak", bytes(predicted)], ["Arena", bytes(D.arena)],
                ["of it persistent", bytes(D.persistentBytes)], ["Process reserve", bytes(D.reserve)]];
  if (D.budget > 0) {
    list.push(["Budget", bytes(D.budget)]);
    list.push([predicted <= D.budget ? "Left" : "Missing", bytes(Math.abs(D.budget - predicted))]);
  }
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

tiles();
choices("graphs", D.graphs.map(g => g.name), i => {
  Object.assign(state, {graph: i, node: -1, pinned: false});
  press("graphs", i);
  draw();
});
press("graphs", state.graph);
$("graphs").hidden = D.graphs.length < 2;
[...$("views").children].forEach((b, i) => b.onclick = () => {
  state.view = b.dataset.view;
  press("views", i);
  draw();
});
$("base").onchange = e => { state.base = e.target.checked; draw(); };
const over = $("over");
const point = e => {
  const area = over.getBoundingClientRect();
  state.node = box.node(e.clientX - area.left);
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
    state.node = Math.min(graph().count - 1, Math.max(0, (state.node < 0 ? graph().peak : state.node) + step));
    state.pinned = true;
  }
  e.preventDefault();
  follow();
};
const hidden = graph() ? graph().hidden : 0;
$("foot").textContent = "Sizes are whole lines of 64 bytes. The strip under the chart: forward, backward, update. "
    + "Click to hold the cursor, Escape to let go."
    + (hidden > 0 ? ` The ${count(hidden)} smallest values are summed up by role.` : "");
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
addEventListener("resize", draw);
if (D.graphs.length > 0) draw();
