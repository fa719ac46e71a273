"""Configs as real checkpoints have them: what is passed over, what is refused, what runs on the user's word."""

import frame

GQA = frame.ROOT / "tests" / "data" / "llama" / "gqa"
IGNORE = "--ignore-unknown-fields"


class ConfigFields(frame.CommandTest):
    def model(self, **fields):
        for name in ("model.safetensors", "ids.json", "config.json"):
            self.write(f"model/{name}", (GQA / name).read_bytes())
        self.write("model/config.json", {**self.read_json("model/config.json"), **fields})

    def verbs(self):
        tokens = self.write("t.json", {"batches": [[[1, 2, 3]], [[4, 5, 6]]]})
        yield ["plan", "model", "--task", "generate"]
        yield ["plan", "model", "--mesh", "data=2", "--seq-len", "16"]
        yield ["plan", "model", "--labels", "a,b", "--seq-len", "16"]
        yield ["inspect", "model"]
        yield ["init", "model/config.json", "--output", "new"]
        yield ["eval", "model", "--tokens", "model/ids.json", "--logits", "l.safetensors"]
        yield ["train", "model", "--tokens", tokens, "--output", "out"]
        yield ["convert", "model", "--output", "bf16", "--dtype", "bf16"]
        yield ["convert", "model", "--output", "model.gguf", "--format", "gguf"]
        yield ["bench", "model", "--prompt", "8", "--generate", "0"]

    def notes(self, *verb):
        return [line for line in self.headroom(*verb).stderr.splitlines() if "headroom: note: " in line]

    def test_unknown_fields_are_refused_or_on_the_users_word_passed_over_by_every_verb(self):
        self.model(field_of_tomorrow=2, rope_scaling={"type": "linear", "factor": 4.0, "bend": 1})
        for verb in self.verbs():
            with self.subTest(verb=verb):
                said = self.refused(*verb)
                self.assertIn("config.json: rope_scaling.bend: this field is none of rope_type linear", said)
                self.assertIn(f"try {IGNORE}", said)
                config = "model/config.json" if "init" in verb else "model"
                note = f"headroom: note: {config}: passed over in its config: rope_scaling.bend, field_of_tomorrow"
                self.assertEqual(self.notes(*verb, IGNORE), [note])

    def test_generate_takes_the_flag(self):
        self.model(field_of_tomorrow=2)
        generate = ["generate", "model", "--prompt", "x"]
        self.assertIn("field_of_tomorrow: this field is unknown and might change", self.refused(*generate))
        self.assertIn("tokenizer", self.refused(*generate, IGNORE))  # which this model lacks

    def test_fields_that_change_nothing_are_passed_over_with_a_note(self):
        self.model(max_sequence_length=4096, unsloth_fixed=True, gradient_checkpointing=False, bias=False)
        for verb in self.verbs():
            with self.subTest(verb=verb):
                (note,) = self.notes(*verb)
                self.assertTrue(note.endswith(": max_sequence_length, unsloth_fixed, gradient_checkpointing"), note)
        self.assertEqual(self.notes("plan", "model", "--task", "generate", "--quiet"), [])

    def test_fields_of_transformers_need_no_note(self):
        self.model(use_cache=True, transformers_version="5.0.0")
        self.assertEqual(self.notes("plan", "model", "--task", "generate"), [])

    def test_fields_that_are_known_to_matter_are_refused_at_any_rate(self):
        self.model(logit_scale=0.5)
        for verb in self.verbs():
            with self.subTest(verb=verb):
                said = self.refused(*verb, IGNORE)
                self.assertIn("config.json: logit_scale: 0.5 is not supported; expected 1", said)

    def test_a_resumed_run_remembers_the_users_word(self):
        self.model(field_of_tomorrow=2)
        tokens = self.write("t.json", {"batches": [[[1, 2, 3]], [[4, 5, 6]], [[7, 8, 9]]]})
        train = ["train", "model", "--tokens", tokens, "--lr-schedule", "constant", "--quiet"]
        self.headroom(*train, "--output", "whole", "--steps", 3, IGNORE)
        self.headroom(*train, "--output", "out", "--steps", 2, IGNORE)
        self.headroom(*train, "--output", "out", "--steps", 3, "--resume")
        trained = [(self.directory / name / "model.safetensors").read_bytes() for name in ("out", "whole")]
        self.assertEqual(*trained)
        self.model(field_of_tomorrow=3)
        self.assertIn("config.json", self.refused(*train, "--output", "out", "--steps", 4, "--resume"))


if __name__ == "__main__":
    frame.main()
