"""`train --profile`: the bits of the run without it, figures that add up, and the budget kept."""

import json

import frame
from training import TrainingTest

MIB = 1 << 20


class Profile(TrainingTest):
    def setUp(self):
        super().setUp()
        self.model = self.text_model(tied=True)
        self.here = {"XDG_CACHE_HOME": str(self.directory / "cache")}

    def flags(self, *more):
        return ["--data", "text.txt", "--steps", 6, "--batch-size", 4, "--grad-accum", 2, "--seq-len", 24, *more]

    def lines(self, path):
        return (self.directory / path).read_text(encoding="utf-8").splitlines()

    def slices(self):
        return [event for event in self.read_json("profile/trace.json")["traceEvents"] if event["ph"] == "X"]

    def test_same_bits_and_sums(self):
        plain = self.train(self.model, *self.flags(), output="plain", environment=self.here)
        flags = self.flags("--profile", "profile", "--report", "report.json")
        profiled = self.train(self.model, *flags, environment=self.here)
        self.assertEqual(plain, profiled)

        ops = self.read_json("profile/ops.json")
        self.assertEqual(ops["steps"], 5)
        graphs = {graph["name"]: graph for graph in ops["graphs"]}
        for name in ("zero_gradients", "micro", "step"):
            self.assertEqual(graphs[name]["runs"], 5)
        inside = sum(graph["seconds"] for graph in graphs.values())
        self.assertAlmostEqual(sum(op["seconds"] for op in ops["ops"]), inside, places=6)
        self.assertAlmostEqual(inside + ops["outside_seconds"], ops["seconds"], places=6)
        self.assertAlmostEqual(sum(op["share"] for op in ops["ops"]), 1, places=6)
        self.assertEqual({op["phase"] for op in ops["ops"]}, {"forward", "backward", "update"})
        calls = sum(op["calls"] for op in ops["ops"])
        self.assertEqual(calls, sum(graph["nodes"] * graph["runs"] for graph in graphs.values()))

        slices = self.slices()
        self.assertEqual(len(slices), 3 * sum(graph["nodes"] for graph in graphs.values()))
        traced = sum(one["dur"] for one in slices) / 1e6  # of three steps of the five
        self.assertTrue(0 < traced < ops["seconds"])
        self.assertEqual(slices, sorted(slices, key=lambda one: one["ts"]))
        for one, following in zip(slices, slices[1:]):
            self.assertLessEqual(one["ts"] + one["dur"], following["ts"] + 2e-3)

        live = [int(line.rsplit(",", 1)[1]) for line in self.lines("profile/nodes.csv")[1:]]
        self.assertEqual(len(live), sum(graph["nodes"] for graph in graphs.values()))
        report = self.read_json("report.json")
        self.assertEqual(max(live), report["lower_bound_bytes"])
        self.assertEqual(max(op["live_bytes"] for op in ops["ops"]), max(live))
        page = (self.directory / "profile/memory.html").read_text(encoding="utf-8")
        data = json.loads(page.split('id="plan">')[1].split("</script>")[0])
        self.assertEqual(data["arena"] + data["reserve"], report["predicted_peak_bytes"])
        self.assertEqual(len(data["points"]), len(live))  # of one step: each of its graphs ran once
        self.assertEqual({point[6] for point in data["points"]}, {0, 1, 2})
        self.headroom("plan", self.model, "--seq-len", 24, "--html", "plan.html", "--quiet")
        plan_page = (self.directory / "plan.html").read_text(encoding="utf-8")
        program = plan_page.split("</script>")[1]
        self.assertIn("function drawTime", program)
        self.assertEqual(page.split("</script>")[1], program)  # one program draws both
        for _, alive, resident, *_ in data["points"]:
            self.assertLessEqual(alive, data["arena"])
            self.assertLessEqual(resident, data["arena"] + data["reserve"])
            self.assertGreater(resident, 0)

        measured, predicted = report["measured_peak_bytes"], report["predicted_peak_bytes"]
        self.assertLessEqual(measured, predicted)
        self.assertLessEqual(predicted - measured, max(predicted // 100, 8 * MIB))

    def test_loads_and_stores_beside_compute(self):
        flags = self.flags("--disk", ".", "--offload", "all", "--profile", "profile")
        self.train(self.model, *flags, environment=self.here)
        events = self.read_json("profile/trace.json")["traceEvents"]
        moments = {"b": {}, "e": {}}
        for event in events:
            if event["ph"] in moments:
                moments[event["ph"]][event["id"]] = (event["ts"], event["cat"], event["name"])
        self.assertEqual({kind for _, kind, _ in moments["b"].values()}, {"load", "store"})
        self.assertEqual(moments["b"].keys(), moments["e"].keys())
        for number, (begin, *what) in moments["b"].items():
            end, *ended = moments["e"][number]
            self.assertEqual(what, ended)
            self.assertLess(begin, end)

    def test_the_plan_counts_it(self):
        command = ["plan", "tiny-4m", "--batch-size", 1, "--seq-len", 64, "--threads", 1, "--report", "plan.json"]
        self.headroom(*command)
        plain = self.read_json("plan.json")
        self.headroom(*command, "--profile", "profile")
        profiled = self.read_json("plan.json")
        expected = 256 * 1024 + 2048 * 32 + 16 * sum(graph["nodes"] for graph in plain["graphs"])
        self.assertAlmostEqual(profiled["reserve_bytes"] - plain["reserve_bytes"], expected, delta=4096)
        self.assertFalse((self.directory / "profile").exists())

    def test_a_place_that_cannot_be(self):
        self.write("file", "")
        words_of_error = self.refused(*self.command(self.model, *self.flags("--profile", "file/profile")))
        self.assertIn("file/profile", words_of_error)
        self.assertFalse((self.directory / "out").exists())

    def test_plan_measures_the_machine(self):
        command = ["plan", self.model, "--seq-len", 24, "--threads", 1, "--measure", "--report", "plan.json"]
        self.headroom(*command, environment=self.here)
        machine = self.read_json("plan.json")["machine"]
        remembered = self.read_json("cache/headroom/machine.json")
        self.assertEqual(remembered["limits"], machine)
        self.train(self.model, *self.flags("--profile", "profile"), environment=self.here)
        ops = self.read_json("profile/ops.json")
        if ops["isa"] != "reference":
            peaks = {(peak["isa"], peak["threads"]): peak["flops_per_second"] for peak in machine["fma"]}
            self.assertEqual(ops["limits"]["flops_per_second"], peaks[ops["isa"].split("_")[0], 1])
            self.assertGreater(ops["ops"][0]["share_of_limit"], 0)


if __name__ == "__main__":
    frame.main()
