"""Continues texts with the built command: what it writes, and how it refuses."""

import json
import math
import signal
import struct
import unittest

import frame

STORIES = frame.ROOT.parent / "shared" / "data" / "stories260K-hf"
TEXT = "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.\n"
QUIET = ["--memory", "128MiB", "--quiet"]
ALONE = ["--threads", "1"]  # threads that wait for each other are slow on a busy machine


def logits_of(path):
    """Rows of the only tensor of a safetensors file."""
    data = path.read_bytes()
    (header,) = struct.unpack("<Q", data[:8])
    *_, width = json.loads(data[8 : 8 + header])["logits"]["shape"]
    return list(struct.iter_unpack(f"<{width}f", data[8 + header :]))


@unittest.skipUnless(STORIES.exists(), "the model stories260K is not there")
class Stories(frame.CommandTest):
    """A trained model of 260,000 parameters whose greedy text PyTorch has written down."""

    def setUp(self):
        super().setUp()
        self.expected = json.loads((STORIES / "expected.json").read_text(encoding="utf-8"))
        self.prompt = self.expected["prompt"]

    def generate(self, *flags):
        flags = ["--prompt", self.prompt, *ALONE, *flags]
        return self.headroom("generate", STORIES, *flags, *QUIET).stdout

    def test_greedy_text_is_pytorchs(self):
        text = self.generate("--logprobs", "log.json", "--report", "r.json")
        self.assertEqual(self.prompt + text, self.expected["text"])
        log = self.read_json("log.json")
        self.assertEqual(log["prompt_ids"], self.expected["prompt_ids"])
        self.assertEqual([token["id"] for token in log["tokens"]], self.expected["new_ids"])
        self.assertEqual("".join(token["text"] for token in log["tokens"]), text)
        self.assertTrue(all(-10 < token["logprob"] <= 0 for token in log["tokens"]))
        report = self.read_json("r.json")
        self.assertEqual((report["prompt_tokens"], report["new_tokens"], report["finish"]), (5, 128, "length"))

    def test_chunks_threads_and_instructions_change_no_bit(self):
        self.prompt = self.expected["text"]
        logs = set()
        for flags, isa in [
            (["--prefill-chunk", "1", *ALONE], None),
            (["--prefill-chunk", "7", *ALONE], None),
            (["--prefill-chunk", "64", "--threads", "3"], None),
            (["--prefill-chunk", "512", "--context", "512", *ALONE], None),
            (["--prefill-chunk", "16", *ALONE], "reference"),
        ]:
            environment = {"HEADROOM_ISA": isa} if isa else None
            arguments = ["--prompt", self.prompt, "--max-new-tokens", "20", "--logprobs", "log.json", *QUIET, *flags]
            self.headroom("generate", STORIES, *arguments, environment=environment)
            logs.add((self.directory / "log.json").read_text(encoding="utf-8"))
        self.assertEqual(len(logs), 1)

    def test_a_smaller_cache_is_planned_and_keeps_its_bits(self):
        self.prompt = self.expected["text"]
        caches = {}
        for dtype in ["f32", "bf16", "f16", "q8", "q4"]:
            logs = set()
            for chunk in ["1", "32", "512"]:
                flags = ["--kv-cache-dtype", dtype, "--prefill-chunk", chunk, "--context", "512", *ALONE]
                outputs = ["--logprobs", "log.json", "--report", "r.json", *QUIET]
                arguments = ["--prompt", self.prompt, "--max-new-tokens", "10", *flags, *outputs]
                self.headroom("generate", STORIES, *arguments)
                logs.add((self.directory / "log.json").read_text(encoding="utf-8"))
                report = self.read_json("r.json")
                self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
            self.assertEqual(len(logs), 1)
            self.assertEqual(dtype != "f32", f" in {dtype}," in report["choices"][0])
            plan = ["plan", STORIES, "--task", "generate", "--kv-cache-dtype", dtype, "--context", "512", "--json"]
            roles = json.loads(self.headroom(*plan).stdout)["peak"]["bytes_by_role"]
            caches[dtype] = roles["kv_cache"]
        self.assertEqual(caches["f32"], 2 * caches["bf16"])
        self.assertEqual(caches["bf16"], caches["f16"])
        # Heads of 8 elements: 4 bytes of a scale and a low beside 8 or 4 of codes.
        self.assertEqual(caches["f32"] * 12, caches["q8"] * 32)
        self.assertEqual(caches["f32"] * 8, caches["q4"] * 32)

    def test_what_a_cache_says_is_what_eval_says_of_it(self):
        for dtype in ["f32", "f16", "q8", "q4"]:
            with self.subTest(dtype=dtype):
                self.generate("--kv-cache-dtype", dtype, "--logprobs", "log.json", "--max-new-tokens", "40")
                log = self.read_json("log.json")
                ids = log["prompt_ids"] + [token["id"] for token in log["tokens"]]
                self.write("ids.json", {"ids": [ids, ids]})
                flags = ["--tokens", "ids.json", "--kv-cache-dtype", dtype, "--logits", "l.safetensors", *ALONE, *QUIET]
                self.headroom("eval", STORIES, *flags, "--report", "r.json")
                report = self.read_json("r.json")
                self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
                rows = logits_of(self.directory / "l.safetensors")
                self.assertEqual(rows[: len(ids)], rows[len(ids) :])
                first = len(log["prompt_ids"])
                for place, token in enumerate(log["tokens"]):
                    row = rows[first + place - 1]
                    largest = max(row)
                    lse = largest + math.log(sum(math.exp(x - largest) for x in row))
                    self.assertAlmostEqual(row[token["id"]] - lse, token["logprob"], delta=2e-6)

    def test_eval_prices_a_cache(self):
        text = self.write("text.txt", self.expected["text"] * 3)
        for dtype, least, most in [("f32", 0, 0), ("q8", 1e-6, 2e-3), ("q4", 1e-3, 0.5)]:
            flags = ["--data", text, "--reference", STORIES, "--kv-cache-dtype", dtype, "--seq-len", "100"]
            self.headroom("eval", STORIES, *flags, "--batch-size", "3", "--report", "r.json", *QUIET)
            self.assertTrue(least <= self.read_json("r.json")["kl_divergence"] <= most, self.read_json("r.json"))

    def test_a_seed_is_a_text(self):
        flags = ["--temperature", "1.2", "--top-k", "200", "--top-p", "0.95"]
        one, same, other = (self.generate(*flags, "--max-new-tokens", "40", "--seed", seed) for seed in "112")
        self.assertEqual(one, same)
        self.assertNotEqual(one, other)
        shorter = self.generate(*flags, "--max-new-tokens", "20", "--seed", "1")
        self.assertTrue(shorter and one.startswith(shorter))

    def test_a_stop_string_ends_the_text_before_it(self):
        text = self.expected["text"][len(self.prompt) :]
        for stop in ["little girl", "y. Sh", ","]:
            flags = ["--stop", stop, "--report", "r.json"]
            self.assertEqual(self.generate(*flags), text[: text.index(stop)])
            self.assertEqual(self.read_json("r.json")["finish"], "stop")

    def test_the_text_ends_where_the_context_does(self):
        text = self.generate("--context", "20", "--report", "r.json")
        self.assertTrue(text and self.expected["text"].startswith(self.prompt + text))
        report = self.read_json("r.json")
        self.assertEqual((report["new_tokens"], report["finish"]), (15, "context"))

    def test_a_prompt_from_a_file_and_an_empty_one(self):
        prompt = self.write("prompt.txt", self.prompt)
        flags = ["--max-new-tokens", "4", *QUIET, *ALONE]
        from_file = self.headroom("generate", STORIES, "--prompt-file", prompt, *flags).stdout
        self.assertEqual(from_file, self.generate("--max-new-tokens", "4"))
        self.assertTrue(self.headroom("generate", STORIES, "--prompt", "", *flags).stdout)

    def test_prompts_that_do_not_fit_are_refused(self):
        long = self.write("long.txt", self.expected["text"] * 4)
        sentence = self.refused("generate", STORIES, "--prompt-file", long, *QUIET)
        self.assertIn("512", sentence)
        sentence = self.refused("generate", STORIES, "--prompt", self.prompt, "--context", "4", *QUIET)
        self.assertIn("--context", sentence)
        self.assertIn("512", self.refused("generate", STORIES, "--context", "513", *QUIET))

    def test_the_plan_is_the_job(self):
        flags = ["--context", "300", "--prefill-chunk", "32"]
        plan = ["plan", STORIES, "--task", "generate", "--json", "--memory", "128MiB"]
        planned = json.loads(self.headroom(*plan, *flags, *ALONE).stdout)
        self.generate(*flags, "--max-new-tokens", "3", "--report", "r.json")
        report = self.read_json("r.json")
        for key in ("predicted_peak_bytes", "arena_bytes", "reserve_bytes"):
            self.assertEqual(planned[key], report[key], key)
        self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])

    def test_the_smallest_budget_works_and_less_is_refused(self):
        flags = ["--prompt", self.prompt, "--max-new-tokens", "5", "--report", "r.json", "--quiet", *ALONE, "--memory"]
        self.refused("generate", STORIES, *flags, "2MiB", expect=frame.OVER_BUDGET)
        smallest = self.read_json("r.json")["smallest_budget_bytes"]
        self.headroom("generate", STORIES, *flags, smallest)
        report = self.read_json("r.json")
        self.assertLessEqual(report["measured_peak_bytes"], smallest)
        self.refused("generate", STORIES, *flags, smallest - 2**20, expect=frame.OVER_BUDGET)


class Random(frame.CommandTest):
    """A model of this test's own making."""

    def setUp(self):
        super().setUp()
        text = self.write("text.txt", TEXT * 20)
        self.headroom("init", "tiny-300k", "--output", "model", "--tokenizer-data", text, "--quiet")

    def test_a_tokenizer_larger_than_the_embedding_is_refused(self):
        other = frame.ROOT / "tests" / "data" / "llama" / "mha"
        for name in ("config.json", "model.safetensors"):
            self.write(f"other/{name}", (other / name).read_bytes())
        self.write("other/tokenizer.json", (self.directory / "model" / "tokenizer.json").read_bytes())
        text = self.write("some.txt", "abc")
        for command in (
            ["generate", "other", "--prompt", "abc", *QUIET],
            ["plan", "other", "--task", "generate", "--prompt", "abc"],
            ["eval", "other", "--data", text, *QUIET],
            ["train", "other", "--data", text, "--seq-len", 2, "--output", "out", *QUIET],
        ):
            with self.subTest(command=command[0]):
                said = self.refused(*command)
                self.assertRegex(said, r"tokenizer.json: the tokenizer has \d+ ids, the model's embedding 64 rows")

    def test_bad_usage_is_refused(self):
        for flags in (
            ["--prompt", "a", "--prompt-file", "text.txt"],
            ["--prompt", "a", "--stop", ""],
            ["--prompt", "a", "--top-p", "0"],
            ["--prompt", "a", "--temperature", "-1"],
            ["--prompt", "a", "--prefill-chunk", "0"],
            ["--prompt", "a", "--kv-cache-dtype", "f64"],
            ["--prompt", "a", "--kv-cache-dtype", "int8"],
            ["--prompt-file", "missing.txt"],
        ):
            with self.subTest(flags=flags):
                self.refused("generate", "model", *flags, *QUIET)

    def test_without_a_tokenizer_it_says_so(self):
        (self.directory / "model" / "tokenizer.json").unlink()
        self.assertIn("tokenizer.json", self.refused("generate", "model", "--prompt", "a", *QUIET))

    def test_an_interrupt_keeps_what_there_is(self):
        flags = ["--prompt", "It was", "--temperature", "1", "--max-new-tokens", "1000000", *ALONE]
        process = self.start("generate", "model", *flags, "--logprobs", "log.json", *QUIET)
        self.assertTrue(process.stdout.read(1))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, frame.INTERRUPTED)
        self.assertTrue(self.read_json("log.json")["tokens"])


if __name__ == "__main__":
    frame.main()
