"""Compares two models with `eval --reference`; the oracle is the formula in f64 over the logits that `eval` writes."""

import json
import math
import unittest

import frame
from tensor_files import read_tensors

MODEL = frame.ROOT / "tests" / "data" / "llama" / "gqa"
IDS = MODEL / "ids.json"
QUIET = ["--memory", "128MiB", "--quiet"]


def log_softmax(logits):
    largest = max(logits)
    lse = largest + math.log(sum(math.exp(logit - largest) for logit in logits))
    return [logit - lse for logit in logits]


class Comparison(frame.CommandTest):
    def setUp(self):
        super().setUp()
        config = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))
        # Another model of the same vocabulary: other sizes, another rotary table.
        config.update(num_hidden_layers=1, hidden_size=32, num_attention_heads=2, num_key_value_heads=1, head_dim=16)
        config.update(rope_theta=500.0, initializer_range=0.5)
        self.headroom("init", self.write("other.json", config), "--output", "other", "--seed", "3", "--quiet")

    def report(self, model, *flags):
        self.headroom("eval", model, "--report", "r.json", *flags, *QUIET)
        return self.read_json("r.json")

    def rows_of_log_probabilities(self, model):
        self.report(model, "--tokens", IDS, "--logits", "logits.safetensors")
        logits = read_tensors(self.directory / "logits.safetensors")["logits"]
        _, _, vocabulary = logits.shape
        values = logits.values.tolist()
        return [log_softmax(values[i : i + vocabulary]) for i in range(0, len(values), vocabulary)]

    def test_it_is_the_formula(self):
        ids = json.loads(IDS.read_text(encoding="utf-8"))["ids"]
        length = len(ids[0])
        counts = [i for i in range(len(ids) * length) if i % length != length - 1]
        model, other = self.rows_of_log_probabilities(MODEL), self.rows_of_log_probabilities("other")
        kls = [sum(math.exp(p) * (p - q) for p, q in zip(other[i], model[i])) for i in counts]
        top = lambda row: max(range(len(row)), key=row.__getitem__)
        equal = sum(top(other[i]) == top(model[i]) for i in counts)
        report = self.report(MODEL, "--tokens", IDS, "--reference", "other")
        self.assertEqual(report["predictions"], len(counts))
        self.assertAlmostEqual(report["kl_divergence"], sum(kls) / len(kls), delta=2e-6)
        self.assertAlmostEqual(report["largest_kl_divergence"], max(kls), delta=1e-5)
        self.assertAlmostEqual(report["top1_agreement"], equal / len(counts), delta=1e-12)
        self.assertEqual(report["loss"], self.report(MODEL, "--tokens", IDS)["loss"])
        self.assertEqual(report["reference_loss"], self.report("other", "--tokens", IDS)["loss"])
        self.assertEqual(report["reference_perplexity"], self.report("other", "--tokens", IDS)["perplexity"])

    def test_a_model_is_no_way_from_itself(self):
        report = self.report(MODEL, "--tokens", IDS, "--reference", MODEL)
        self.assertEqual((report["kl_divergence"], report["largest_kl_divergence"]), (0, 0))
        self.assertEqual(report["top1_agreement"], 1)
        self.assertEqual(report["reference_loss"], report["loss"])

    # More tokens at once than rows of logits are compared at a time: losses must be read before the comparison runs.
    def test_long_windows_are_those_of_two_runs(self):
        config = json.loads((self.directory / "other.json").read_text(encoding="utf-8"))
        config.update(vocab_size=16384, max_position_embeddings=1024)
        models = ["first", "second"]
        for seed, name in enumerate(models):
            self.headroom("init", self.write("long.json", config), "--output", name, "--seed", seed, "--quiet")
        rows = [[(7 * i * i + 31 * i + row) % 16384 for i in range(200)] for row in range(4)]
        ids = self.write("ids.json", {"ids": rows})
        for flags in ([], ["--batch-size", "4"]):
            report = self.report("first", "--tokens", ids, "--reference", "second", *flags)
            for name, field in zip(models, ("loss", "reference_loss")):
                self.assertEqual(report[field], self.report(name, "--tokens", ids, *flags)["loss"], flags)

    def test_batch_and_threads_change_no_bit(self):
        fields = ["loss", "reference_loss", "kl_divergence", "largest_kl_divergence", "top1_agreement"]
        expected = self.report(MODEL, "--tokens", IDS, "--reference", "other")
        for flags in (["--batch-size", "3"], ["--threads", "1"]):
            got = self.report(MODEL, "--tokens", IDS, "--reference", "other", *flags)
            self.assertEqual([got[field] for field in fields], [expected[field] for field in fields])

    def test_both_are_inside_the_budget(self):
        flags = ["eval", MODEL, "--tokens", IDS, "--reference", "other", "--report", "r.json", "--quiet", "--memory"]
        self.refused(*flags, "2MiB", expect=frame.OVER_BUDGET)
        smallest = self.read_json("r.json")["smallest_budget_bytes"]
        self.headroom(*flags, smallest)
        self.assertLessEqual(self.read_json("r.json")["measured_peak_bytes"], smallest)

    def test_what_cannot_be_compared_is_refused(self):
        mha = MODEL.parent / "mha"
        sentence = self.refused("eval", MODEL, "--tokens", IDS, "--reference", mha, *QUIET)
        self.assertIn(f"--reference {mha}: its vocabulary has 64 tokens; expected 76, those of {MODEL}", sentence)
        sentence = self.refused("eval", MODEL, "--tokens", IDS, "--reference", "other", "--logits", "l", *QUIET)
        self.assertIn("--logits, --reference: expected at most one of them", sentence)
        config = json.loads((self.directory / "other.json").read_text(encoding="utf-8"))
        config["max_position_embeddings"] = 9
        self.headroom("init", self.write("short.json", config), "--output", "short", "--quiet")
        sentence = self.refused("eval", MODEL, "--tokens", IDS, "--reference", "short", *QUIET)
        self.assertIn("--reference short: it has 9 positions; expected 70, the tokens of a row", sentence)


if __name__ == "__main__":
    frame.main()
