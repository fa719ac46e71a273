"""KV caches that are larger than their memory, on disk: the same text and log-probabilities at every budget."""

import json
import unittest

import frame

TEXT = "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.\n"
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 256,
    "intermediate_size": 704,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "vocab_size": 300,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "hidden_act": "silu",
    "torch_dtype": "float32",
}
PROMPT = ["--prompt-file", "text.txt"]
FLAGS = ["--context", "4096", "--threads", "1", "--quiet", "--report", "r.json"]


class SpilledCache(frame.CommandTest):
    def setUp(self):
        super().setUp()
        self.write("config.json", CONFIG)
        self.write("text.txt", 4 * TEXT)
        vocabulary = ["--tokenizer-data", "text.txt", "--vocabulary", "300"]
        self.headroom("init", "config.json", *vocabulary, "--output", "model", "--quiet")

    def generate(self, budget, *flags, new="12"):
        """Text, log-probabilities and report, whose promises are held."""
        outputs = ["--logprobs", "log.json", "--memory", budget, "--max-new-tokens", new]
        text = self.headroom("generate", "model", *PROMPT, *FLAGS, *outputs, *flags).stdout
        report = self.read_json("r.json")
        self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
        self.assertLessEqual(report["predicted_peak_bytes"], report["budget_bytes"])
        return text, self.read_json("log.json"), report

    def smallest(self, *flags):
        refused = ["generate", "model", *PROMPT, *FLAGS, *flags, "--memory", "4MiB", "--max-new-tokens", "12"]
        self.refused(*refused, expect=frame.OVER_BUDGET)
        return self.read_json("r.json")["smallest_budget_bytes"]

    def test_every_budget_gives_the_same(self):
        for kind in ["f32", "q4"]:
            flags = ["--kv-cache-dtype", kind]
            text, log, report = self.generate("1GiB", *flags)
            self.assertEqual(report["disk_bytes"], 0)
            ample = report["predicted_peak_bytes"]
            flags += ["--disk", "disk"]
            smallest = self.smallest(*flags)
            self.assertLess(smallest, self.smallest("--kv-cache-dtype", kind) * 4 // 5)
            on_disk = []
            for budget in [ample - 2**20, ample - 5 * 2**20, (ample + smallest) // 2, smallest]:
                with self.subTest(kind=kind, budget=budget):
                    got, got_log, report = self.generate(budget, *flags)
                    self.assertEqual((got, got_log), (text, log))
                    on_disk.append(report["disk_bytes"])
            self.assertTrue(on_disk[1] > 0 and on_disk[-1] > 0, on_disk)
            self.refused(
                *["generate", "model", *PROMPT, *FLAGS, *flags, "--max-new-tokens", "12", "--memory", smallest - 2**20],
                expect=frame.OVER_BUDGET,
            )
            self.assertEqual(list((self.directory / "disk").iterdir()), [])

    def test_chunks_and_long_texts(self):
        text, log, report = self.generate("1GiB", new="100")
        budget = report["predicted_peak_bytes"] * 2 // 3
        for chunk in ["1", "7", "64"]:
            got, got_log, report = self.generate(budget, "--disk", "disk", "--prefill-chunk", chunk, new="100")
            self.assertEqual((got, got_log), (text, log))
            self.assertGreater(report["disk_bytes"], 0)
            self.assertEqual(report["model_bytes"], 0)
            self.assertIn("layers on disk", report["choices"][0])

    def test_many_prompts(self):
        rows = [{"prompt": TEXT[i : i + 20 + 7 * i]} for i in range(5)]
        (self.directory / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        answers = []
        common = ["--prompts", "prompts.jsonl", "--output", "a.jsonl", "--parallel", "3", "--max-new-tokens", "10"]
        for more in [["--memory", "1GiB"], ["--memory", "64MiB", "--disk", "disk"]]:
            for kind in ["bf16", "q8"]:
                flags = [*common, "--kv-cache-dtype", kind, "--context", "3000", *FLAGS[2:], *more]
                self.headroom("generate", "model", *flags)
                answers.append((self.directory / "a.jsonl").read_text(encoding="utf-8"))
                (self.directory / "a.jsonl").unlink()
        self.assertGreater(self.read_json("r.json")["disk_bytes"], 0)
        self.assertEqual(answers[0], answers[2])
        self.assertEqual(answers[1], answers[3])

    def test_plans_are_those_of_runs(self):
        budget = self.smallest("--disk", "disk") + 3 * 2**20
        report = self.generate(budget, "--disk", "disk")[2]
        flags = ["--task", "generate", "--disk", "disk", "--context", "4096", "--threads", "1", "--json"]
        plan = json.loads(self.headroom("plan", "model", *flags, "--memory", budget, "--html", "p.html").stdout)
        self.assertEqual(plan["disk_bytes"], report["disk_bytes"])
        self.assertEqual(plan["arena_bytes"], report["arena_bytes"])
        self.assertIn("On disk", (self.directory / "p.html").read_text(encoding="utf-8"))

    def test_refusals(self):
        budget = self.smallest("--disk", "disk")
        flags = ["generate", "model", *PROMPT, *FLAGS, "--memory", budget]
        words = self.refused(*flags, "--disk", "disk", "--disk-limit", "64KiB", expect=frame.OVER_BUDGET)
        self.assertIn("--disk-limit 64.00 KiB", words)
        self.assertIn("--disk DIR", self.refused(*flags, "--disk-limit", "1GB"))
        self.assertIn("text.txt/in: cannot create", self.refused(*flags, "--disk", "text.txt/in"))


if __name__ == "__main__":
    frame.main()
