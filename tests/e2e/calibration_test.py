"""quantize with text: what it gains, what changes no byte, how it goes on after a kill, and what it refuses."""

import json
import resource
import signal
import time

import frame
from grouped_weights import read_raw

MIB = 1 << 20
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "vocab_size": 300, "hidden_size": 64, "num_hidden_layers": 2,
    "intermediate_size": 160, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
    "torch_dtype": "float32", "initializer_range": 0.1,
}  # fmt: skip
TEXT = "".join(f"The {n}th line of a text speaks of {n * n} apples and {n % 7} pears.\n" for n in range(400))
FLAGS = ["--group-size", "32", "--bits", "3", "--quiet"]
ROWS = ["--seq-len", "64", "--samples", "24"]


class Calibration(frame.CommandTest):
    def setUp(self):
        super().setUp()
        self.write("c.json", CONFIG)
        self.write("text.txt", TEXT)
        self.write("held-out.txt", TEXT[::-1][:4000] + TEXT[:9000])
        self.headroom("init", "c.json", "--output", "model", "--quiet", "--tokenizer-data", "text.txt")

    def quantize(self, output, *flags, method="gptq", **options):
        arguments = ["--method", method, *(["--calibration", "text.txt", *ROWS] if method != "rtn" else [])]
        arguments += [*FLAGS, "--report", "r.json", *flags]
        self.headroom("quantize", "model", "--output", output, *arguments, **options)
        report = self.read_json("r.json")
        self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
        self.assertLessEqual(report["predicted_peak_bytes"], report["budget_bytes"])
        self.assertFalse((self.directory / f"{output}.calibration").exists())
        return report

    def bytes_of(self, output):
        return (self.directory / output / "model.safetensors").read_bytes()

    def divergence(self, output):
        self.headroom("eval", output, "--data", "held-out.txt", "--reference", "model", "--seq-len", "64", "--compute",
                      "f32", "--quiet", "--report", "e.json")  # fmt: skip
        return self.read_json("e.json")["kl_divergence"]

    def test_it_keeps_more_of_the_model_than_rounding(self):
        self.quantize("rounded", "--embedding-bits", "8", method="rtn")
        losses = {}
        for method in ("gptq", "best"):
            losses[method] = self.quantize(method, method=method)["calibration"]["losses"]
            self.assertEqual(len(losses[method]), 14)
            for loss in losses[method].values():
                self.assertLess(loss["loss"], loss["rounding_loss"])
        mean = {method: sum(one["loss"] for one in of.values()) for method, of in losses.items()}
        self.assertLess(mean["best"], mean["gptq"])
        self.assertLess(self.divergence("gptq"), 0.8 * self.divergence("rounded"))
        # Names, formats and shapes are those of rounding.
        notes = {name: read_raw(self.directory / name / "model.safetensors")[0] for name in ("gptq", "rounded")}
        self.assertEqual(notes["gptq"], notes["rounded"])

    def test_no_byte_depends_on_threads_budget_or_instruction_set(self):
        report = self.quantize("one", "--threads", "1")
        expected = self.bytes_of("one")
        least = self.refusal("--memory", "8MiB", "--threads", "1")["smallest_budget_bytes"]
        self.assertLessEqual(least, report["predicted_peak_bytes"])
        self.quantize("least", "--threads", "1", "--memory", least)
        self.quantize("two", "--threads", "2")
        self.quantize("disk", "--disk", "scratch")
        self.quantize("reference", environment={"HEADROOM_ISA": "reference"})
        for other in ("least", "two", "disk", "reference"):
            self.assertEqual(self.bytes_of(other), expected, other)

    def refusal(self, *flags):
        arguments = ["--method", "gptq", "--calibration", "text.txt", *ROWS, *FLAGS, "--report", "refused.json", *flags]
        self.headroom("quantize", "model", "--output", "no", *arguments, expect=frame.OVER_BUDGET)
        return self.read_json("refused.json")

    def start_and_wait(self, output, groups):
        """A run that has come to so many groups of weights, and the files of those."""
        command = ["quantize", "model", "--output", output, "--method", "gptq", "--calibration", "text.txt", *ROWS]
        command += FLAGS[:-1]
        process = self.start(*command)
        directory = self.directory / f"{output}.calibration"
        while process.poll() is None and len(list(directory.glob("group-*.safetensors"))) < groups:
            time.sleep(0.002)
        return process, command

    def test_a_run_that_is_killed_goes_on(self):
        self.quantize("whole")
        for groups in (1, 3, 6):
            output = f"killed-{groups}"
            process, command = self.start_and_wait(output, groups)
            process.send_signal(signal.SIGKILL)
            process.wait()
            self.assertFalse((self.directory / output).exists())
            directory = self.directory / f"{output}.calibration"
            done = {path: path.stat().st_mtime_ns for path in directory.glob("group-*.safetensors")}
            self.assertGreaterEqual(len(done), groups)
            self.assertIn("begun with other flags, text or weights", self.refused(*command, "--damping", "0.02"))
            self.assertEqual({path: path.stat().st_mtime_ns for path in done}, done)
            self.quantize(output)
            self.assertEqual(self.bytes_of(output), self.bytes_of("whole"))

    def test_a_run_whose_last_write_failed_only_writes(self):
        self.quantize("whole")
        size = len(self.bytes_of("whole"))
        arguments = ["--method", "gptq", "--calibration", "text.txt", *ROWS, *FLAGS]

        def limit():  # what is found fits, the model does not
            resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, size - 1))

        late = ["quantize", "model", "--output", "late", *arguments]
        self.headroom(*late, expect=frame.MACHINE_FAILED, preexec_fn=limit)
        found = list((self.directory / "late.calibration").glob("group-*.safetensors"))
        self.assertEqual(len(found), 8)
        self.headroom(*late)
        self.assertEqual(self.bytes_of("late"), self.bytes_of("whole"))

    def test_a_signal_leaves_what_was_done(self):
        process, _ = self.start_and_wait("stopped", 1)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate()
        self.assertEqual(process.returncode, frame.TERMINATED)
        self.assertIn("stopped.calibration: the same command goes on from here", said)
        self.quantize("stopped")

    def test_what_is_refused(self):
        self.write("short.txt", "too short")
        self.write("empty.txt", "")
        for flags, words in [
            (["--calibration"], "--method gptq: expected --calibration FILE, text like what the model will read"),
            (["--method", "rtn"], "--calibration: --method rtn reads no text"),
            (["--calibration", "none.txt"], "none.txt"),
            (["--calibration", "empty.txt"], "empty.txt"),
            (["--calibration", "short.txt", "--seq-len", "64"], "expected 64 at least, one row"),
            (["--samples", "0"], "--samples 0: expected a number of 1 or more"),
            (["--damping", "0"], "--damping 0: expected more than 0"),
            (["--keep", "*_proj"], "--keep *_proj: keeps all matrices of the layers"),
            (["--seq-len", "129"], "--seq-len 129: the model has 128 positions"),
            (["--embedding-bits", "5"], "--embedding-bits 5: expected"),
        ]:
            with self.subTest(flags=flags):
                given = {"--method": "gptq", "--calibration": "text.txt"}
                given.pop(flags[0], None)
                given.update(zip(flags[::2], flags[1::2], strict=False))
                arguments = [word for pair in given.items() for word in pair]
                self.assertIn(words, self.refused("quantize", "model", "--output", "no", *FLAGS, *arguments))
                self.assertFalse((self.directory / "no").exists())

    def test_what_it_cost_is_said_and_drawn(self):
        report = self.quantize("drawn", "--eval-data", "held-out.txt", "--html", "page.html")
        self.headroom("eval", "drawn", "--data", "held-out.txt", "--reference", "model", "--seq-len", "64", "--quiet",
                      "--report", "e.json")  # fmt: skip
        expected = self.read_json("e.json")
        for key, value in report["evaluation"].items():
            self.assertEqual(value, expected[key], key)
        page = (self.directory / "page.html").read_text()
        self.assertEqual(page.count("<tr>"), 14)
        self.assertIn(f"divergence {expected['kl_divergence']:.6f} nats", page)

    def test_rows_of_examples(self):
        lines = [{"prompt": f"What is {n}?", "completion": f"It is {n * 3}."} for n in range(200)]
        self.write("text.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        self.headroom("quantize", "model", "--output", "examples", "--method", "gptq", "--calibration", "text.jsonl",
                      *ROWS, *FLAGS)  # fmt: skip


if __name__ == "__main__":
    frame.main()
