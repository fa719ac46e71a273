"""GGUF files as MODEL, and written by convert: the same logits and texts as the Hugging Face directory."""

import array
import json
import os
import subprocess
import unittest
from pathlib import Path

import frame
from tensor_files import largest_difference, read_tensors

DATA = frame.ROOT / "tests" / "data"
GQA = DATA / "llama" / "gqa"
STORIES = frame.ROOT.parent / "shared" / "data" / "stories260K-hf"
BUDGET = ["--memory", "256MiB", "--quiet"]
PEERS_PYTHON = os.environ.get("HEADROOM_PEERS_PYTHON")


LLAMACPP_PYTHON = os.environ.get("HEADROOM_LLAMACPP_PYTHON")


def has_package():
    found = PEERS_PYTHON and subprocess.run([PEERS_PYTHON, "-c", "import gguf"], capture_output=True, check=False)
    return bool(found) and found.returncode == 0


class GgufModels(frame.CommandTest):
    def logits(self, model, ids=GQA / "ids.json", *flags):
        name = f"{len(list(self.directory.iterdir()))}.safetensors"
        self.headroom("eval", model, "--tokens", ids, "--logits", name, *flags, *BUDGET)
        return read_tensors(self.directory / name)["logits"].values

    def test_a_file_of_the_python_package_is_the_model_it_was_made_from(self):
        self.assertEqual(self.logits(DATA / "gguf" / "gqa.gguf"), self.logits(GQA))

    def test_experts_and_latents_are_read_however_they_lie(self):
        deepseek = DATA / "deepseek"
        ids = deepseek / "lite" / "ids.json"
        self.assertEqual(self.logits(DATA / "gguf" / "deepseek-lite.gguf", ids), self.logits(deepseek / "lite", ids))
        blocks, ids = DATA / "gguf" / "deepseek-v3.gguf", deepseek / "v3" / "ids.json"
        self.headroom("convert", blocks, "--output", "numbers", "--dtype", "f32", "--quiet")
        stored = self.logits(blocks, ids, "--compute", "f32")
        self.assertEqual(self.logits("numbers", ids), stored)
        self.assertLess(largest_difference(self.logits(deepseek / "v3", ids), stored), 0.1)
        formats = json.loads(self.headroom("inspect", blocks, "--json").stdout)["model"]["quantised"]
        kept = [(some["stored"], some["kept"], some["tensors"]) for some in formats]
        self.assertEqual(kept, [("Q8_0", "int8_g32", 64)])

    def test_rotary_scaling_of_deepseek_is_written_from_either_spelling_or_refused(self):
        lite = DATA / "deepseek" / "lite"
        config = json.loads((lite / "config.json").read_text())
        scaling = config.pop("rope_scaling")
        newer = scaling | {"rope_type": scaling["type"], "rope_theta": config["rope_theta"]}
        before = self.logits(lite, lite / "ids.json")
        for number, (changes, words) in enumerate([
            ({"rope_parameters": newer}, None),
            ({"rope_scaling": scaling | {"beta_fast": 16}}, "rope_scaling: GGUF files of deepseek2 hold YaRN by"),
            ({"rope_scaling": scaling | {"mscale": 1.0}}, "rope_scaling: GGUF files of deepseek2 hold YaRN by"),
            ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_scaling: GGUF files of deepseek2 hold YaRN by"),
            ({"rope_scaling": scaling, "rope_interleave": False}, "rope_interleave: GGUF files of deepseek2 rotate"),
        ]):  # fmt: skip
            self.write(f"m{number}/config.json", config | changes)
            self.write(f"m{number}/model.safetensors", (lite / "model.safetensors").read_bytes())
            convert = ["convert", f"m{number}", "--format", "gguf", "--output", f"m{number}.gguf", "--quiet"]
            if words:
                self.assertIn(words, self.refused(*convert))
            else:
                self.headroom(*convert)
                self.assertEqual(self.logits(f"m{number}.gguf", lite / "ids.json"), before)

    def test_a_file_is_known_by_what_it_holds_and_parts_are_one_model(self):
        gguf = DATA / "gguf"
        self.write("sha256-0123", (gguf / "gqa.gguf").read_bytes())
        self.write("a.GGUF", (gguf / "gqa.gguf").read_bytes())
        for model in ("sha256-0123", "a.GGUF", gguf / "gqa-00001-of-00003.gguf", gguf / "gqa-00002-of-00003.gguf"):
            with self.subTest(model=str(model)):
                self.assertEqual(self.logits(model), self.logits(GQA))
        for name in ("sha256-0123", gguf / "gqa-00001-of-00003.gguf"):
            self.headroom("convert", name, "--output", f"{Path(name).name}-hf", "--quiet")
            converted = self.directory / f"{Path(name).name}-hf" / "model.safetensors"
            self.assertEqual(converted.read_bytes(), self.converted_gqa())
        found = json.loads(self.headroom("inspect", gguf / "gqa-00001-of-00003.gguf", "--json").stdout)
        self.assertEqual(len({tensor["file"] for tensor in found["weights"]["tensors"]}), 3)
        for part in (1, 2):
            name = f"gqa-0000{part}-of-00003.gguf"
            self.write(f"parts/{name}", (gguf / name).read_bytes())
        words = self.refused("eval", "parts/gqa-00001-of-00003.gguf", "--tokens", GQA / "ids.json", *BUDGET)
        self.assertIn("parts/gqa-00003-of-00003.gguf: is missing", words)

    def converted_gqa(self):
        if not (self.directory / "whole").exists():
            self.headroom("convert", DATA / "gguf" / "gqa.gguf", "--output", "whole", "--quiet")
        return (self.directory / "whole" / "model.safetensors").read_bytes()

    def test_every_variant_survives_the_way_to_gguf_and_back(self):
        families = ("llama", "deepseek")
        for config in [path for family in families for path in sorted((DATA / family).glob("*/config.json"))]:
            model, name = config.parent, config.parent.name
            if name == "yarn_all":  # which GGUF files cannot hold
                continue
            with self.subTest(model=name):
                ids = model / "ids.json"
                before = self.logits(model, ids)
                self.headroom("convert", model, "--format", "gguf", "--output", f"{name}.gguf", "--quiet")
                self.assertEqual(self.logits(f"{name}.gguf", ids), before)
                self.headroom("convert", f"{name}.gguf", "--output", f"{name}-hf", "--quiet")
                self.assertEqual(self.logits(f"{name}-hf", ids), before)

    def test_training_from_a_file_leaves_a_directory(self):
        tokens = self.write("tokens.json", {"batches": [json.loads((GQA / "ids.json").read_text())["ids"]] * 2})
        for name, model in [("a", GQA), ("b", DATA / "gguf" / "gqa.gguf")]:
            self.headroom("train", model, "--tokens", tokens, "--steps", 2, "--output", name, *BUDGET)
        weights = "model.safetensors"
        self.assertEqual((self.directory / "a" / weights).read_bytes(), (self.directory / "b" / weights).read_bytes())

    def test_blocks_of_8_bits_stay_as_small_in_memory_and_keep_their_numbers(self):
        self.headroom("init", "tiny-4m", "--output", "model", "--tokenizer-data", frame.ROOT / "README.md", "--quiet")
        flags = ["--output", "q8.gguf", "--format", "gguf", "--dtype", "q8_0", "--quiet"]
        self.headroom("convert", "model", *flags)
        self.headroom("convert", "q8.gguf", "--output", "f32", "--dtype", "f32", "--quiet")
        tokens = self.write("ids.json", {"ids": [[(7 * i * i + i) % 200 for i in range(40)]] * 2})
        self.assertEqual(self.logits("q8.gguf", tokens, "--compute", "f32"), self.logits("f32", tokens))
        weights = {}
        for model in ["q8.gguf", "f32"]:
            done = self.headroom("plan", model, "--task", "generate", "--json", "--memory", "1GiB")
            weights[model] = json.loads(done.stdout)["peak"]["bytes_by_role"]["weight"]
        self.assertLess(weights["q8.gguf"], 0.29 * weights["f32"])

    def test_refusals(self):
        self.headroom("convert", GQA, "--format", "gguf", "--output", "a.gguf", "--quiet")
        words = self.refused("convert", GQA, "--format", "gguf", "--output", "a.gguf")
        self.assertIn("a.gguf: it exists; choose another", words)
        words = self.refused("convert", DATA / "llama" / "yarn_all", "--format", "gguf", "--output", "b.gguf")
        self.assertIn("rope_scaling: GGUF files hold YaRN by its factor and original_max_position_embeddings", words)
        self.assertIn("ends in .gguf", self.refused("convert", GQA, "--format", "gguf", "--output", "b"))
        words = self.refused("convert", GQA, "--format", "gguf", "--dtype", "q4_0", "--output", "b.gguf")
        self.assertIn("--dtype q4_0: expected f32, f16, bf16 or q8_0", words)
        self.assertIn("a.gguf: has no vocabulary", self.refused("generate", "a.gguf", "--prompt", "x"))
        self.assertIn("there is no such file or directory", self.refused("generate", "c.gguf", "--prompt", "x"))


@unittest.skipUnless(has_package(), "HEADROOM_PEERS_PYTHON is not set, or has no package gguf")
class Peers(frame.CommandTest):
    def test_the_python_package_reads_the_same_numbers(self):
        models = [DATA / "llama" / "gqa", DATA / "llama" / "mqa", *([STORIES] if STORIES.exists() else [])]
        for model in models:
            for dtype in ["f32", "f16", "bf16", "q8_0"]:
                with self.subTest(model=model.name, dtype=dtype):
                    name = f"{model.name}-{dtype}"
                    flags = ["--format", "gguf", "--dtype", dtype, "--output", f"{name}.gguf", "--quiet"]
                    self.headroom("convert", model, *flags)
                    self.headroom("convert", f"{name}.gguf", "--dtype", "f32", "--output", name, "--quiet")
                    script = frame.ROOT / "tests" / "e2e" / "peers_gguf.py"
                    done = subprocess.run(
                        [PEERS_PYTHON, "-B", script, f"{name}.gguf", model, name],
                        cwd=self.directory, capture_output=True, encoding="utf-8", check=False,
                    )  # fmt: skip
                    self.assertEqual(done.returncode, 0, done.stderr)


@unittest.skipUnless(LLAMACPP_PYTHON, "HEADROOM_LLAMACPP_PYTHON is not set")
class LlamaCpp(frame.CommandTest):
    def test_it_reads_what_convert_writes(self):
        """f32 weights: llama.cpp adds in another order, and its exp and rotary embeddings are its own. (A qwen2 model
        whose heads are not as wide as its features together, as our other one's, it does not know.)"""
        models = [DATA / "llama" / name for name in ("mha", "gqa", "mqa", "llama3", "qwen2_tied")]
        for model in models + ([STORIES] if STORIES.exists() else []):
            with self.subTest(model=model.name):
                file, out = f"{model.name}.gguf", self.directory / model.name
                self.headroom("convert", model, "--format", "gguf", "--dtype", "f32", "--output", file, "--quiet")
                self.headroom("eval", file, "--tokens", model / "ids.json", "--logits", "ours.safetensors", *BUDGET)
                script = frame.ROOT / "tests" / "e2e" / "peers_llamacpp.py"
                done = subprocess.run(
                    [LLAMACPP_PYTHON, "-B", script, file, model / "ids.json", out],
                    cwd=self.directory, capture_output=True, encoding="utf-8", check=False,
                )  # fmt: skip
                self.assertEqual(done.returncode, 0, done.stderr[-2000:])
                ours, theirs = read_tensors(self.directory / "ours.safetensors")["logits"].values, array.array("f")
                theirs.frombytes(out.read_bytes())
                self.assertEqual(len(theirs), len(ours))
                self.assertLessEqual(largest_difference(ours, theirs), 2e-4 * max(map(abs, ours)))


@unittest.skipUnless(STORIES.exists(), f"{STORIES} is not there")
class Stories(frame.CommandTest):
    def setUp(self):
        super().setUp()
        self.expected = json.loads((STORIES / "expected.json").read_text(encoding="utf-8"))

    def new_ids(self, model):
        self.headroom(
            "generate", model, "--prompt", self.expected["prompt"],
            "--max-new-tokens", self.expected["max_new_tokens"], "--logprobs", "log.json", *BUDGET,
        )  # fmt: skip
        log = self.read_json("log.json")
        self.assertEqual(log["prompt_ids"], self.expected["prompt_ids"])
        return [token["id"] for token in log["tokens"]]

    def test_the_directory_continues_token_for_token(self):
        self.assertEqual(self.new_ids(STORIES), self.expected["new_ids"])

    def test_files_of_every_dtype_continue_token_for_token(self):
        # Q8_0 is not exact: the 111th token is another one.
        for dtype, exact in [("f32", 128), ("f16", 128), ("bf16", 128), ("q8_0", 100)]:
            with self.subTest(dtype=dtype):
                output = f"{dtype}.gguf"
                self.headroom("convert", STORIES, "--format", "gguf", "--dtype", dtype, "--output", output, "--quiet")
                self.assertEqual(self.new_ids(output)[:exact], self.expected["new_ids"][:exact])

    def test_a_directory_made_from_a_file_has_the_tokenizer(self):
        self.headroom("convert", STORIES, "--format", "gguf", "--output", "a.gguf", "--quiet")
        self.headroom("convert", "a.gguf", "--output", "back", "--quiet")
        self.assertEqual(self.new_ids("back"), self.expected["new_ids"])
        texts = DATA / "tokenizer" / "texts.json"
        ids = [self.headroom("tokenize", model, "--input", texts).stdout for model in [STORIES, "a.gguf", "back"]]
        self.assertEqual(ids[1], ids[0])
        self.assertEqual(ids[2], ids[0])


if __name__ == "__main__":
    frame.main()
