"""Experts that stay in the model's files until a token needs them: the same results at every budget."""

import json

import frame

CONFIG = json.loads((frame.ROOT / "tests/data/deepseek/lite/config.json").read_text(encoding="utf-8")) | {
    "hidden_size": 256, "num_hidden_layers": 4, "intermediate_size": 512, "vocab_size": 400, "num_attention_heads": 4,
    "num_key_value_heads": 4, "kv_lora_rank": 64, "qk_nope_head_dim": 32, "qk_rope_head_dim": 16, "v_head_dim": 32,
    "n_routed_experts": 32, "num_experts_per_tok": 4, "moe_intermediate_size": 128, "bos_token_id": None,
    "eos_token_id": None,
}  # fmt: skip
TEXT = "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.\n"
PROMPT = ["--prompt", "the age of", "--max-new-tokens", "12", "--temperature", "0"]


class ExpertStreaming(frame.CommandTest):
    def setUp(self):
        super().setUp()
        self.write("text.txt", 40 * TEXT)
        self.write("config.json", CONFIG)
        self.headroom(
            "init", "config.json", "--tokenizer-data", "text.txt", "--vocabulary", "400", "--output", "model", "--quiet"
        )

    def generate(self, budget, model, threads=1):
        """Text, log-probabilities and report."""
        flags = [*PROMPT, "--memory", budget, "--threads", threads, "--quiet"]
        text = self.headroom("generate", model, *flags, "--logprobs", "log.json", "--report", "report.json").stdout
        return text, self.read_json("log.json"), self.read_json("report.json")

    def check_budgets(self, model):
        text, log, report = self.generate("1GiB", model)
        self.assertNotIn("experts_needed", report)
        ample = report["predicted_peak_bytes"]
        flags = [*PROMPT, "--memory", "12MiB", "--threads", 1, "--report", "r.json", "--quiet"]
        self.refused("generate", model, *flags, expect=frame.OVER_BUDGET)
        smallest = self.read_json("r.json")["smallest_budget_bytes"]
        self.assertLess(smallest, ample - 2 * 2**20)
        reads = []
        for part in [0.95, 0.7, 0.3, 0.0]:
            budget = int(smallest + part * (ample - smallest))
            got, got_log, report = self.generate(budget, model, threads=1)
            self.assertEqual((got, got_log), (text, log), part)
            self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
            self.assertLessEqual(report["predicted_peak_bytes"], budget)
            self.assertLessEqual(report.get("experts_read", 0), report.get("experts_needed", 0))
            reads.append(report.get("experts_read", 0))
        self.assertEqual(self.generate(ample - 2**20, model, threads=2)[:2], (text, log))
        self.assertLess(reads[0], reads[-1])  # less memory, more reading

    def test_every_budget_gives_the_same(self):
        self.check_budgets("model")

    def test_quantised_ones_too(self):
        flags = ["--bits", 4, "--group-size", 32, "--output", "quantised", "--quiet"]
        self.headroom("quantize", "model", *flags)
        self.check_budgets("quantised")

    def test_evaluation_reads_them_too(self):
        flags = ["--data", "text.txt", "--seq-len", 32, "--threads", 1, "--quiet"]
        loss = self.headroom("eval", "model", *flags, "--memory", "1GiB").stdout
        self.assertEqual(self.headroom("eval", "model", *flags, "--memory", "45MiB").stdout, loss)

    def test_the_plan_says_so(self):
        plan = self.headroom("plan", "model", "--task", "generate", *PROMPT, "--memory", "45MiB").stdout
        self.assertIn("experts stay in the model's files", plan)
        self.assertIn("of files", plan)


if __name__ == "__main__":
    frame.main()
