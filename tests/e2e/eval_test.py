"""Measures losses with the built command. Logits and losses against PyTorch: oracle_test.py."""

import json
import math
import unittest

import frame

FINETUNE = frame.ROOT / "tests" / "data" / "finetune" / "model"
STORIES = frame.ROOT.parent / "shared" / "data" / "stories260K-hf"
TINY = frame.ROOT / "tests" / "data" / "llama" / "gqa"
QUIET = ["--memory", "128MiB", "--quiet"]


class Tokens(frame.CommandTest):
    def loss(self, *flags):
        self.headroom("eval", TINY, *flags, "--report", "r.json", *QUIET)
        report = self.read_json("r.json")
        return report["loss"], report["predictions"]

    def test_batch_threads_and_instructions_change_no_bit(self):
        ids = TINY / "ids.json"
        expected = self.loss("--tokens", ids, "--logits", "one.safetensors")
        logits = (self.directory / "one.safetensors").read_bytes()
        self.assertEqual(self.loss("--tokens", ids, "--threads", "1"), expected)
        self.assertEqual(self.loss("--tokens", ids, "--batch-size", "3", "--logits", "two.safetensors"), expected)
        self.assertEqual((self.directory / "two.safetensors").read_bytes(), logits)

    def test_caches_of_every_family(self):
        models = TINY.parent
        for name in ["mha", "gqa", "mqa", "qwen2", "qwen2_tied", "llama3", "biases"]:
            for kind, most in [("bf16", 1e-3), ("f16", 1e-4), ("q8", 1e-3), ("q4", 0.03)]:
                with self.subTest(model=name, kind=kind):
                    flags = ["--tokens", models / name / "ids.json", "--reference", models / name, *QUIET]
                    self.headroom("eval", models / name, *flags, "--kv-cache-dtype", kind, "--report", "r.json")
                    report = self.read_json("r.json")
                    self.assertTrue(0 < report["kl_divergence"] < most, report["kl_divergence"])
                    self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
        tokens = ["--tokens", models / "head100" / "ids.json"]
        words = self.refused("eval", models / "head100", *tokens, "--kv-cache-dtype", "q8", *QUIET)
        self.assertIn("a KV cache in q8: ", words)
        self.assertIn("expected heads of a multiple of 8 elements, got 100; try f16", words)
        self.headroom("eval", models / "head100", *tokens, "--kv-cache-dtype", "f16", *QUIET)

    def test_rows_that_are_wrong_are_refused(self):
        for words, rows in {
            "lengths": [[1, 2, 3], [1, 2]],
            "without ids": [[]],
            "no rows": [],
            "one id": [[1]],
            "100000": [[1, 100000]],
            "positions": [[1] * 100000],
        }.items():
            with self.subTest(words=words):
                path = self.write("ids.json", {"ids": rows})
                sentence = self.refused("eval", TINY, "--tokens", path, "--report", "r.json", *QUIET)
                self.assertIn(words, sentence)
                self.assertEqual([entry.name for entry in self.directory.iterdir()], ["ids.json"])

    def test_bad_usage_is_refused(self):
        ids = ["--tokens", TINY / "ids.json"]
        text = self.write("text.txt", "text")
        for flags in ([], [*ids, "--data", text], ["--data", text, "--logits", "l"], [*ids, "--batch-size", "0"]):
            with self.subTest(flags=flags):
                self.refused("eval", TINY, *flags, *QUIET)

    def test_the_smallest_budget_works_and_less_is_refused(self):
        flags = ["eval", TINY, "--tokens", TINY / "ids.json", "--report", "r.json", "--quiet", "--memory"]
        self.refused(*flags, "2MiB", expect=frame.OVER_BUDGET)
        smallest = self.read_json("r.json")["smallest_budget_bytes"]
        self.headroom(*flags, smallest)
        self.assertLessEqual(self.read_json("r.json")["measured_peak_bytes"], smallest)
        self.refused(*flags, smallest - 2**20, expect=frame.OVER_BUDGET)


class BitsPerByte(frame.CommandTest):
    """The loss of all tokens over all bytes, whether or not a begin token stands before a text."""

    def model(self, begins):
        tokenizer = json.loads((FINETUNE / "tokenizer.json").read_text(encoding="utf-8"))
        if not begins:
            tokenizer["post_processor"] = None
        self.write("model/tokenizer.json", tokenizer)
        for name in ("config.json", "model.safetensors", "tokenizer_config.json"):
            self.write(f"model/{name}", (FINETUNE / name).read_bytes())

    def test_a_token_that_is_not_predicted_counts_as_the_mean_of_the_others(self):
        texts = ["the cat sat on the mat", "two and two is four", "the capital is by the sea", "a question"]
        path = self.write("texts.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in texts))
        for begins in (True, False):
            self.model(begins)
            for flags, given in ([["--isolate-documents"], len(texts)], [["--seq-len", 16], 1]):
                with self.subTest(begins=begins, flags=flags):
                    self.headroom("eval", "model", "--data", path, *flags, "--report", "r.json", *QUIET)
                    report = self.read_json("r.json")
                    tokens = report["predictions"] + report["windows"] - (given if begins else 0)
                    self.assertEqual(report["bytes"], sum(map(len, texts)))
                    bits = report["loss"] * tokens / math.log(2) / report["bytes"]
                    self.assertAlmostEqual(report["bits_per_byte"], bits, delta=1e-12)


@unittest.skipUnless(STORIES.exists(), "the model stories260K is not there")
class Text(frame.CommandTest):
    def setUp(self):
        super().setUp()
        self.expected = json.loads((STORIES / "expected.json").read_text(encoding="utf-8"))
        self.text = self.write("text.txt", self.expected["eval_text"])

    def report(self, *flags):
        self.headroom("eval", STORIES, *flags, "--report", "r.json", *QUIET)
        return self.read_json("r.json")

    def test_a_text_and_its_ids_have_pytorchs_loss(self):
        text, ids = self.report("--data", self.text), self.report("--tokens", STORIES / "ids.json")
        self.assertAlmostEqual(text["loss"], self.expected["eval_mean_next_token_loss"], delta=5e-6)
        self.assertEqual((text["loss"], text["predictions"]), (ids["loss"], 199))

    def test_bits_per_byte_spread_the_loss_of_all_tokens_over_the_text(self):
        for flags in ([], ["--seq-len", 33, "--stride", 8], ["--seq-len", 33]):
            report = self.report("--data", self.text, *flags)
            self.assertEqual(report["bytes"], self.text.stat().st_size)
            bits = report["loss"] * 199 / math.log(2) / report["bytes"]
            self.assertAlmostEqual(report["bits_per_byte"], bits, delta=1e-12)
        self.assertEqual(report["windows"], 7)  # of 33 tokens, over 200

    def test_overlap_gives_context_and_the_batch_changes_no_bit(self):
        apart = self.report("--data", self.text, "--seq-len", 33)
        self.assertEqual(apart["predictions"], 199 - 6)  # the first token of each later window
        overlapping = self.report("--data", self.text, "--seq-len", 33, "--stride", 8)
        self.assertEqual(overlapping["predictions"], 199)
        self.assertLess(overlapping["loss"], apart["loss"])
        batched = self.report("--data", self.text, "--seq-len", 33, "--stride", 8, "--batch-size", 5)
        self.assertEqual(batched["loss"], overlapping["loss"])

    def test_documents_are_separate(self):
        lines = self.write("two.jsonl", '{"text": "Once upon a time"}\n{"text": "there was a girl"}\n')
        separate = self.report("--data", lines)["predictions"]
        one = self.write("one.jsonl", '{"text": "Once upon a time"}\n')
        other = self.write("other.jsonl", '{"text": "there was a girl"}\n')
        alone = [self.report("--data", path)["predictions"] for path in (one, other)]
        self.assertEqual(separate, sum(alone) + 1)  # the beginning of the second text
        self.assertEqual(self.report("--data", one, other)["predictions"], separate)
        self.assertEqual(self.report("--data", lines, "--isolate-documents")["predictions"], sum(alone))
        file = self.write("one.txt", "Once upon a time")
        self.assertEqual(self.report("--data", file)["predictions"], alone[0] - 1)  # no end: it is a file of its own

    def test_text_that_is_none_is_refused(self):
        for name, content in {"empty.txt": b"", "binary.txt": b"a\0b", "latin.txt": b"caf\xe9"}.items():
            with self.subTest(name=name):
                path = self.write(name, content)
                self.assertIn(name, self.refused("eval", STORIES, "--data", path, *QUIET))
        for flags in (["--seq-len", "514"], ["--seq-len", "1"], ["--seq-len", "9", "--stride", "10"]):
            self.assertIn(flags[-2], self.refused("eval", STORIES, "--data", self.text, *flags, *QUIET))


if __name__ == "__main__":
    frame.main()
