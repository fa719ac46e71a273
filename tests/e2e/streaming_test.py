"""Models that are larger than their memory: weights that stay in the files, the same results at every budget."""

import json
import os
import re
import struct
import time
import unittest

import frame
from grouped_weights import Format

TEXT = "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.\n"
PROMPT = ["--prompt", "the age of", "--max-new-tokens", "12"]


class Streaming(frame.CommandTest):
    def setUp(self):
        super().setUp()
        self.write("text.txt", 40 * TEXT)
        vocabulary = ["--tokenizer-data", "text.txt", "--vocabulary", "400"]
        self.headroom("init", "tiny-10m", *vocabulary, "--output", "model", "--quiet")

    def generate(self, budget, model="model", threads=1):
        """Text, log-probabilities and report."""
        flags = [*PROMPT, "--memory", budget, "--threads", threads, "--quiet"]
        text = self.headroom("generate", model, *flags, "--logprobs", "log.json", "--report", "report.json").stdout
        return text, self.read_json("log.json"), self.read_json("report.json")

    def smallest(self, model="model"):
        flags = [*PROMPT, "--memory", "12MiB", "--threads", 1, "--report", "r.json", "--quiet"]
        self.refused("generate", model, *flags, expect=frame.OVER_BUDGET)
        return self.read_json("r.json")["smallest_budget_bytes"]

    def test_every_budget_gives_the_same(self):
        text, log, report = self.generate("1GiB")
        self.assertEqual(report["model_bytes"], 0)
        ample, smallest = report["predicted_peak_bytes"], self.smallest()
        self.assertLess(smallest, ample * 2 // 3)
        in_files = [0]
        for budget in [ample - 2**20, (ample + smallest) // 2, smallest]:
            got, got_log, report = self.generate(budget)
            self.assertEqual((got, got_log), (text, log))
            self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
            self.assertLessEqual(report["predicted_peak_bytes"], budget)
            self.assertGreater(report["predicted_peak_bytes"], budget - 2 * 2**20)
            self.assertGreater(report["model_bytes"], in_files[-1])
            in_files.append(report["model_bytes"])
            # What leaves is what had to, and room for what is read ahead.
            self.assertLess(report["model_bytes"], ample - budget + 5 * 2**20)
        self.assertEqual(self.generate(ample, threads=2)[:2], (text, log))
        flags = ["--memory", smallest, *PROMPT, "--threads", 1, "--report", "p.json"]
        plan = self.headroom("plan", "model", "--task", "generate", *flags).stdout
        self.assertIn("stay in the model's files", plan)
        self.assertEqual(self.read_json("p.json")["model_bytes"], in_files[-1])

    def test_evaluation_reads_them_too(self):
        flags = ["--data", "text.txt", "--seq-len", 32, "--threads", 1, "--report", "report.json", "--quiet"]
        loss = self.headroom("eval", "model", *flags, "--memory", "1GiB").stdout
        ample = self.read_json("report.json")["predicted_peak_bytes"]
        self.assertEqual(self.headroom("eval", "model", *flags, "--memory", ample * 2 // 3).stdout, loss)
        self.assertGreater(self.read_json("report.json")["model_bytes"], 0)

    def test_tensors_anywhere_in_a_file(self):
        text, log, report = self.generate("1GiB")
        path = self.directory / "model" / "model.safetensors"
        whole = path.read_bytes()
        length = struct.unpack("<Q", whole[:8])[0]
        for spaces in [1, 24]:
            header = struct.pack("<Q", length + spaces) + whole[8 : 8 + length] + b" " * spaces
            path.write_bytes(header + whole[8 + length :])
            got, got_log, streamed = self.generate(report["predicted_peak_bytes"] * 3 // 4)
            self.assertEqual((got, got_log), (text, log))
            self.assertGreater(streamed["model_bytes"], 0)
            self.assertLessEqual(streamed["measured_peak_bytes"], streamed["predicted_peak_bytes"])

    def test_a_file_that_changes_is_named(self):
        flags = ["--prompt", "the", "--max-new-tokens", 1000, "--memory", "40MiB", "--threads", 1]
        process = self.start("generate", "model", *flags)
        process.stdout.read(1)
        path = self.directory / "model" / "model.safetensors"
        time.sleep(0.05)
        os.utime(path)
        _, words = process.communicate(timeout=60)
        self.assertEqual(process.returncode, frame.BAD_INPUT, words)
        self.assertIn("model.safetensors: it has changed while weights were read from it", words)

    def test_a_vocabulary_need_not_be_in_memory(self):
        config = {
            "architectures": ["LlamaForCausalLM"], "vocab_size": 20000, "hidden_size": 256, "intermediate_size": 512,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 128,
        }  # fmt: skip
        self.write("config.json", config)
        self.headroom("init", "config.json", "--output", "wide", "--dtype", "bf16", "--quiet")
        for name in ["tokenizer.json", "tokenizer_config.json"]:
            self.write(f"wide/{name}", (self.directory / "model" / name).read_bytes())
        self.headroom("quantize", "wide", "--bits", 4, "--head-bits", 4, "--output", "four", "--quiet")
        for model, table_bytes in [("wide", 20000 * 256 * 2), ("four", 20000 * 256 // 2)]:
            text, log, ample = self.generate("1GiB", model)
            smallest = self.smallest(model)
            # Neither table nor output layer whole.
            self.assertLess(smallest, ample["predicted_peak_bytes"] - 1.9 * table_bytes)
            for budget in [smallest, smallest + table_bytes // 2, ample["predicted_peak_bytes"] - 2**19]:
                got, got_log, report = self.generate(budget, model)
                self.assertEqual((got, got_log), (text, log))
                self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
            self.check_evaluation([model], 1.6 * table_bytes)
        self.check_evaluation(["four", "--reference", "wide"], 1.3 * 20000 * 256 * 2)

    def check_evaluation(self, what, saved_bytes):
        """It is the same at every budget, of which the smallest is less than ample memory by so many bytes."""
        flags = ["--data", "text.txt", "--seq-len", 32, "--threads", 1, "--report", "report.json", "--quiet"]
        run = lambda budget: self.headroom("eval", *what, *flags, "--memory", budget).stdout
        text, ample = run("1GiB"), self.read_json("report.json")
        self.refused("eval", *what, *flags, "--memory", "12MiB", expect=frame.OVER_BUDGET)
        smallest = self.read_json("report.json")["smallest_budget_bytes"]
        self.assertLess(smallest, ample["predicted_peak_bytes"] - saved_bytes)
        for budget in [smallest, (smallest + ample["predicted_peak_bytes"]) // 2]:
            self.assertEqual(run(budget), text)
            report = self.read_json("report.json")
            self.assertGreater(report["model_bytes"], 0)
            self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
            self.assertLessEqual(report["predicted_peak_bytes"], budget)
            for field in ["loss", "reference_loss", "kl_divergence", "largest_kl_divergence", "top1_agreement"]:
                self.assertEqual(report.get(field), ample.get(field), field)

    def test_a_table_that_is_the_output_layer_leaves_too(self):
        config = {
            "architectures": ["LlamaForCausalLM"], "vocab_size": 20000, "hidden_size": 256, "intermediate_size": 512,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 128,
            "tie_word_embeddings": True,
        }  # fmt: skip
        self.write("config.json", config)
        self.headroom("init", "config.json", "--output", "tied", "--dtype", "bf16", "--quiet")
        for name in ["tokenizer.json", "tokenizer_config.json"]:
            self.write(f"tied/{name}", (self.directory / "model" / name).read_bytes())
        text, log, ample = self.generate("1GiB", "tied")
        smallest = self.smallest("tied")
        self.assertLess(smallest, ample["predicted_peak_bytes"] - 0.8 * 20000 * 256 * 2)
        got, got_log, report = self.generate(smallest, "tied")
        self.assertEqual((got, got_log), (text, log))
        self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
        self.check_evaluation(["tied"], 0.6 * 20000 * 256 * 2)

    def test_a_prompt_takes_few_sweeps(self):
        self.write("prompt.txt", 12 * TEXT)
        flags = ["--prompt-file", "prompt.txt", "--max-new-tokens", 4, "--threads", 1, "--quiet", "--report", "r.json"]
        self.refused("generate", "model", *flags, "--memory", "12MiB", expect=frame.OVER_BUDGET)
        smallest = self.read_json("r.json")["smallest_budget_bytes"]
        # A little more than the least: rows of a prompt are worth more than the weights that they displace.
        texts = [self.headroom("generate", "model", *flags, "--memory", "1GiB").stdout]
        texts.append(self.headroom("generate", "model", *flags, "--memory", smallest + 8 * 2**20).stdout)
        report = self.read_json("r.json")
        self.assertGreater(report["model_bytes"], 0)
        chunk = int(re.search(r"prefill in chunks of (\d+)", report["choices"][0])[1])
        self.assertGreaterEqual(chunk, 128)
        self.assertEqual(texts[0], texts[1])

    def test_files_that_hold_weights_otherwise(self):
        """Blocks of Q8_0, and rows of queries and keys as GGUF files have them."""
        for dtype, share in [("q8_0", 0.6), ("f16", 0.6), ("f32", 0.6)]:
            model = f"{dtype}.gguf"
            self.headroom("convert", "model", "--format", "gguf", "--dtype", dtype, "--output", model, "--quiet")
            for compute in ["f32", "int8"] if dtype == "q8_0" else ["auto"]:
                flags = ["--data", "text.txt", "--seq-len", 32, "--compute", compute, "--threads", 2, "--quiet"]
                flags += ["--report", "r.json"]
                run = lambda budget: self.headroom("eval", model, *flags, "--memory", budget).stdout
                loss, ample = run("1GiB"), self.read_json("r.json")
                self.refused("eval", model, *flags, "--memory", "10MiB", expect=frame.OVER_BUDGET)
                smallest = self.read_json("r.json")["smallest_budget_bytes"]
                for budget in [smallest, (smallest + ample["predicted_peak_bytes"]) // 2]:
                    self.assertEqual(run(budget), loss, (dtype, compute))
                    report = self.read_json("r.json")
                    self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
                    in_files = report["model_bytes"]
                    if budget == smallest:
                        self.assertGreater(in_files, share * (self.directory / model).stat().st_size)

    def test_damaged_blocks_are_named_when_they_come(self):
        self.headroom("convert", "model", "--format", "gguf", "--dtype", "q8_0", "--output", "q8.gguf", "--quiet")
        path = self.directory / "q8.gguf"
        smallest = self.smallest("q8.gguf")
        data = path.read_bytes()
        self.write("ids.json", {"ids": [[1, 2, 3, 4]]})
        place = len(data) // 2  # whatever it is: there is a scale in any 34 bytes of it
        said = set()
        for budget in (smallest, "1GiB"):
            path.write_bytes(data[:place] + b"\x00\x7c" * 17 + data[place + 34 :])
            flags = ["--tokens", "ids.json", "--threads", 1, "--memory", budget, "--quiet"]
            said.add(self.refused("eval", "q8.gguf", *flags))
        self.assertEqual(len(said), 1, said)
        self.assertRegex(said.pop(), r"q8.gguf: tensor model\S+ has a scale in row \d+ that is NaN or infinite")

    def test_a_plan_for_blocks_is_that_of_their_file(self):
        self.headroom("convert", "model", "--format", "gguf", "--dtype", "q8_0", "--output", "q8.gguf", "--quiet")
        flags = ["--context", 64, "--threads", 1, "--memory", "12MiB", "--report", "r.json"]
        needed = []
        for model in (["q8.gguf"], ["model", "--dtype", "q8_0"]):
            self.refused("plan", *model, "--task", "generate", *flags, expect=frame.OVER_BUDGET)
            needed.append(self.read_json("r.json")["smallest_budget_bytes"])
        self.assertAlmostEqual(*needed, delta=64 << 10)  # their tokenizers have other bounds

    def test_damaged_weights_are_named_when_they_come(self):
        flags = ["--group-size", 32, "--output", "eight", "--quiet"]
        self.headroom("quantize", "model", "--bits", 8, *flags)
        name = "model.layers.1.mlp.up_proj.weight"
        words = f"tensor {name} has a scale in row 17 that is NaN or infinite"
        self.check_damaged("eight", name, lambda note: Format(note).place_of_group(17, 1)[0], words)
        self.check_damaged("model", name, lambda _: 400, f"tensor {name} holds a NaN at element 100")

    def check_damaged(self, model, tensor, place, words):
        """What the bytes at a place of a tensor make of it at budgets that hold it and that do not."""
        path = self.directory / model / "model.safetensors"
        data = bytearray(path.read_bytes())
        (size,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8 : 8 + size])
        at = 8 + size + header[tensor]["data_offsets"][0] + place(header["__metadata__"].get(tensor))
        bad = struct.pack("<H", 0x7C00) if header[tensor]["dtype"] == "U8" else struct.pack("<f", float("nan"))
        data[at : at + len(bad)] = bad
        smallest = self.smallest(model)
        path.write_bytes(data)
        self.write("ids.json", {"ids": [[1, 2, 3, 4]]})
        for budget in (smallest, "1GiB"):
            with self.subTest(budget=budget):
                flags = ["--threads", 1, "--memory", budget]
                self.assertIn(words, self.refused("generate", model, *PROMPT, *flags, "--quiet"))
                self.assertIn(words, self.refused("eval", model, "--tokens", "ids.json", *flags, "--quiet"))
                bench = ["--prompt", 4, "--generate", 4, "--repeat", 1]
                self.assertIn(words, self.refused("bench", model, *bench, *flags, "--quiet"))


if __name__ == "__main__":
    frame.main()
