"""Same inputs, same bits: whatever how a run is cut, scheduled, recomputed or budgeted, its losses, gradient norms and
trained weights are equal to the last bit, for tied and untied embeddings, with and without biases,
from token files and from shuffled text."""

import random
import struct

import frame
from tensor_files import read_tensors
from training import QUIET, QWEN2, TIED, UNTIED, TrainingTest

# Each must not change a bit. The first is what the others are held against.
WAYS = {
    "plain": [],
    "2 threads": ["--threads", 2],
    "3 threads": ["--threads", 3],
    "ample budget": ["--memory", "1GiB"],
    "nothing recomputed": ["--checkpointing", "none"],
    "everything recomputed": ["--checkpointing", "full"],
    "2 micro-batches": ["--grad-accum", 2],
    "4 micro-batches": ["--grad-accum", 4],
    "4 micro-batches, recomputed": ["--grad-accum", 4, "--checkpointing", "full"],
    "updates after the backward": ["--disable-pass", "updates_in_backward"],
    "loss before its gradients": ["--disable-pass", "fuse_loss_gradients"],
    "embedding's gradient by itself": ["--disable-pass", "fuse_embedding_gradient"],
}
# Where gradients are clipped by their common norm.
CLIPPED_WAYS = {
    "two passes": ["--clip-mode", "two-pass"],
    "two passes, recomputed": ["--clip-mode", "two-pass", "--checkpointing", "full", "--threads", 2],
    "two passes, updates after the backward": ["--clip-mode", "two-pass", "--disable-pass", "updates_in_backward"],
    "one pass": ["--clip-mode", "one-pass"],
}
STEPS = ["--steps", 3, "--lr", 0.01]


def instruction_sets():
    """Those that the processor has, by name."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        flags = next((set(line.split()) for line in file if line.startswith("flags")), set())
    found = ["reference"]
    if {"avx2", "fma", "f16c"} <= flags:
        found.append("avx2")
        if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags:
            found.append("avx512")
            for extension in ("bf16", "vnni"):
                if "avx512_" + extension in flags:
                    found.append("avx512_" + extension)
    return found


def as_f32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


class EqualBits(TrainingTest):
    def compare(self, model, *flags):
        """Every way of WAYS, of CLIPPED_WAYS where they apply, and the smallest budget, against the first."""
        expected = self.train(model, *flags)
        self.assertGreater(len({line["loss"] for line in expected[0]}), 1, "nothing was learnt")
        ways = WAYS if "--grad-clip" in flags else {**WAYS, **CLIPPED_WAYS}
        for name, way in ways.items():
            with self.subTest(model=model.name, way=name):
                self.assertEqual(self.train(model, *flags, *way), expected)
        with self.subTest(model=model.name, way="smallest budget"):
            self.refused(
                *self.command(model, *flags, "--memory", 1, "--report", "refusal.json", output="never"),
                expect=frame.OVER_BUDGET,
            )
            smallest = self.read_json("refusal.json")["smallest_budget_bytes"]
            self.assertEqual(self.train(model, *flags, "--memory", smallest), expected)

    def test_token_files(self):
        for model in (TIED, UNTIED, QWEN2):
            self.compare(model, "--tokens", model / "curve_tokens.json", *STEPS)

    def test_without_clipping(self):
        """Where a gradient may die at its weight's update, and the norm is not needed."""
        for model in (TIED, UNTIED):
            flags = ["--tokens", model / "curve_tokens.json", *STEPS, "--grad-clip", 0]
            self.compare(model, *flags)

    def test_gradients_clipped_by_their_own_norms(self):
        """The norm of all gradients is reported as ever; that of each update of sgd is at most --lr * --grad-clip."""
        clip, lr = 0.25, 0.5
        for model in (TIED, UNTIED, QWEN2):
            flags = ["--tokens", model / "curve_tokens.json", "--steps", 1, "--optimizer", "sgd", "--lr", lr]
            flags += ["--lr-schedule", "constant"]
            expected = self.train(model, *flags, "--grad-clip", clip, "--clip-mode", "tensor")
            clipped = read_tensors(self.directory / "out" / "model.safetensors")
            for way in (["--grad-accum", 4], ["--checkpointing", "full"], ["--disable-pass", "updates_in_backward"]):
                with self.subTest(model=model.name, way=way):
                    got = self.train(model, *flags, "--grad-clip", clip, "--clip-mode", "tensor", *way)
                    self.assertEqual(got, expected)
            plain = self.train(model, *flags, "--grad-clip", 0)
            self.assertEqual(plain[0], expected[0])
            free = read_tensors(self.directory / "out" / "model.safetensors")
            before = read_tensors(model / "model.safetensors")
            norms = []
            for name, tensor in before.items():
                gradient = [(a - b) / lr for a, b in zip(tensor.values, free[name].values, strict=True)]
                norms.append(sum(g * g for g in gradient) ** 0.5)
                scale = min(1, clip / (norms[-1] + 1e-6))
                for a, g, b in zip(tensor.values, gradient, clipped[name].values, strict=True):
                    self.assertAlmostEqual(a - lr * scale * g, b, delta=1e-6, msg=name)
            self.assertGreater(max(norms), clip)
            self.assertLess(min(norms), clip)

    def test_shuffled_text(self):
        for tied in (True, False):
            model = self.text_model(tied, name=f"model-{tied}")
            self.compare(model, "--data", "text.txt", "--batch-size", 4, "--seq-len", 24, *STEPS)

    def test_data_shards(self):
        """Shards are another sum than one chain; cut into micro-batches however, scheduled, recomputed or computed
        however, it is the same one."""
        for model in (TIED, UNTIED):
            flags = ["--tokens", model / "curve_tokens.json", *STEPS, "--lr-schedule", "constant"]
            chain = self.train(model, *flags)
            for shards in (2, 4):
                expected = self.train(model, *flags, "--data-shards", shards)
                self.assertEqual(expected[0][0], chain[0][0])  # of the same weights: the loss, and so far the norm
                self.assertNotEqual(expected[1], chain[1])
                for way in (
                    ["--grad-accum", 2],
                    ["--grad-accum", 4, "--threads", 3],
                    ["--grad-accum", 2, "--checkpointing", "full", "--disable-pass", "updates_in_backward"],
                    ["--disable-pass", "fuse_loss_gradients", "--checkpointing", "full"],
                ):
                    with self.subTest(model=model.name, shards=shards, way=way):
                        self.assertEqual(self.train(model, *flags, "--data-shards", shards, *way), expected)

    def test_random_combinations(self):
        """What decides numbers - the shards, whose norm clips, what is kept in few bits - against random ways to
        compute them. (Where activations are compressed, checkpointing decides which of them are kept at all.)"""
        choose = random.Random(6)
        for shards, numbers in (
            (1, []),
            (2, []),
            (4, ["--clip-mode", "tensor"]),
            (1, ["--grad-clip", 0]),
            (1, ["--compress-activations", 8]),
            (2, ["--compress-activations", 4, "--optimizer", "adamw8bit"]),
        ):
            model = choose.choice((TIED, UNTIED, QWEN2))
            flags = ["--tokens", model / "curve_tokens.json", *STEPS, "--data-shards", shards, *numbers]
            expected = self.train(model, *flags)
            for _ in range(4):
                micro_batches = choose.choice((0, 1, 2, 4))
                way = ["--grad-accum", micro_batches, "--threads", choose.choice((1, 2, 3))]
                if "--compress-activations" not in numbers:
                    way += ["--checkpointing", choose.choice(("none", "full", "auto"))]
                if "--clip-mode" not in numbers and "--grad-clip" not in numbers:
                    modes = ["auto", "one-pass", "two-pass"] if micro_batches < 2 and shards == 1 else ["auto"]
                    way += ["--clip-mode", choose.choice(modes)]
                if choose.random() < 0.3:
                    way += ["--disable-pass", choose.choice(("updates_in_backward", "fuse_loss_gradients"))]
                isa = choose.choice(instruction_sets())
                with self.subTest(model=model.name, shards=shards, numbers=numbers, way=way, isa=isa):
                    self.assertEqual(self.train(model, *flags, *way, environment={"HEADROOM_ISA": isa}), expected)

    def test_instruction_sets(self):
        for model in (TIED, UNTIED, QWEN2):
            for clip in (0, 1):
                flags = ["--tokens", model / "curve_tokens.json", *STEPS, "--grad-clip", clip, "--report", "r.json"]
                expected = None
                for isa in instruction_sets():
                    with self.subTest(model=model.name, isa=isa, clip=clip):
                        got = self.train(model, *flags, environment={"HEADROOM_ISA": isa})
                        self.assertEqual(self.read_json("r.json")["isa"], isa)
                        expected = expected or got
                        self.assertEqual(got, expected)

    def test_threads_that_all_have_work(self):
        """The other models are so small that a kernel may leave its second thread idle."""
        self.headroom("init", "tiny-300k", "--output", "model", "--quiet")
        ids = [[(7 * row + 3 * at * at) % 512 for at in range(97)] for row in range(4)]
        tokens = self.write("tokens.json", {"batches": [ids, ids]})
        expected = self.train("model", "--tokens", tokens)
        for way in (["--threads", 2], ["--threads", 3], ["--threads", 2, "--grad-accum", 2, "--checkpointing", "full"]):
            with self.subTest(way=way):
                self.assertEqual(self.train("model", "--tokens", tokens, *way), expected)

    def test_generation_evaluation_and_training_agree(self):
        """The log-probability of each token that `generate` writes is what `eval` and `train` find for it there."""
        for name, tied, changes in [
            ("tied", True, {}),
            ("untied", False, {}),
            ("qwen2", True, {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}),
        ]:
            model = self.text_model(tied, name=name, **changes)
            flags = ["--data", "text.txt", "--seq-len", 24, "--batch-size", 8, "--steps", 20, "--lr", 0.02]
            trained = f"trained-{name}"
            self.train(model, *flags, output=trained)
            prompt = ["--prompt", "etaoin shrdlu", "--max-new-tokens", 8, "--prefill-chunk", 3]
            self.headroom("generate", trained, *prompt, "--logprobs", "log.json", *QUIET)
            log = self.read_json("log.json")
            self.assertEqual(len(log["tokens"]), 8)
            ids = log["prompt_ids"]
            before = self.loss_sum(trained, ids)
            for token in log["tokens"]:
                ids = [*ids, token["id"]]
                after = self.loss_sum(trained, ids)
                self.assertEqual(as_f32(before - after), as_f32(token["logprob"]), f"{name}, token {len(ids)}")
                before = after

    def loss_sum(self, model, ids):
        """Of all predictions of the row `ids`: nearly exact, for a few f32 add up in f64 without a rounding."""
        self.write("ids.json", {"ids": [ids]})
        self.headroom("eval", model, "--tokens", "ids.json", "--report", "r.json", *QUIET)
        loss = self.read_json("r.json")["loss"]
        self.write("tokens.json", {"batches": [[ids]]})
        self.assertEqual(self.train(model, "--tokens", "tokens.json", "--lr", 0)[0][0]["loss"], loss)
        return loss * (len(ids) - 1)

    def test_another_seed_is_another_run(self):
        """The data's order is the seed's: what equal bits are worth shows where they must differ."""
        model = self.text_model()
        flags = ["--data", "text.txt", "--batch-size", 4, "--seq-len", 24, *STEPS]
        self.assertNotEqual(self.train(model, *flags, "--seed", 1), self.train(model, *flags, "--seed", 2))


if __name__ == "__main__":
    frame.main()
