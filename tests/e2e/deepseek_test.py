"""DeepSeek-V2 and V3 through the command: the same bits however a run is cut, adapters, prompts, caches."""

import json
import shutil
import signal

import frame
import resume_test
from tensor_files import read_tensors

DATA = frame.ROOT / "tests" / "data" / "deepseek"
STEPS = ["--steps", 4, "--batch-size", 4, "--seq-len", 24, "--lr", 0.003, "--memory", "256MiB", "--quiet"]


class Training(frame.CommandTest):
    def train(self, name, *flags, env=None):
        """The bytes of the weights."""
        tokens = ["--tokens", DATA / name / "curve_tokens.json"]
        self.runs = getattr(self, "runs", 0) + 1
        output = f"run{self.runs}"
        self.headroom("train", DATA / name, *tokens, *STEPS, "--output", output, *flags, environment=env)
        (file,) = (self.directory / output).glob("*.safetensors")
        return file.read_bytes()

    def test_a_run_has_the_same_bits_however_it_is_cut(self):
        for name in ("v3", "lite"):
            weights = self.train(name)
            for flags in (
                ["--threads", 1],
                ["--grad-accum", 4],
                ["--checkpointing", "full"],
                ["--clip-mode", "two-pass"],
                ["--disk", "disk", "--offload", "all"],
            ):
                self.assertEqual(self.train(name, *flags), weights, (name, flags))

    def test_every_instruction_set_trains_the_same_weights(self):
        for name in ("v3", "lite"):
            weights = self.train(name)
            for isa in ("reference", "avx2"):
                self.assertEqual(self.train(name, env={"HEADROOM_ISA": isa}), weights, (name, isa))

    def test_sixteen_bits_too(self):
        for flags in (["--precision", "bf16"], ["--precision", "bf16", "--data-shards", 2]):
            weights = self.train("v3", *flags, "--grad-accum", 2)
            self.assertEqual(self.train("v3", *flags, "--grad-accum", 4, "--threads", 1), weights, flags)

    def test_adapters_go_beside_the_linear_layers_that_there_are(self):
        adapter = self.train("v3", "--lora-rank", 4)
        config = self.read_json("run1/adapter_config.json")
        targets = "o_proj gate_proj up_proj down_proj q_a_proj q_b_proj kv_a_proj_with_mqa".split()
        self.assertEqual(sorted(config["target_modules"]), sorted(targets))
        self.assertEqual(self.train("v3", "--lora-rank", 4, "--grad-accum", 4), adapter)
        self.headroom("convert", DATA / "v3", "--adapter", "run1", "--output", "merged", "--quiet")
        merged = read_tensors(self.directory / "merged" / "model.safetensors")
        self.assertEqual(set(merged), set(read_tensors(DATA / "v3" / "model.safetensors")))

    def test_what_a_trained_model_holds_is_what_it_was_made_of(self):
        self.train("v3")
        before = read_tensors(DATA / "v3" / "model.safetensors")
        after = read_tensors(self.directory / "run1" / "model.safetensors")
        self.assertEqual(set(after), set(before))
        for name in before:
            if name.endswith("e_score_correction_bias"):
                self.assertEqual(after[name].values, before[name].values)


class Killed(resume_test.ResumeTest):
    def test_a_killed_run_goes_on_to_the_same_bits(self):
        for name, more in (("v3", []), ("lite", ["--lora-rank", 4]), ("v3", ["--precision", "bf16"])):
            tokens = ["--tokens", DATA / name / "curve_tokens.json", "--batch-size", 4, "--seq-len", 24]
            flags = [*tokens, *resume_test.SAVING, *more]
            expected = self.train(DATA / name, *flags, output="plain")
            shutil.rmtree(self.directory / "out", ignore_errors=True)
            code, errors = self.signal_at(self.checkpoints, signal.SIGKILL, *self.command(DATA / name, *flags))
            self.assertEqual(code, -signal.SIGKILL, errors)
            self.assertEqual(self.go_on(DATA / name, *flags, "--threads", 2, "--resume"), expected, (name, more))


class Evaluation(frame.CommandTest):
    def logits(self, model, *flags, env=None):
        ids = DATA / model / "ids.json"
        command = ["eval", DATA / model, "--tokens", ids, "--logits", "out.safetensors", "--memory", "256MiB"]
        self.headroom(*command, "--quiet", *flags, environment=env)
        return (self.directory / "out.safetensors").read_bytes()

    def test_logits_have_the_same_bits_on_all_paths(self):
        for model in ("v2", "v3", "lite", "latent_yarn"):
            logits = self.logits(model)
            self.assertEqual(self.logits(model, "--threads", 1), logits)
            self.assertEqual(self.logits(model, "--batch-size", 1), logits)
            for isa in ("reference", "avx2"):
                self.assertEqual(self.logits(model, env={"HEADROOM_ISA": isa}), logits, (model, isa))


TEXT = "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.\n"


class Generation(frame.CommandTest):
    def setUp(self):
        super().setUp()
        config = json.loads((DATA / "v3" / "config.json").read_text(encoding="utf-8"))
        self.write("config.json", config | {"vocab_size": 300, "bos_token_id": None, "eos_token_id": None})
        self.write("text.txt", 40 * TEXT)
        vocabulary = ["--tokenizer-data", "text.txt", "--vocabulary", "300"]
        self.headroom("init", "config.json", *vocabulary, "--output", "model", "--quiet")

    def generate(self, *flags):
        prompt = ["--prompt", 2 * TEXT, "--max-new-tokens", 10, "--memory", "256MiB", "--quiet"]
        self.headroom("generate", "model", *prompt, "--logprobs", "log.json", *flags)
        return self.read_json("log.json")

    def test_chunks_and_threads_give_the_same_and_caches_of_few_bits_run(self):
        whole = self.generate()
        for flags in (["--prefill-chunk", 7], ["--prefill-chunk", 1], ["--threads", 1]):
            self.assertEqual(self.generate(*flags), whole, flags)
        for cache in ("bf16", "f16", "q8", "q4"):
            rounded = self.generate("--kv-cache-dtype", cache)
            self.assertEqual(self.generate("--kv-cache-dtype", cache, "--prefill-chunk", 7), rounded, cache)

    def test_prompts_side_by_side_are_answered_as_alone(self):
        prompts = [TEXT, "it was the age", 3 * TEXT]
        self.write("prompts.jsonl", "".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts))
        flags = ["--max-new-tokens", 8, "--memory", "256MiB", "--temperature", 0, "--quiet"]
        self.headroom("generate", "model", "--prompts", "prompts.jsonl", "--output", "out.jsonl", *flags)
        lines = (self.directory / "out.jsonl").read_text(encoding="utf-8").splitlines()
        texts = {line["index"]: line["text"] for line in map(json.loads, lines)}
        for index, prompt in enumerate(prompts):
            alone = self.headroom("generate", "model", "--prompt", prompt, *flags).stdout
            self.assertEqual(alone.rstrip("\n"), texts[index].rstrip("\n"))


if __name__ == "__main__":
    frame.main()
