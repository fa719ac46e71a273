"""Tokens that decide what a model reads and where it ends, wherever a model's files say so."""

import json

import frame

TEXT = "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.\n"
QUIET = ["--memory", "128MiB", "--quiet", "--threads", "1"]


class Tokens(frame.CommandTest):
    def setUp(self):
        super().setUp()
        text = self.write("text.txt", TEXT * 20)
        self.headroom("init", "tiny-300k", "--output", "model", "--tokenizer-data", text, "--quiet")
        self.config = self.read_json("model/tokenizer_config.json")
        tokenizer = self.read_json("model/tokenizer.json")
        self.bos, self.eos = (
            next(t["id"] for t in tokenizer["added_tokens"] if t["content"] == self.config[role])
            for role in ("bos_token", "eos_token")
        )

    def ids(self, model, text="it was"):
        texts = self.write("texts.json", [text])
        return json.loads(self.headroom("tokenize", model, "--input", texts).stdout)[0]

    def inspect(self, model):
        return json.loads(self.headroom("inspect", model, "--json").stdout)

    def test_begin_and_end_tokens_that_only_the_config_names(self):
        plain = self.ids("model")[1:]
        tokenizer = self.read_json("model/tokenizer.json")
        tokenizer["post_processor"] = None
        self.write("model/tokenizer.json", tokenizer)
        self.assertEqual(self.ids("model"), plain)
        loader = {"tokenizer_class": "LlamaTokenizerFast", "unk_token": None}
        for begins, ends in ((True, False), (True, True), (False, False)):
            with self.subTest(begins=begins, ends=ends):
                flags = {"add_bos_token": begins, "add_eos_token": ends}
                self.write("model/tokenizer_config.json", {**self.config, **loader, **flags})
                framed = [self.bos] * begins + plain + [self.eos] * ends
                self.assertEqual(self.ids("model"), framed)
                self.headroom("generate", "model", "--prompt", "it was", "--logprobs", "l.json", *QUIET)
                self.assertEqual(self.read_json("l.json")["prompt_ids"], framed)
                found = self.inspect("model")["tokenizer"]
                self.assertEqual([t["id"] for t in found["before_text"]], [self.bos] * begins)
                self.assertEqual([t["id"] for t in found["after_text"]], [self.eos] * ends)
                self.assertEqual("changes" in found, begins or ends)
                name = f"{begins}{ends}.gguf"
                self.headroom("convert", "model", "--format", "gguf", "--output", name, "--quiet")
                metadata = self.inspect(name)["metadata"]
                self.assertEqual(metadata["tokenizer.ggml.add_bos_token"], str(begins).lower())
                self.assertEqual(metadata["tokenizer.ggml.add_eos_token"], str(ends).lower())
                self.assertEqual(self.ids(name), framed)

    def likely(self, count):
        """The tokens that the model writes, greedily, after a prompt."""
        flags = ["--prompt", "it was", "--max-new-tokens", count, "--logprobs", "l.json", *QUIET]
        self.headroom("generate", "model", *flags)
        return [token["id"] for token in self.read_json("l.json")["tokens"]]

    def count(self, model, *flags):
        flags = ["--prompt", "it was", "--max-new-tokens", "12", "--report", "r.json", *QUIET, *flags]
        self.headroom("generate", model, *flags)
        report = self.read_json("r.json")
        return report["new_tokens"], report["finish"]

    def test_ends_of_the_generation_config_are_ends_of_the_gguf_file(self):
        written = self.likely(12)
        unseen = next(i for i in range(5, 60) if i not in written)
        for ends in ([unseen, written[3]], [self.eos, unseen, unseen + 1, unseen + 2, written[5]], written[2]):
            with self.subTest(ends=ends):
                self.write("model/generation_config.json", {"eos_token_id": ends})
                name = f"{len(list(self.directory.iterdir()))}.gguf"
                self.headroom("convert", "model", "--format", "gguf", "--output", name, "--quiet")
                stopped = self.count("model")
                self.assertEqual(stopped[1], "end")
                self.assertEqual(self.count(name), stopped)
                self.headroom("convert", name, "--output", f"{name}-hf", "--quiet")
                self.assertEqual(self.count(f"{name}-hf"), stopped)

    def test_a_text_ends_at_the_ends_of_both_config_files(self):
        """transformers ends at those of generation_config.json alone: text that goes on is worse than one cut short."""
        written = self.likely(12)
        config = self.read_json("model/config.json")
        unseen = next(i for i in range(5, 60) if i not in written)
        for of_config, of_generation in ((unseen, unseen), (written[3], unseen), (unseen, [written[5], self.eos])):
            with self.subTest(of_config=of_config, of_generation=of_generation):
                self.write("model/config.json", {**config, "eos_token_id": of_config})
                self.write("model/generation_config.json", {"eos_token_id": of_generation})
                ends = {of_config} | set(of_generation if isinstance(of_generation, list) else [of_generation])
                first = next((i + 1 for i, token in enumerate(written) if token in ends), None)
                self.assertEqual(self.count("model"), (first, "end") if first else (12, "length"))

    def test_a_gguf_file_ends_at_the_ends_of_turns_of_its_vocabulary(self):
        written = self.likely(12)
        end = written[4]
        tokenizer = self.read_json("model/tokenizer.json")
        vocabulary = tokenizer["model"]["vocab"]
        piece = next(piece for piece, i in vocabulary.items() if i == end)
        tokenizer["model"]["merges"] = [m for m in tokenizer["model"]["merges"] if piece not in (*m, "".join(m))]
        for text in ("<|eot_id|>", "<|im_end|>", "<end_of_turn>", "<|endoftext|>"):
            with self.subTest(text=text):
                renamed = {text if i == end else other: i for other, i in vocabulary.items()}
                changed = {**tokenizer, "model": {**tokenizer["model"], "vocab": renamed}}
                for name in ("config.json", "model.safetensors", "tokenizer_config.json"):
                    self.write(f"turns/{name}", (self.directory / "model" / name).read_bytes())
                self.write("turns/tokenizer.json", changed)
                name = f"{len(list(self.directory.iterdir()))}.gguf"
                self.headroom("convert", "turns", "--format", "gguf", "--output", name, "--quiet")
                self.assertEqual(self.count(name), (written.index(end) + 1, "end"))

    def test_a_stop_text_may_be_or_hold_a_special_token(self):
        """A token that the model writes becomes a special one."""
        written = self.likely(12)
        special = written[4]
        before = self.text_of(written[: written.index(special)])
        tokenizer = self.read_json("model/tokenizer.json")
        piece = next(piece for piece, i in tokenizer["model"]["vocab"].items() if i == special)
        flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        tokenizer["added_tokens"].append({"id": special, "content": piece, **flags})
        self.write("model/tokenizer.json", tokenizer)
        template = "{% for m in messages %}{{ m.content }}{% endfor %}"
        self.write("model/tokenizer_config.json", {**self.config, "chat_template": template})
        for chat in ([], ["--chat"]):
            for stop in (piece, before[-2:] + piece):
                with self.subTest(chat=chat, stop=stop):
                    prompt = self.config["bos_token"] * bool(chat) + "it was"
                    flags = ["--prompt", prompt, "--stop", stop, "--max-new-tokens", 12, "--report", "r.json", *chat]
                    text = self.headroom("generate", "model", *flags, *QUIET).stdout
                    self.assertEqual(self.read_json("r.json")["finish"], "stop")
                    self.assertEqual(self.read_json("r.json")["new_tokens"], written.index(special) + 1)
                    self.assertEqual(text, before if stop == piece else before[:-2])

    def text_of(self, ids):
        rows = self.write("rows.json", [ids])
        return json.loads(self.headroom("tokenize", "model", "--decode", "--input", rows).stdout)[0]

    def test_numbers_that_are_none_in_fields_that_nobody_reads(self):
        """As Python's json writes them."""
        nan, infinity = float("nan"), float("inf")
        self.write("model/config.json", {**self.read_json("model/config.json"), "length_penalty": nan})
        self.write("model/generation_config.json", {"max_length": infinity, "eos_token_id": self.eos})
        self.write("model/tokenizer_config.json", {**self.config, "model_max_length": infinity, "x": [-infinity, nan]})
        data = self.write("data.jsonl", json.dumps({"text": TEXT, "score": nan, "more": {"a": -infinity}}) + "\n")
        flags = ["--data", data, "--seq-len", 16, "--steps", 1, "--output", "out", *QUIET]
        self.headroom("train", "model", *flags)
        self.headroom("generate", "out", "--prompt", "it", "--max-new-tokens", 2, *QUIET)
        self.write("model/config.json", {**self.read_json("model/config.json"), "rope_theta": nan})
        said = self.refused("generate", "model", "--prompt", "it", *QUIET)
        self.assertIn("rope_theta: expected a number from", said)
        self.assertIn("got NaN", said)

    def test_weights_in_a_pickle_are_named_with_how_to_convert_them(self):
        said = self.refused("generate", "model/model.safetensors", "--prompt", "it", *QUIET)
        self.assertIn("model/model.safetensors: is a file of weights alone; expected the directory of the model", said)
        weights = self.directory / "model" / "model.safetensors"
        weights.rename(self.directory / "model" / "pytorch_model.bin")
        said = self.refused("generate", "model", "--prompt", "it", *QUIET)
        self.assertIn("model: its weights are in pytorch_model.bin, a pickle of PyTorch", said)
        self.assertIn("M.from_pretrained('model', torch_dtype='auto').save_pretrained('model')", said)


if __name__ == "__main__":
    frame.main()
