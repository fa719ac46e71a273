"""Holds the built command against PyTorch: logits, losses, gradients and AdamW curves of the tiny models in
tests/data/llama and tests/data/deepseek (the former's README states where the numbers come from and how far float32 may
be off)."""

import json
import shutil

import frame
from tensor_files import largest, largest_difference, read_tensors

DATA = frame.ROOT / "tests" / "data"

LOGITS_BOUND = 5e-5
LOSS_BOUND = 5e-6
GRADIENT_BOUND = 3e-5  # of the tensor's largest entry
CURVE_BOUND = 1e-4
NORM_BOUND = 1e-4  # of the norm
RATE_BOUND = 1e-6  # of the learning rate

BUDGET = ["--memory", "256MiB", "--quiet"]


def models_with(name):
    families = ("deepseek",) if name == "balanced_curve.json" else ("llama", "deepseek")
    models = []
    for family in families:
        found = sorted(path.parent for path in (DATA / family).glob(f"*/{name}"))
        if not found:
            raise FileNotFoundError(f"{DATA}/{family}/*/{name}")
        models += found
    return models


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


class Forward(frame.CommandTest):
    def test_logits_and_loss_are_pytorchs(self):
        for model in models_with("logits.safetensors"):
            with self.subTest(model=model.name):
                ids = model / "ids.json"
                flags = ["--tokens", ids, "--logits", "out.safetensors", "--report", "r.json"]
                self.headroom("eval", model, *flags, *BUDGET)
                ours = read_tensors(self.directory / "out.safetensors")
                self.assertEqual(list(ours), ["logits"])
                rows = load(ids)["ids"]
                vocabulary = load(model / "config.json")["vocab_size"]
                self.assertEqual(ours["logits"].dtype, "F32")
                self.assertEqual(ours["logits"].shape, [len(rows), len(rows[0]), vocabulary])
                self.check_logits(ours["logits"], read_tensors(model / "logits.safetensors"))
                self.assertAlmostEqual(
                    self.read_json("r.json")["loss"], load(model / "loss.json")["loss"], delta=LOSS_BOUND
                )

    def test_an_output_layer_of_its_own_is_not_tied(self):
        """Whatever the config says; training says so in the config that it writes."""
        source = DATA / "llama" / "qwen2"
        self.write("model/model.safetensors", (source / "model.safetensors").read_bytes())
        self.write("model/config.json", load(source / "config.json") | {"tie_word_embeddings": True})
        ids = source / "ids.json"
        self.headroom("eval", "model", "--tokens", ids, "--logits", "out.safetensors", *BUDGET)
        ours = read_tensors(self.directory / "out.safetensors")["logits"]
        self.check_logits(ours, read_tensors(source / "logits.safetensors"))
        self.headroom("train", "model", "--tokens", source / "curve_tokens.json", "--output", "out", *BUDGET)
        self.assertIs(self.read_json("out/config.json")["tie_word_embeddings"], False)

    def check_logits(self, ours, theirs):
        values = ours.values
        if "positions" in theirs:  # kept at some positions of the only row
            vocabulary = ours.shape[2]
            values = [
                logit
                for position in theirs["positions"].values
                for logit in values[position * vocabulary : (position + 1) * vocabulary]
            ]
        self.assertLessEqual(largest_difference(values, theirs["logits"].values), LOGITS_BOUND)


class Training(frame.CommandTest):
    def test_gradients_are_pytorchs(self):
        """One step w' = w - g shows g, but for the one rounding of w'. A model stored in 16 bits would hide it."""
        for model in models_with("gradients.safetensors"):
            before = read_tensors(model / "model.safetensors")
            if any(tensor.dtype != "F32" for tensor in before.values()):
                continue
            with self.subTest(model=model.name):
                tokens = self.write(f"{model.name}.json", {"batches": [load(model / "ids.json")["ids"]]})
                flags = "--optimizer sgd --lr 1 --lr-schedule constant --steps 1 --grad-clip 0 --weight-decay 0".split()
                self.headroom("train", model, "--tokens", tokens, "--output", model.name, *flags, *BUDGET)
                after = read_tensors(self.directory / model.name / "model.safetensors")
                self.check_gradients(before, after, read_tensors(model / "gradients.safetensors"))
                loss = load(self.directory / model.name / "metrics.jsonl")["loss"]
                self.assertAlmostEqual(loss, load(model / "loss.json")["loss"], delta=LOSS_BOUND)

    def check_gradients(self, before, after, gradients):
        self.assertEqual(set(after), set(before))
        for name in after:
            gradient, some_rows = gradients[name], gradients.get(name + ".rows")
            self.assertEqual(after[name].dtype, "F32", name)
            self.assertEqual(after[name].shape, before[name].shape, name)
            ours = [w - moved for w, moved in zip(before[name].values, after[name].values)]
            if some_rows:
                width = after[name].shape[1]
                ours = [value for row in some_rows.values for value in ours[row * width : (row + 1) * width]]
            # What has no gradient, as an expert that no token goes to, does not move; one with hardly any moves by less
            # than w' is rounded by.
            bound = GRADIENT_BOUND * largest(gradient.values) + 2**-24 * largest(before[name].values)
            self.assertLessEqual(largest_difference(ours, gradient.values), bound, name)

    def test_adamw_curves_are_pytorchs(self):
        for name in ("curve.json", "balanced_curve.json"):
            for model in models_with(name):
                with self.subTest(model=model.name, curve=name):
                    self.follow(model, load(model / name))

    def follow(self, model, curve):
        steps = len(curve["losses"])
        flags = ["--steps", steps, "--batch-size", curve["rows"], "--seq-len", curve["length"]]
        flags += [word for flag in curve["flags"].items() for word in flag]
        self.headroom(
            "train", model, "--tokens", model / "curve_tokens.json", "--output", self.directory / model.name,
            "--report", "report.json", *flags, *BUDGET,
        )  # fmt: skip
        lines = (self.directory / model.name / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        ours = [json.loads(line) for line in lines]
        self.assertEqual([line["step"] for line in ours], list(range(1, steps + 1)))
        self.check_curve(curve, ours)
        self.assertEqual(self.read_json("report.json")["loss"], [line["loss"] for line in ours])
        shutil.rmtree(self.directory / model.name)

    def check_curve(self, curve, ours):
        losses = [line["loss"] for line in ours]
        self.assertLessEqual(largest_difference(losses, curve["losses"]), CURVE_BOUND)
        for key, theirs, bound in [("lr", "lrs", RATE_BOUND), ("grad_norm", "grad_norms", NORM_BOUND)]:
            for step, (line, expected) in enumerate(zip(ours, curve[theirs]), 1):
                self.assertAlmostEqual(line[key] / expected, 1.0, delta=bound, msg=f"{key} of step {step}")


if __name__ == "__main__":
    frame.main()
