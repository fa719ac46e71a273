"""--balance-loss: the same bits however a step is cut and scheduled, and part of what a resumed run must have again.
tests/e2e/oracle_test.py holds its curves against PyTorch."""

import json

import frame
from training import TIED, TrainingTest

MODELS = frame.ROOT / "tests" / "data" / "deepseek"
WAYS = {
    "2 threads": ["--threads", 2],
    "2 micro-batches": ["--grad-accum", 2],
    "4 micro-batches, recomputed": ["--grad-accum", 4, "--checkpointing", "full"],
    "recomputed": ["--checkpointing", "full"],
    "two passes": ["--clip-mode", "two-pass"],
    "loss before its gradients": ["--disable-pass", "fuse_loss_gradients"],
    "reference": [],
}


class ExpertBalance(TrainingTest):
    def test_cuts_and_schedules_change_no_bit(self):
        for name in ("lite", "v3"):
            flags = self.flags(MODELS / name, "--balance-loss", 0.25, "--steps", 4)
            expected = self.train(MODELS / name, *flags)
            self.assertNotEqual(self.train(MODELS / name, *self.flags(MODELS / name, "--steps", 4)), expected)
            for way, more in WAYS.items():
                with self.subTest(model=name, way=way):
                    isa = {"HEADROOM_ISA": "reference"} if way == "reference" else {}
                    self.assertEqual(self.train(MODELS / name, *flags, *more, environment=isa), expected)

    def test_the_loss_that_is_reported_has_it_and_evaluations_have_not(self):
        model = MODELS / "v3"
        text = json.loads((model / "curve_tokens.json").read_text(encoding="utf-8"))
        held_out = self.write("held_out.json", {"ids": text["batches"][0]})
        self.headroom("eval", model, "--tokens", held_out, "--report", "eval.json", "--memory", "64MiB", "--quiet")
        plain, _ = self.train(model, *self.flags(model, "--steps", 1))
        balanced, _ = self.train(model, *self.flags(model, "--steps", 1, "--balance-loss", 0.25))
        self.assertAlmostEqual(plain[0]["loss"], self.read_json("eval.json")["loss"], delta=1e-6)
        # Two layers, each at least about 0.25 where all experts are chosen as often.
        self.assertGreater(balanced[0]["loss"], plain[0]["loss"] + 0.45)

    def test_a_resumed_run_must_have_it_again(self):
        model = MODELS / "v3"
        self.train(model, *self.flags(model, "--steps", 2))
        for was, now in (("absent", "0.25"), ("0.25", "0.5")):
            flags = self.flags(model, "--steps", 2, "--balance-loss", now)
            refusal = self.refused(*self.command(model, *flags, "--resume"))
            self.assertIn(f"this run was trained with --balance-loss {was}, got {now}", refusal)
            self.train(model, *self.flags(model, "--steps", 2, "--balance-loss", 0.25))

    def test_what_it_is_not_for_is_refused(self):
        tokens = self.write("tokens.json", {"batches": [[[1, 2, 3, 4]]]})
        for model, alpha, message in (
            (TIED, 0.25, "--balance-loss 0.25: the model has no experts to choose among; expected 0, or a mixture"),
            (MODELS / "v3", -1, "--balance-loss -1: expected 0 or more"),
            (MODELS / "v3", "much", "--balance-loss"),
        ):
            refusal = self.refused(*self.command(model, "--tokens", tokens, "--balance-loss", alpha))
            self.assertIn(message, refusal)

    def flags(self, model, *more):
        return ["--tokens", model / "curve_tokens.json", "--lr", 0.003, "--eps", 1e-4, *more]


if __name__ == "__main__":
    frame.main()
