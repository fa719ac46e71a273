"""What a job writes is never what it reads, nor a file that it writes already: refused before anything is touched."""

import os
import shutil

import frame
from training import UNTIED, TrainingTest

SMALL = ["--memory", "64MiB", "--threads", 1, "--quiet"]


class Paths(TrainingTest):
    def setUp(self):
        super().setUp()
        self.model = self.text_model()
        self.write("ids.json", {"ids": [[1, 2, 3]]})
        self.write("texts.json", ["one", "two"])
        self.write("prompt.txt", "a prompt")
        shutil.copy(UNTIED / "curve_tokens.json", self.directory / "tokens.json")
        self.headroom("convert", "model", "--format", "gguf", "--output", "model.gguf", "--quiet")
        (self.directory / "link.json").symlink_to("tokens.json")
        (self.directory / "named").mkdir()
        (self.directory / "named" / "text.txt").hardlink_to(self.directory / "text.txt")

    def contents(self):
        return {path: path.read_bytes() for path in self.directory.rglob("*") if path.is_file()}

    def overwrites(self, said, *command):
        with self.subTest(command=command):
            before = self.contents()
            message = self.refused(*command, *([] if command[0] == "tokenize" else SMALL))
            self.assertRegex(message, said)
            self.assertEqual(self.contents(), before)

    def test_no_output_is_an_input(self):
        train = ["train", "model", "--output", "out"]
        tokens = ["train", UNTIED, "--tokens", "tokens.json", "--output", "out"]
        for name in ("--report", "--html"):
            self.overwrites(f"{name} tokens.json: would overwrite tokens.json, which --tokens reads", *tokens, name,
                            "tokens.json")  # fmt: skip
            self.overwrites("which --tokens reads", *tokens, name, "link.json")
            self.overwrites("which --data reads", *train, "--data", "text.txt", name, "./text.txt")
            self.overwrites("which --data reads", *train, "--data", "text.txt", name, "named/text.txt")
            self.overwrites("which --eval-data reads", *train, "--data", "prompt.txt", "--eval-data", "text.txt", name,
                            "text.txt")  # fmt: skip
            for file in ("config.json", "model.safetensors", "tokenizer.json"):
                for verb in (["train", "model", "--data", "text.txt", "--output", "out"], ["eval", "model", "--tokens",
                             "ids.json"], ["generate", "model", "--prompt", "a"], ["plan", "model"]):  # fmt: skip
                    self.overwrites(f"{name} model/{file}: would overwrite .*, which MODEL reads", *verb, name,
                                    f"model/{file}")  # fmt: skip
            self.overwrites("which MODEL reads", "bench", "model.gguf", name, "model.gguf")
            self.overwrites("which --tokens reads", "eval", "model", "--tokens", "ids.json", name, "ids.json")
            self.overwrites("which --tokens reads", "plan", "model", "--tokens", "tokens.json", name, "tokens.json")
            self.overwrites("which --prompt-file reads", "generate", "model", "--prompt-file", "prompt.txt", name,
                            "prompt.txt")  # fmt: skip
            self.overwrites("which --reference reads", "eval", "model.gguf", "--tokens", "ids.json", "--reference",
                            "model", name, "model/config.json")  # fmt: skip
        self.overwrites("which --prompt-file reads", "generate", "model", "--prompt-file", "prompt.txt", "--logprobs",
                        "prompt.txt")  # fmt: skip
        self.overwrites("which MODEL reads", "eval", "model", "--tokens", "ids.json", "--logits",
                        "model/model.safetensors")  # fmt: skip
        self.overwrites("which --input reads", "tokenize", "model", "--input", "texts.json", "--output", "texts.json")
        self.overwrites("which MODEL reads", "tokenize", "model", "--input", "texts.json", "--output",
                        "model/tokenizer.json")  # fmt: skip
        self.write("profile/ops.json", "[]")
        self.overwrites("--profile profile .*which --data reads", *train, "--data", "profile/ops.json", "--profile",
                        "profile")  # fmt: skip
        convert = ["convert", "model", "--output", "new"]
        before = self.contents()
        self.assertIn("which MODEL reads", self.refused(*convert, "--report", "model/config.json", "--quiet"))
        self.assertEqual(self.contents(), before)

    def test_no_two_outputs_are_one_file(self):
        tokens = ["train", UNTIED, "--tokens", "tokens.json", "--output", "out"]
        self.overwrites("--html ./r.json: is what --report writes", *tokens, "--report", "r.json", "--html", "./r.json")
        for name in ("metrics.jsonl", "config.json", "model.safetensors", "train.tokens"):
            self.overwrites(f"out/{name}: is what --output out writes", *tokens, "--report", f"out/{name}")
        self.overwrites("is what --logprobs writes", "generate", "model", "--prompt", "a", "--logprobs", "p.json",
                        "--report", "p.json")  # fmt: skip

    def test_a_report_of_an_earlier_run_may_be_replaced_wherever_it_lies(self):
        for place in ("r.json", "model/r.json", "out/r.json"):
            for _ in range(2):
                self.headroom("plan", "model", "--seq-len", 24, "--report", place)
                self.headroom("eval", "model", "--tokens", "ids.json", "--report", place, *SMALL)

    def test_what_is_no_file_is_not_replaced_by_one(self):
        os.mkfifo(self.directory / "pipe")
        for name in ("--report", "--html"):
            for verb in (["train", UNTIED, "--tokens", "tokens.json", "--output", "out"], ["plan", "tiny-300k"]):
                self.overwrites(f"{name} pipe: is not a regular file", *verb, name, "pipe")
                self.assertTrue((self.directory / "pipe").is_fifo())
                self.assertFalse((self.directory / "out").exists())

    def test_checkpoints_are_inputs_of_a_resumed_run(self):
        flags = ["--tokens", "tokens.json", "--steps", 2]
        self.train(UNTIED, *flags)
        self.overwrites("would overwrite .*, which --resume reads", "train", UNTIED, "--output", "out", *flags[:2],
                        "--resume", "--report", "out/checkpoint-2/state.json")  # fmt: skip


if __name__ == "__main__":
    frame.main()
