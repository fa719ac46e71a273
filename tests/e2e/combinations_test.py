"""Techniques that keep every bit, in random combinations and at random budgets: each run is held against the plain run
of the same numbers, its losses, gradient norms and trained weights to the last bit. What changes numbers (an optimizer,
a precision, shards of the batch, adapters) is drawn first, then the techniques that must not change them further."""

import random

import frame
from training import TrainingTest

ROUNDS = 10  # each a plain run and COMPARED others; round N draws from seed N
COMPARED = 3

# Wide enough for 8-bit states, which small tensors do without.
SHAPE = {"hidden_size": 128, "intermediate_size": 344, "num_attention_heads": 4, "num_key_value_heads": 2,
         "num_hidden_layers": 3, "vocab_size": 512}  # fmt: skip
DATA = ["--data", "text.txt", "--batch-size", 4, "--seq-len", 32, "--steps", 3, "--lr", 0.01]

# What decides the numbers. One of each is drawn.
NUMBERS = [
    [[], ["--optimizer", "sgd"], ["--optimizer", "adamw8bit"]],
    [[], ["--grad-clip", 0], ["--clip-mode", "tensor"]],
    [[], [], ["--data-shards", 2]],
    [[], ["--precision", "bf16"], ["--precision", "bf16", "--master-weights", "bf16"], ["--precision", "f16"]],
    [[], [], ["--lora-rank", 2, "--lora-dropout", 0.1], ["--lora-rank", 2, "--base-bits", 4]],
]
# What must not. One of each is drawn.
TECHNIQUES = [
    [["--threads", 1], ["--threads", 2], ["--threads", 3]],
    [[], ["--checkpointing", "none"], ["--checkpointing", "full"], ["--checkpointing", "auto"]],
    [[], ["--grad-accum", 1], ["--grad-accum", 2], ["--grad-accum", 4]],
    [[], [], ["--clip-mode", "one-pass"], ["--clip-mode", "two-pass"]],
    [[], ["--disable-pass", "fuse_loss_gradients"], ["--disable-pass", "updates_in_backward"]],
    [[], ["--offload", "none"], *[["--offload", kind] for kind in ("weights", "optimizer", "activations", "all")]],
]


def draw(choose, choices):
    return [flag for choice in choices for flag in choose.choice(choice)]


class Combinations(TrainingTest):
    def smallest(self, model, flags):
        """The smallest budget of this job, or None where its flags exclude each other."""
        command = self.command(model, *flags, "--memory", 1, "--report", "refusal.json", output="never")
        done = self.headroom(*command, expect=(frame.BAD_INPUT, frame.OVER_BUDGET))
        return self.read_json("refusal.json")["smallest_budget_bytes"] if done.returncode == frame.OVER_BUDGET else None

    def test_random_combinations(self):
        (self.directory / "disk").mkdir()
        models = [self.text_model(tied, name=f"model-{tied}", **SHAPE) for tied in (False, True)]
        compared = 0
        for number in range(ROUNDS):
            choose = random.Random(number)
            model = choose.choice(models)
            numbers = [*DATA, *draw(choose, NUMBERS)]
            if self.smallest(model, numbers) is None:
                continue
            expected = self.train(model, *numbers)
            for _ in range(COMPARED):
                way = draw(choose, TECHNIQUES)
                flags = [*numbers, *way, "--disk", "disk"]
                if numbers.count("--clip-mode") + way.count("--clip-mode") > 1:
                    continue
                smallest = self.smallest(model, flags)
                if smallest is None:
                    continue
                memory = choose.choice((smallest, smallest + choose.randrange(4 << 20), 64 << 20))
                with self.subTest(round=number, numbers=numbers[len(DATA) :], way=way, above=memory - smallest):
                    self.assertEqual(self.train(model, *flags, "--memory", memory), expected)
                    compared += 1
        self.assertGreater(compared, ROUNDS)


if __name__ == "__main__":
    frame.main()
