"""The picture of --html: whose plan it is, and the same numbers as the terminal's."""

import json
import re
import shutil
import subprocess
import unittest

import frame
from training import TrainingTest

# Draws a page without a browser and prints what is written on it: the canvas's texts, the side, the key, the top.
STAGE = r"""
const fs = require("fs"), page = fs.readFileSync(process.argv[2], "utf8"), texts = [];
const scripts = page.split("</script>");
const element = () => ({children: [], style: {}, dataset: {}, textContent: "",
  append(...more) { this.children.push(...more.map(e => typeof e === "string" ? {textContent: e, children: []} : e)); },
  replaceChildren(...more) { this.children = more; }, setAttribute() {},
  getBoundingClientRect() { return {width: +process.argv[3], height: 648, left: 0, top: 0}; },
  getContext() { return new Proxy({measureText: s => ({width: 6 * s.length}),
    fillText(s, x) { texts.push([s, x, this.textAlign]); }}, {get: (t, k) => t[k] ?? (() => {})}); }});
const all = {plan: {textContent: scripts[0].split('id="plan">')[1]}, views: element()};
all.views.children = ["role", "arena"].map(view => Object.assign(element(), {dataset: {view}}));
globalThis.document = {getElementById: id => all[id] ??= element(), createElement: element, documentElement: {}};
globalThis.window = {devicePixelRatio: 1};
globalThis.getComputedStyle = () => ({getPropertyValue: () => ""});
globalThis.matchMedia = () => ({addEventListener() {}});
globalThis.addEventListener = () => {};
(0, eval)(scripts[1].replace(/^\s*<script>/, ""));
const words = e => [e.textContent, ...(e.children ?? []).map(words)].filter(x => x).join(" ");
console.log(JSON.stringify({title: document.title, texts, side: all.side.children.map(words), key: words(all.key),
  about: words(all.about ?? element()), tiles: all.tiles.children.map(words)}));
"""


class Picture(TrainingTest):
    def drawn(self, page, width=1000):
        """What a browser would show of it."""
        if shutil.which("node") is None:
            raise unittest.SkipTest("no node, which draws the page here")
        stage = self.write("stage.js", STAGE)
        command = ["node", str(stage), str(self.directory / page), str(width)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout)

    def data(self, page):
        text = (self.directory / page).read_text(encoding="utf-8")
        return json.loads(text.split('id="plan">')[1].split("</script>")[0])

    def test_it_says_whose_plan_it_is(self):
        command = ["plan", "tiny-300k", "--batch-size", 4, "--memory", "256MiB", "--threads", 1]
        command += ["--html", "my plan.html"]
        text = self.headroom(*command).stdout
        data = self.data("my plan.html")
        self.assertEqual(data["title"], "plan of the training step")
        self.assertEqual(data["model"], "tiny-300k")
        self.assertIn(data["choice"].split(",")[0], text)
        words = " ".join(map(str, command)).replace("my plan.html", "'my plan.html'")
        self.assertEqual(data["command"], f"{frame.Path(frame.HEADROOM).name} {words}")
        self.assertEqual(data["budget"], 256 << 20)

    def test_the_peak_is_the_terminals(self):
        text = self.headroom("plan", "tiny-300k", "--memory", "256MiB", "--threads", 1, "--html", "plan.html").stdout
        node, nodes, graph = re.search(r"node ([\d,]+) of ([\d,]+) of '(\w+)'", text).groups()
        peak = re.search(r"predicted peak +(\S+ \S+)", text)[1]
        reserve = re.search(r"process reserve +(\S+ \S+)", text)[1]
        drawn = self.drawn("plan.html")
        said = [text for text, *_ in drawn["texts"]]
        self.assertIn(f"the peak: node {node}", said)
        self.assertIn(f"predicted peak {peak}: arena and reserve of {reserve}", said)
        self.assertIn("budget 256.00 MiB", " ".join(said))
        self.assertEqual(drawn["side"][0], f"Node {node} of {nodes} of '{graph}', the peak")
        self.assertIn(f"predicted peak {peak}", drawn["side"])
        self.assertEqual(drawn["key"], "forward backward update")
        self.assertIn("Model tiny-300k", drawn["about"])

    def test_ticks_are_round_and_nothing_is_clipped(self):
        self.train(self.text_model(), "--data", "text.txt", "--steps", 3, "--seq-len", 24, "--profile", "profile")
        self.headroom("plan", "tiny-124m", "--html", "large.html", "--quiet", "--memory", "20GiB")
        self.headroom("plan", "tiny-300k", "--html", "small.html", "--quiet")
        for page in ("large.html", "small.html", "profile/memory.html"):
            for width in (1400, 600, 330):
                with self.subTest(page=page, width=width):
                    drawn = self.drawn(page, width)
                    ticks = [text for text, _, align in drawn["texts"] if align == "right"]
                    self.assertGreaterEqual(len(ticks), 3)
                    for tick in ticks:
                        self.assertRegex(tick, r"^(0|[1-9],?\d?[0,]* ([KMG]i)?B)$")
                    for text, x, align in drawn["texts"]:
                        half = 3 * len(text)
                        left = {"left": x, "center": x - half, "right": x - 2 * half}[align]
                        if align == "center":
                            self.assertLessEqual(left + 2 * half, width)
                            self.assertGreaterEqual(left, 0)

    def test_the_disk_is_on_it(self):
        model = self.text_model()
        plan = ["plan", model, "--seq-len", 24, "--disk", ".", "--offload", "all", "--html", "plan.html", "--json"]
        report = json.loads(self.headroom(*plan).stdout)
        data = self.data("plan.html")
        self.assertGreater(data["disk"], 0)
        self.assertEqual(data["disk"], report["disk_bytes"])
        reads = {graph["name"]: graph["disk_read_bytes"] for graph in report["graphs"]}
        self.assertEqual({graph["name"]: graph["diskRead"] for graph in data["graphs"]}, reads)
        self.assertTrue(any(tile.startswith("On disk ") for tile in self.drawn("plan.html")["tiles"]))


if __name__ == "__main__":
    frame.main()
