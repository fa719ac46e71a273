"""--precision, --master-weights and the loss scale: against PyTorch's autocast, and the bits that must not depend on
how a run is carried out."""

import array
import json
import struct
from pathlib import Path

import frame
from equal_bits_test import instruction_sets
from tensor_files import read_tensors
from training import MODELS, TIED, UNTIED, TrainingTest

# How far losses over 20 steps may be from PyTorch's autocast, which rounds elsewhere (its residual stream is f32).
AUTOCAST_BOUND = {"bf16": 0.06, "f16": 0.01}
BF16 = ["--precision", "bf16"]
F16 = ["--precision", "f16"]
FLAGS = ["--lr", 0.01, "--lr-schedule", "constant"]


def load(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


class AgainstPyTorch(TrainingTest):
    def test_losses_follow_autocast(self):
        for curve_file in sorted(MODELS.glob("*/curve_autocast.json")):
            model = curve_file.parent
            flags = [word for pair in load(model / "curve.json")["flags"].items() for word in pair]
            for dtype, curve in load(curve_file).items():
                with self.subTest(model=model.name, dtype=dtype):
                    tokens = model / "curve_tokens.json"
                    lines, _ = self.train(model, "--tokens", tokens, "--precision", dtype, *flags)
                    self.assertEqual(len(lines), 20)
                    worst = max(abs(line["loss"] - loss) for line, loss in zip(lines, curve["losses"], strict=True))
                    self.assertLess(worst, AUTOCAST_BOUND[dtype])
                    if dtype == "f16":
                        self.assertEqual([line["loss_scale"] for line in lines], curve["scales"])


class EqualBits(TrainingTest):
    """Of one run, whatever the threads, instruction set, micro-batches, checkpointing and passes."""

    def check(self, model, *flags, ways):
        tokens = ["--tokens", model / "curve_tokens.json", "--steps", 4]
        plain = self.train(model, *tokens, *flags)
        for name, way in ways.items():
            with self.subTest(model=model.name, way=name):
                self.assertEqual(self.train(model, *tokens, *flags, *way), plain)
        for isa in instruction_sets():
            with self.subTest(model=model.name, isa=isa):
                got = self.train(model, *tokens, *flags, environment={"HEADROOM_ISA": isa})
                self.assertEqual(got, plain)

    WAYS = {
        "three threads": ["--threads", 3],
        "micro-batches": ["--grad-accum", 2],
        "checkpointing": ["--checkpointing", "full"],
        "loss before its gradients": ["--disable-pass", "fuse_loss_gradients"],
        "updates after the backward": ["--disable-pass", "updates_in_backward"],
        "two passes": ["--clip-mode", "two-pass"],
    }

    def test_in_bf16(self):
        self.check(TIED, *BF16, ways=self.WAYS)
        self.check(MODELS / "biases", *BF16, ways={"micro-batches": ["--grad-accum", 1], "threads": ["--threads", 2]})

    def test_in_f16(self):
        self.check(UNTIED, *F16, ways=self.WAYS)

    def test_with_bf16_weights(self):
        self.check(TIED, "--master-weights", "bf16", ways={"three threads": ["--threads", 3]})
        self.check(UNTIED, *BF16, "--master-weights", "bf16", ways=self.WAYS)


class Bf16Weights(TrainingTest):
    def test_are_saved_as_such_and_train_as_well(self):
        tokens = ["--tokens", UNTIED / "curve_tokens.json", *FLAGS]
        masters, _ = self.train(UNTIED, *tokens, *BF16)
        alone, _ = self.train(UNTIED, *tokens, *BF16, "--master-weights", "bf16")
        saved = read_tensors(self.directory / "out/model.safetensors")
        self.assertEqual({tensor.dtype for tensor in saved.values()}, {"BF16"})
        self.assertIn("bfloat16", (self.directory / "out/config.json").read_text(encoding="utf-8"))
        # Twenty steps of a tiny model: the noise of the rounding, which long runs average out, is still seen.
        self.assertAlmostEqual(alone[-1]["loss"] / masters[-1]["loss"], 1, delta=0.03)
        other, _ = self.train(UNTIED, *tokens, *BF16, "--master-weights", "bf16", "--seed", 1)
        self.assertNotEqual(other[-1]["loss"], alone[-1]["loss"])

    def test_resume_to_the_same_bits(self):
        tokens = ["--tokens", UNTIED / "curve_tokens.json", *FLAGS, "--master-weights", "bf16"]
        whole = self.train(UNTIED, *tokens, "--steps", 6)
        self.train(UNTIED, *tokens, "--steps", 3)
        self.assertEqual(self.go_on(UNTIED, *tokens, "--steps", 6, "--resume"), whole)


class LossScale(TrainingTest):
    def test_steps_that_overflow_are_skipped(self):
        """From a scale that is far too large for f16 gradients of this model: halved until it fits."""
        tokens = ["--tokens", UNTIED / "curve_tokens.json", *FLAGS, *F16]
        model = self.louder(UNTIED)
        lines, _ = self.train(model, *tokens, "--grad-clip", 0)
        skipped = [line for line in lines if line["skipped"]]
        self.assertTrue(0 < len(skipped) < len(lines))
        self.assertTrue(all(line["grad_norm"] is None for line in skipped))
        scale = 65536.0
        for line in lines:
            self.assertEqual(line["loss_scale"], scale)
            scale = scale / 2 if line["skipped"] else scale
        # Nothing moved in the first step, which was skipped.
        self.train(model, *tokens, "--steps", 1)
        before = read_tensors(model / "model.safetensors")
        after = read_tensors(self.directory / "out/model.safetensors")
        for name, tensor in before.items():
            self.assertEqual(tensor.values, after[name].values, name)
        # Resumed in the middle: the same scale, and the same number of updates for AdamW's bias corrections.
        whole = self.train(model, *tokens, "--steps", 12)
        self.train(model, *tokens, "--steps", 5)
        self.assertEqual(self.go_on(model, *tokens, "--steps", 12, "--resume"), whole)
        # DeepSpeed's rules forgive the first overflow.
        patient, _ = self.train(model, *tokens, "--steps", 3, "--loss-scale-hysteresis", 2)
        self.assertEqual([line["loss_scale"] for line in patient], [65536, 65536, 32768])

    def test_a_constant_scale_that_overflows_ends_the_run(self):
        command = self.command(UNTIED, "--tokens", UNTIED / "curve_tokens.json", *F16, "--loss-scale", "1e30")
        said = self.refused(*command)
        self.assertIn("the gradient's norm", said)

    def louder(self, source):
        """A copy of a model whose output layer is five hundred times as large."""
        data = bytearray((source / "model.safetensors").read_bytes())
        (header_size,) = struct.unpack_from("<Q", data)
        begin, end = json.loads(data[8 : 8 + header_size])["lm_head.weight"]["data_offsets"]
        values = array.array("f", data[8 + header_size + begin : 8 + header_size + end])
        data[8 + header_size + begin : 8 + header_size + end] = array.array("f", [500 * x for x in values]).tobytes()
        self.write("louder/model.safetensors", bytes(data))
        self.write("louder/config.json", load(source / "config.json"))
        return self.directory / "louder"


class WatchNumerics(TrainingTest):
    def test_shares_by_layer_and_no_other_bits(self):
        tokens = ["--tokens", UNTIED / "curve_tokens.json", "--steps", 2]
        for precision in ("f32", "bf16"):
            plain, weights = self.train(UNTIED, *tokens, "--precision", precision)
            for way in ([], ["--grad-accum", 2, "--checkpointing", "full"]):
                watched, same = self.train(UNTIED, *tokens, *way, "--precision", precision, "--watch-numerics")
                self.assertEqual(same, weights)
                for line, other in zip(watched, plain, strict=True):
                    numerics = line.pop("numerics")
                    self.assertEqual(line, other)
                    self.assertLessEqual({"embedding", "layers.0", "layers.1", "head"}, set(numerics))
                    for shares in numerics["layers.0"].values():
                        self.assertEqual((shares["nan"], shares["inf"]), (0, 0))
                    self.assertEqual(set(numerics["layers.0"]), {"activations", "gradients"})
        # In f16 without a loss scale gradients underflow; with PyTorch's they hardly do.
        shares = []
        for scale in ("1e-3", "65536"):
            lines, _ = self.train(UNTIED, *tokens, *F16, "--loss-scale", scale, "--watch-numerics")
            shares.append(lines[0]["numerics"]["layers.0"]["gradients"]["underflow"])
        self.assertGreater(shares[0], 0.5)
        self.assertLess(shares[1], 0.1)


class Refused(TrainingTest):
    def test_what_excludes_what(self):
        tokens = ["--tokens", UNTIED / "curve_tokens.json"]
        for flags, words in (
            (["--precision", "f16", "--master-weights", "bf16"], "--master-weights bf16: products in f16"),
            (["--precision", "f16", "--clip-mode", "tensor"], "--clip-mode tensor: updates each weight"),
            (["--loss-scale", 8], "expected with --precision f16 only"),
            (["--precision", "f16", "--loss-scale", "big"], "--loss-scale big: expected dynamic, or a number"),
            (["--precision", "f16", "--loss-scale-hysteresis", 0], "--loss-scale-hysteresis 0: expected"),
        ):
            with self.subTest(flags=flags):
                self.assertIn(words, self.refused(*self.command(UNTIED, *tokens, *flags)))
        self.train(UNTIED, *tokens, "--steps", 1, *BF16)
        said = self.refused(*self.command(UNTIED, *tokens, "--steps", 2, "--precision", "f32", "--resume"))
        self.assertIn("this run was trained with --precision bf16, got f32", said)


if __name__ == "__main__":
    frame.main()
