"""What `plan --task generate` says of a model is what `generate` needs, whatever its weights are kept in."""

import json

import frame
from training import words

GENERATE = ["--context", 64, "--prefill-chunk", 8, "--threads", 1]
DTYPES = ["f32", "bf16", "f16", "q8_0"]
FIGURES = ("predicted_peak_bytes", "arena_bytes", "reserve_bytes")


class PlannedFormats(frame.CommandTest):
    def setUp(self):
        super().setUp()
        text = self.write("text.txt", words(1500, seed=3))
        shape = {
            "architectures": ["LlamaForCausalLM"], "vocab_size": 320, "hidden_size": 96, "intermediate_size": 208,
            "num_hidden_layers": 2, "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 32,
            "max_position_embeddings": 256, "torch_dtype": "bfloat16",
        }  # fmt: skip
        tokenizer = ["--tokenizer-data", text, "--vocabulary", 300, "--quiet"]
        self.headroom("init", self.write("shape.json", shape), "--output", "model", *tokenizer)

    def needs(self, verb, model, *flags):
        self.headroom(verb, model, *GENERATE, *flags, "--quiet", "--report", "r.json")
        report = self.read_json("r.json")
        return {key: report[key] for key in FIGURES}

    def converted(self, dtype, form):
        output = f"{dtype}.gguf" if form == "gguf" else dtype
        self.headroom("convert", "model", "--dtype", dtype, "--format", form, "--output", output, "--quiet")
        return output

    def test_files_of_every_format(self):
        for form, dtypes in (("gguf", DTYPES), ("hf", DTYPES[:3])):
            for dtype in dtypes:
                with self.subTest(form=form, dtype=dtype):
                    model = self.converted(dtype, form)
                    run = self.needs("generate", model, "--prompt", "the", "--max-new-tokens", 2)
                    self.assertEqual(self.needs("plan", model, "--task", "generate"), run)

    def test_a_dtype_that_the_weights_would_be_converted_to(self):
        for dtype in DTYPES:
            with self.subTest(dtype=dtype):
                model = self.converted(dtype, "gguf" if dtype == "q8_0" else "hf")
                run = self.needs("generate", model, "--prompt", "the", "--max-new-tokens", 2)
                plan = self.needs("plan", "model", "--task", "generate", "--dtype", dtype)
                # The tokenizer in a GGUF file is bounded by other figures than tokenizer.json.
                other_bound = 64 << 10 if dtype == "q8_0" else 0
                self.assertEqual(plan["arena_bytes"], run["arena_bytes"])
                self.assertLessEqual(abs(plan["reserve_bytes"] - run["reserve_bytes"]), other_bound)

    def test_a_mesh_of_one_rank_counts_the_process(self):
        flags = ["--task", "generate", *GENERATE]
        own = json.loads(self.headroom("plan", "model", *flags, "--json").stdout)
        mesh = json.loads(self.headroom("plan", "model", *flags, "--mesh", "data=1", "--json").stdout)
        self.assertEqual(mesh["stages"][0]["process_bytes"], own["reserve_bytes"])
        self.assertGreater(mesh["needed_bytes"], own["reserve_bytes"])
        words = self.headroom("plan", "model", *flags, "--mesh", "data=1").stdout
        self.assertRegex(words, r"process +[0-9.]+ MiB")
        card = json.loads(self.headroom("plan", "model", "--mesh", "data=1", "--device", "h100", "--json").stdout)
        self.assertEqual(card["stages"][0]["process_bytes"], 0)  # the context stands for it

    def test_a_mesh_counts_few_bits_as_they_are_stored(self):
        flags = ["--group-size", 0, "--keep", "down_proj", "--quiet", "--report", "r.json"]
        self.headroom("quantize", "model", "--output", "four", *flags)
        stored = sum(one["bytes"] for one in self.read_json("r.json")["weights"].values())
        mesh = json.loads(self.headroom("plan", "four", "--task", "generate", "--mesh", "data=1", "--json").stdout)
        self.assertAlmostEqual(mesh["stages"][0]["weight_bytes"], stored, delta=1)
        self.assertLess(mesh["bytes_per_parameter"]["weights"], 1.2)

    def test_what_no_run_holds_is_refused(self):
        words = self.refused("plan", "model", "--task", "generate", "--dtype", "int8")
        self.assertIn("--dtype int8: expected f32, bf16, f16 or q8_0; with --mesh or --device also int8", words)
        self.assertIn("expected with --task generate", self.refused("plan", "model", "--dtype", "f16"))


if __name__ == "__main__":
    frame.main()
