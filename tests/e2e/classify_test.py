"""Classification of texts: logits, loss, gradients and a curve against transformers (tests/data/classify/generate.py),
a classifier made of a language model, and the words of what is refused."""

import json

import frame
from tensor_files import largest, largest_difference, read_tensors
from training import TrainingTest

DATA = frame.ROOT / "tests" / "data" / "classify"
LANGUAGE_MODEL = frame.ROOT / "tests" / "data" / "finetune" / "model"
CASES = {"llama": DATA / "data.jsonl", "qwen2": DATA / "qwen2.jsonl"}
EXPECTED = {name: json.loads((DATA / name / "expected.json").read_text(encoding="utf-8")) for name in CASES}
BUDGET = ["--memory", "256MiB", "--quiet"]

# As tests/e2e/oracle_test.py.
LOGITS_BOUND = 5e-5
LOSS_BOUND = 5e-6
GRADIENT_BOUND = 3e-5  # of the tensor's largest entry
CURVE_BOUND = 1e-4


class ClassifyTest(TrainingTest):
    def flags_of(self, name, *more):
        expected = EXPECTED[name]
        return ["--data", CASES[name], "--seq-len", expected["seq_len"], "--batch-size", len(expected["ids"]),
                "--lr-schedule", "constant", "--grad-clip", 0, *more]  # fmt: skip

    def eval(self, model, data, *flags):
        done = self.headroom("eval", model, "--data", data, "--report", "eval.json", *flags, *BUDGET)
        return done.stdout, self.read_json("eval.json")


class Oracle(ClassifyTest):
    def test_logits_loss_and_accuracy_are_those_of_transformers(self):
        for name, data in CASES.items():
            expected = EXPECTED[name]
            for batch in (1, 5, 12):
                with self.subTest(model=name, batch=batch):
                    flags = ["--seq-len", expected["seq_len"], "--logits", "l.safetensors", "--batch-size", batch]
                    text, report = self.eval(DATA / name, data, *flags)
                    logits = read_tensors(self.directory / "l.safetensors")["logits"]
                    theirs = [logit for row in expected["logits"] for logit in row]
                    self.assertEqual(logits.shape, [len(expected["logits"]), len(expected["logits"][0])])
                    self.assertLessEqual(largest_difference(logits.values, theirs), LOGITS_BOUND)
                    self.assertAlmostEqual(report["loss"], expected["loss"], delta=LOSS_BOUND)
                    self.assertEqual(report["accuracy"], expected["accuracy"])
                    self.assertEqual(report["predictions"], len(expected["labels"]))
                    self.assertEqual(report["truncated"], 2)
                    self.assertIn(f"accuracy {report['accuracy']:.4f}", text)
                    self.assertNotIn("perplexity", text)

    def test_gradients_are_those_of_transformers(self):
        """One step w' = w - g shows g, but for the one rounding of w'."""
        for name in CASES:
            with self.subTest(model=name):
                flags = self.flags_of(name, "--optimizer", "sgd", "--lr", 1, "--steps", 1, "--weight-decay", 0)
                lines, _ = self.train(DATA / name, *flags, output=name)
                self.assertAlmostEqual(lines[0]["loss"], EXPECTED[name]["loss"], delta=LOSS_BOUND)
                before = read_tensors(DATA / name / "model.safetensors")
                after = read_tensors(self.directory / name / "model.safetensors")
                gradients = read_tensors(DATA / name / "gradients.safetensors")
                self.assertEqual(set(after), set(gradients))
                for key, gradient in gradients.items():
                    ours = [w - moved for w, moved in zip(before[key].values, after[key].values)]
                    off = largest_difference(ours, gradient.values) / largest(gradient.values)
                    self.assertLessEqual(off, GRADIENT_BOUND, key)

    def test_the_curve_is_that_of_transformers(self):
        for name in CASES:
            with self.subTest(model=name):
                curve = EXPECTED[name]["curve"]
                flags = self.flags_of(name, "--lr", 0.005, "--steps", len(curve))
                lines, _ = self.train(DATA / name, *flags, output=name)
                self.assertEqual({line["predictions"] for line in lines}, {len(EXPECTED[name]["labels"])})
                self.assertLessEqual(largest_difference([line["loss"] for line in lines], curve), CURVE_BOUND)


class SameBits(ClassifyTest):
    def test_micro_batches_threads_techniques_and_resuming(self):
        flags = self.flags_of("llama", "--lr", 0.005, "--steps", 4)
        expected = self.train(DATA / "llama", *flags)
        for more in (
            ["--grad-accum", 4],
            ["--threads", 3, "--checkpointing", "full", "--grad-accum", 12],
            ["--disk", ".", "--offload", "all"],
        ):
            with self.subTest(flags=more):
                self.assertEqual(self.train(DATA / "llama", *flags, *more), expected)
        first = self.flags_of("llama", "--lr", 0.005, "--steps", 2)
        self.train(DATA / "llama", *first)
        self.assertEqual(self.go_on(DATA / "llama", *flags, "--resume"), expected)

    def test_train_and_eval_measure_the_same(self):
        flags = self.flags_of("llama", "--lr", 0.005, "--steps", 2, "--eval-data", CASES["llama"], "--report", "t.json")
        self.train(DATA / "llama", *flags)
        _, report = self.eval("out", CASES["llama"], "--seq-len", EXPECTED["llama"]["seq_len"])
        self.assertEqual(report["loss"], self.read_json("t.json")["eval_loss"])


class OfALanguageModel(ClassifyTest):
    def test_it_keeps_the_body_and_gets_a_head(self):
        flags = ["--data", CASES["llama"], "--seq-len", 24, "--batch-size", 4, "--labels", "animal,place,number"]
        self.train(LANGUAGE_MODEL, *flags, "--lr", 0, "--steps", 1, "--weight-decay", 0)
        config = self.read_json("out/config.json")
        self.assertEqual(config["architectures"], ["LlamaForSequenceClassification"])
        self.assertEqual(config["id2label"], {"0": "animal", "1": "place", "2": "number"})
        self.assertEqual(config["label2id"], {"animal": 0, "place": 1, "number": 2})
        before = read_tensors(LANGUAGE_MODEL / "model.safetensors")
        after = read_tensors(self.directory / "out" / "model.safetensors")
        score = after.pop("score.weight")
        self.assertEqual(score.shape, [3, 16])
        self.assertGreater(largest(score.values), 0.3)
        before.pop("lm_head.weight")
        self.assertEqual(set(after), set(before))
        for name in after:
            self.assertEqual(after[name].values, before[name].values, name)
        self.eval("out", CASES["llama"])

    def test_it_learns_and_goes_on_to_the_same_bits(self):
        flags = ["--data", CASES["llama"], "--seq-len", 24, "--batch-size", 12, "--labels", "animal,place,number",
                 "--lr", 0.01, "--lr-schedule", "constant"]  # fmt: skip
        expected = self.train(LANGUAGE_MODEL, *flags, "--steps", 40)
        self.assertLess(expected[0][-1]["loss"], 0.1 * expected[0][0]["loss"])
        self.train(LANGUAGE_MODEL, *flags, "--steps", 10)
        self.assertEqual(self.go_on(LANGUAGE_MODEL, *flags, "--steps", 40, "--resume"), expected)
        self.assertEqual(self.train(LANGUAGE_MODEL, *flags, "--steps", 40, "--disk", ".", "--offload", "all"), expected)
        _, report = self.eval("out", CASES["llama"], "--seq-len", 24)
        self.assertEqual(report["accuracy"], 1.0)

    def test_a_number_of_labels_names_them(self):
        data = self.write("d.jsonl", '{"label": "LABEL_1", "text": "a"}\n{"text": "b", "label": 0}\n')
        self.train(LANGUAGE_MODEL, "--data", data, "--seq-len", 8, "--batch-size", 2, "--labels", 2, "--steps", 1)
        self.assertEqual(self.read_json("out/config.json")["id2label"], {"0": "LABEL_0", "1": "LABEL_1"})


class OtherVerbs(ClassifyTest):
    def test_init_inspect_and_plan(self):
        config = DATA / "llama" / "config.json"
        self.headroom("init", config, "--output", "new", "--quiet")
        model = json.loads(self.headroom("inspect", "new", "--json").stdout)["model"]
        self.assertEqual(model["labels"], ["animal", "place", "number"])
        self.assertEqual(model["parameters_by_role"]["output"], 48)
        self.headroom("plan", config, "--batch-size", 2, "--seq-len", 16)
        self.headroom("plan", "tiny-4m", "--labels", 5, "--batch-size", 2, "--seq-len", 16)
        (self.directory / "new" / "tokenizer.json").write_bytes((DATA / "llama" / "tokenizer.json").read_bytes())
        self.train("new", *self.flags_of("llama", "--steps", 1))

    def test_convert_copies_it(self):
        self.headroom("convert", DATA / "llama", "--output", "copy", "--dtype", "bf16", "--quiet")
        self.assertEqual(read_tensors(self.directory / "copy" / "model.safetensors")["score.weight"].dtype, "BF16")


class Refused(ClassifyTest):
    def check(self, says, *arguments):
        message = self.refused(*arguments)
        for word in says:
            self.assertIn(word, message)

    def test_what_a_classifier_does_not_do(self):
        model = DATA / "llama"
        self.write("t.json", {"batches": [[[1, 2, 3]]]})
        for says, arguments in [
            (["LlamaForSequenceClassification", "writes none", "headroom eval"],
             ["generate", model, "--prompt", "a"]),
            (["writes none"], ["plan", model, "--task", "generate"]),
            (["LlamaForSequenceClassification is not supported"],
             ["convert", model, "--output", "x.gguf", "--format", "gguf"]),
            (["--tokens"], ["eval", model, "--tokens", "t.json"]),
            (["--reference"], ["eval", model, "--data", CASES["llama"], "--reference", model]),
            (["--stride"], ["eval", model, "--data", CASES["llama"], "--stride", 3]),
            (["--tokens"], ["train", model, "--tokens", "t.json", "--output", "out"]),
            (["--isolate-documents"],
             ["train", model, "--data", CASES["llama"], "--isolate-documents", "--output", "out"]),
            (["--lora-rank"],
             ["train", model, "--data", CASES["llama"], "--lora-rank", 2, "--seq-len", 8, "--output", "out"]),
            (["--labels 2", "labels of its own"],
             ["train", model, "--data", CASES["llama"], "--labels", 2, "--output", "out"]),
            (["--labels a,a"],
             ["train", LANGUAGE_MODEL, "--data", CASES["llama"], "--labels", "a,a", "--output", "out"]),
            (["--labels 1"], ["train", LANGUAGE_MODEL, "--data", CASES["llama"], "--labels", 1, "--output", "out"]),
        ]:  # fmt: skip
            with self.subTest(arguments=arguments[:1] + list(map(str, arguments[2:]))):
                self.check(says, *arguments)
                self.assertFalse((self.directory / "out").exists())

    def test_lines(self):
        for line, says in {
            '{"text": "a"}': ['no "label"'],
            '{"label": 1}': ['no "text"'],
            '{"text": "a", "label": 3}': ["0 to 2"],
            '{"text": "a", "label": "plant"}': ['no label "plant"', "animal, place, number"],
            '{"text": "a", "label": null}': ['a number or a name in "label"'],
            '{"text": ["a"], "label": 0}': ['expected a text in "text"'],
            '{"text": "a", "text": "b", "label": 0}': ["occurs twice"],
        }.items():
            with self.subTest(line=line):
                data = self.write("data.jsonl", '{"text": "a", "label": 0}\n' + line + "\n")
                says = [*says, "data.jsonl", "line 2"]
                self.check(says, "eval", DATA / "llama", "--data", data, "--quiet")
                flags = ["--output", "out", "--batch-size", 1, "--seq-len", 8, "--quiet"]
                self.check(says, "train", DATA / "llama", "--data", data, *flags)
        data = self.write("data.txt", "a text")
        self.check(["data.txt", "without a label"], "eval", DATA / "llama", "--data", data, "--quiet")

    def test_configs(self):
        config = json.loads((DATA / "llama" / "config.json").read_text(encoding="utf-8"))
        for fields, says in [
            ({"num_labels": 4}, ["num_labels", "4 labels, but id2label names 3"]),
            ({"id2label": None, "num_labels": 1}, ["num_labels", "regression"]),
            ({"id2label": {"0": "a", "2": "b"}}, ["id2label"]),
            ({"problem_type": "multi_label_classification"}, ["problem_type", "single_label_classification"]),
        ]:
            with self.subTest(fields=fields):
                path = self.write("config.json", config | fields)
                self.check(says, "plan", path)


if __name__ == "__main__":
    frame.main()
