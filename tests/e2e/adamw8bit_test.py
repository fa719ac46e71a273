"""--optimizer adamw8bit: two bytes of state a parameter, the same bits however a run is cut or interrupted, and losses
near those of AdamW in f32."""

import array
import json
import random
import shutil
import signal

import frame
from equal_bits_test import instruction_sets
from training import TrainingTest, words

SMALL = 4096  # elements, below which moments stay f32
BLOCK = 256


def state_bytes(tensors):
    """What the moments of these parameters take: name -> elements."""
    return sum(8 * n if n < SMALL else 2 * n + 2 * 4 * -(-n // BLOCK) for n in tensors.values())


class Adamw8bit(TrainingTest):
    def setUp(self):
        super().setUp()
        self.headroom("init", "tiny-300k", "--output", "model", "--seed", 3, "--quiet")
        rows = [[[(31 * row + at * at + 7 * step) % 512 for at in range(33)] for row in range(4)] for step in range(6)]
        tokens = self.write("tokens.json", {"batches": rows})
        self.flags = ["--tokens", tokens, "--lr", 0.01, "--optimizer", "adamw8bit"]

    def test_state_is_two_bytes_a_parameter(self):
        self.train("model", *self.flags, "--report", "r.json")
        self.train("model", *self.flags[:-1], "adamw", "--report", "plain.json", output="plain")
        sizes = {
            name: (self.directory / name / "checkpoint-6" / "optimizer.safetensors").stat().st_size
            for name in ("out", "plain")
        }
        saved = self.read_json("plain.json")["persistent_bytes"] - self.read_json("r.json")["persistent_bytes"]
        # The files' headers name two more tensors a weight; in the arena each scale is rounded up to 64 bytes.
        self.assertAlmostEqual(saved, sizes["plain"] - sizes["out"], delta=16384)
        elements = self.elements()
        large = sum(n for n in elements.values() if n >= SMALL)
        expected = 8 * sum(elements.values()) - state_bytes(elements)
        self.assertAlmostEqual(saved, expected, delta=128 * len(elements))
        self.assertAlmostEqual((8 * large - expected) / large, 2.03125, delta=0.01)

    def elements(self):
        """Of each parameter, from the header of the model's file."""
        data = (self.directory / "model" / "model.safetensors").read_bytes()
        header = frame.json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        counts = {}
        for name, tensor in header.items():
            if name != "__metadata__":
                counts[name] = 1
                for size in tensor["shape"]:
                    counts[name] *= size
        return counts

    def test_no_technique_changes_a_bit(self):
        expected = self.train("model", *self.flags)
        ways = [["--threads", 3], ["--checkpointing", "full"], ["--grad-accum", 2], ["--clip-mode", "two-pass"]]
        for way in ways:
            with self.subTest(way=way):
                self.assertEqual(self.train("model", *self.flags, *way), expected)
        for isa in instruction_sets():
            with self.subTest(isa=isa):
                self.assertEqual(self.train("model", *self.flags, environment={"HEADROOM_ISA": isa}), expected)

    def test_a_killed_run_goes_on_to_the_same_bits(self):
        expected = self.train("model", *self.flags, output="plain")
        for step in (2, 4):
            process = self.start(*self.command("model", *self.flags, "--save-every", 2))
            while process.poll() is None and not (self.directory / "out" / f"checkpoint-{step}").exists():
                pass
            process.send_signal(signal.SIGKILL)
            process.communicate()
            self.assertEqual(self.go_on("model", *self.flags, "--resume", "--threads", 2), expected)
            shutil.rmtree(self.directory / "out")
        self.train("model", *self.flags, "--steps", 3)
        message = self.refused(*self.command("model", *self.flags[:-1], "adamw", "--resume"))
        self.assertIn("--optimizer adamw8bit, got adamw", message)

    def test_rare_tokens_do_not_let_weights_run_away(self):
        """Rows of a large vocabulary share blocks with frequent ones, beside which their squares become 0."""
        vocabulary, words_ = 6000, random.Random(7)
        weights = [1 / (rank + 2) for rank in range(vocabulary)]
        batches = [[words_.choices(range(vocabulary), weights, k=129) for _ in range(4)] for _ in range(120)]
        tokens = self.write("zipf.json", {"batches": batches})
        shape = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
        config = json.loads((self.directory / "model" / "config.json").read_text())
        self.write("zipf_config.json", {**config, **shape, "num_key_value_heads": 4, "vocab_size": vocabulary})
        self.headroom("init", "zipf_config.json", "--output", "zipf", "--seed", 1, "--quiet")
        losses, largest = {}, {}
        for optimizer in ("adamw", "adamw8bit"):
            flags = ["--tokens", tokens, "--lr", 0.003, "--optimizer", optimizer]
            self.headroom(*self.command("zipf", *flags, output=optimizer))
            lines = (self.directory / optimizer / "metrics.jsonl").read_text().splitlines()
            losses[optimizer] = sum(json.loads(line)["loss"] for line in lines[-20:]) / 20
            largest[optimizer] = self.largest_weight(optimizer)
        self.assertLess(largest["adamw8bit"], 1.2 * largest["adamw"])
        self.assertAlmostEqual(losses["adamw8bit"], losses["adamw"], delta=0.03)

    def largest_weight(self, model):
        data = (self.directory / model / "model.safetensors").read_bytes()
        numbers = array.array("f", data[8 + int.from_bytes(data[:8], "little") :])
        return max(max(numbers), -min(numbers))

    def test_losses_are_near_those_of_adamw(self):
        text = self.write("text.txt", words(4000, seed=2))
        tokenizer = ["--tokenizer-data", text, "--vocabulary", 300]
        self.headroom("init", "tiny-300k", *tokenizer, "--output", "small", "--quiet")
        flags = ["--data", text, "--seq-len", 65, "--batch-size", 4, "--lr", 0.003, "--steps", 60]
        last = {}
        for optimizer in ("adamw", "adamw8bit"):
            lines, _ = self.train("small", *flags, "--optimizer", optimizer)
            last[optimizer] = sum(line["loss"] for line in lines[-10:]) / 10
            self.assertLess(last[optimizer], 0.8 * lines[0]["loss"], optimizer)
        self.assertAlmostEqual(last["adamw8bit"], last["adamw"], delta=0.01 * last["adamw"])
        self.assertNotEqual(last["adamw8bit"], last["adamw"])


if __name__ == "__main__":
    frame.main()
