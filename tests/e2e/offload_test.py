"""--disk: what does not fit in memory lives there, and the run has the bits of one that kept everything."""

import resource
import signal
import time

import frame
from training import TrainingTest, bits

SHAPE = {"hidden_size": 128, "intermediate_size": 344, "num_attention_heads": 4, "num_key_value_heads": 2,
         "num_hidden_layers": 3, "vocab_size": 512}  # fmt: skip
DATA = ["--data", "text.txt", "--batch-size", 4, "--seq-len", 32, "--steps", 3, "--lr", 0.01]
MIB = 1 << 20

# Each with what makes it another run; all other flags change no bit.
SETTINGS = {
    "clipped": [],
    "two passes": ["--clip-mode", "two-pass"],
    "not clipped": ["--grad-clip", 0],
    "micro-batches": ["--grad-accum", 2],
    "sgd": ["--optimizer", "sgd"],
    "shards": ["--data-shards", 2],
    "8-bit states": ["--optimizer", "adamw8bit"],
    "all in few bits": ["--precision", "bf16", "--master-weights", "bf16", "--optimizer", "adamw8bit"],
}


class Offload(TrainingTest):
    def setUp(self):
        super().setUp()
        (self.directory / "disk").mkdir()

    def smallest(self, model, *flags):
        """The smallest budget that a refusal names."""
        self.refused(
            *self.command(model, *flags, "--memory", 1, "--report", "refusal.json", output="never"),
            expect=frame.OVER_BUDGET,
        )
        return self.read_json("refusal.json")["smallest_budget_bytes"]

    def check_memory(self, budget):
        report = self.read_json("report.json")
        predicted, measured = report["predicted_peak_bytes"], report["measured_peak_bytes"]
        self.assertLessEqual(predicted, budget)
        self.assertLessEqual(measured, predicted)
        self.assertLessEqual(predicted - measured, max(predicted // 100, 8 * MIB))
        return report

    def test_whatever_leaves_the_bits_stay(self):
        for tied in (False, True):
            model = self.text_model(tied, name=f"model-{tied}", **SHAPE)
            for name, changes in SETTINGS.items():
                expected = self.train(model, *DATA, *changes)
                for kinds in ("optimizer", "activations", "weights", "all"):
                    if kinds != "all" and name not in ("clipped", "micro-batches"):
                        continue
                    with self.subTest(tied=tied, name=name, offload=kinds):
                        way = ["--disk", "disk", "--offload", kinds]
                        self.assertEqual(self.train(model, *DATA, *changes, *way), expected)
        self.assertEqual(list((self.directory / "disk").iterdir()), [])

    def test_every_budget_down_to_the_smallest(self):
        model = self.text_model(**SHAPE)
        expected = self.train(model, *DATA)
        without = self.smallest(model, *DATA)
        words = self.refused(
            *self.command(model, *DATA, "--memory", without - MIB, output="never"), expect=frame.OVER_BUDGET
        )
        self.assertIn("would fit: --disk DIR", words)
        least = self.smallest(model, *DATA, "--disk", "disk")
        self.assertLess(least, without - MIB)
        for part in range(5):
            budget = least + (without - least) * part // 4
            with self.subTest(budget=budget):
                flags = ["--memory", budget, "--disk", "disk", "--report", "report.json"]
                self.assertEqual(self.train(model, *DATA, *flags), expected)
                report = self.check_memory(budget)
                if budget < without:
                    self.assertGreater(report["disk_bytes"], 0)
        self.refused(*self.command(model, *DATA, "--memory", least - MIB, "--disk", "disk", output="no"),
                     expect=frame.OVER_BUDGET)  # fmt: skip

    def test_killed_and_resumed(self):
        model = self.text_model(**SHAPE)
        flags = [*DATA[:-4], "--steps", 6, "--lr", 0.01, "--save-every", 1]
        expected = self.train(model, *flags, output="plain")
        flags += ["--disk", "disk", "--offload", "all"]
        for count in (1, 3):
            process = self.start(*map(str, self.command(model, *flags, *(["--resume"] if count > 1 else []))))
            lines = self.directory / "out" / "metrics.jsonl"
            deadline = time.monotonic() + 60
            while process.poll() is None and not (lines.exists() and lines.read_bytes().count(b"\n") > count):
                self.assertLess(time.monotonic(), deadline)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            self.assertEqual(list((self.directory / "disk").iterdir()), [], "something is left on the disk")
        self.assertEqual(self.go_on(model, *flags, "--resume"), expected)
        self.assertEqual(bits(self.directory / "out"), expected)

    def test_host_memory_is_for_devices(self):
        words = self.refused(*self.command(self.text_model(**SHAPE), *DATA, "--host-memory", "1GiB", output="no"))
        self.assertIn("--host-memory 1GiB: it is for what does not fit in the memory of a device of its own", words)

    def test_refusals(self):
        model = self.text_model(**SHAPE)
        words = self.refused(*self.command(model, *DATA, "--offload", "weights"))
        self.assertIn("--disk", words)
        self.assertIn("--disk DIR", self.refused(*self.command(model, *DATA, "--disk-limit", "1GB")))
        words = self.refused(*self.command(model, *DATA, "--offload", "all", "--disk", "text.txt/in"))
        self.assertIn("text.txt/in: cannot create", words)
        flags = ["--offload", "all", "--disk", "disk"]
        words = self.refused(*self.command(model, *DATA, *flags, "--disk-limit", "64KiB"), expect=frame.OVER_BUDGET)
        self.assertIn("--disk-limit 64.00 KiB", words)
        self.train(model, *DATA, *flags, "--disk-limit", "1GB")

    def test_the_directory_is_made(self):
        model = self.text_model(**SHAPE)
        expected = self.train(model, *DATA)
        self.assertEqual(self.train(model, *DATA, "--offload", "all", "--disk", "new/directory"), expected)
        self.assertEqual(list((self.directory / "new" / "directory").iterdir()), [])

    def test_a_full_disk_is_found_at_the_start(self):
        model = self.text_model(**SHAPE)

        def little_room():
            resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, 256 * 1024))

        words = self.refused(*self.command(model, *DATA, "--offload", "all", "--disk", "disk"),
                             expect=frame.MACHINE_FAILED, preexec_fn=little_room)  # fmt: skip
        self.assertIn("--disk disk: no room for the ", words)
        self.assertFalse((self.directory / "out").exists())


if __name__ == "__main__":
    frame.main()
