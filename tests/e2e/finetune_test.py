"""Fine-tuning data: rows, what counts and losses against transformers (tests/data/finetune/generate.py), and the words
of what is refused."""

import json
import struct

import frame
from training import TrainingTest

DATA = frame.ROOT / "tests" / "data" / "finetune"
MODEL = DATA / "model"
EXPECTED = json.loads((DATA / "expected.json").read_text(encoding="utf-8"))
SEQ_LEN = EXPECTED["seq_len"]

CASES = {
    "completions": ["--data", DATA / "completions.jsonl"],
    "messages": ["--data", DATA / "messages.jsonl"],
    "texts": ["--data", DATA / "texts.jsonl"],
    "texts_isolated": ["--data", DATA / "texts.jsonl", "--isolate-documents"],
}
OPTIMIZERS = {
    "sgd": ["--optimizer", "sgd", "--lr", 0.05],
    "adamw": ["--optimizer", "adamw", "--lr", 0.01, "--beta1", 0.9, "--beta2", 0.95, "--eps", 1e-8],
}
FIXED = ["--seq-len", SEQ_LEN, "--lr-schedule", "constant", "--grad-clip", 0]


def token_file(path):
    """The tokens of a token file: [id, counts, begins], None for padding."""
    data = path.read_bytes()[256:]
    tokens = struct.unpack(f"<{len(data) // 4}I", data)
    return [None if t == 0xFFFFFFFF else [t & 0x3FFFFFFF, 1 - (t >> 31), t >> 30 & 1] for t in tokens]


class FineTuneTest(TrainingTest):
    def flags_of(self, case, *more):
        rows = len(EXPECTED["cases"][case]["tokens"]) // SEQ_LEN
        return [*CASES[case], *FIXED, "--steps", EXPECTED["steps"], "--batch-size", rows, *more]


class Oracle(FineTuneTest):
    def test_rows_are_those_of_transformers(self):
        for case, expected in ((case, EXPECTED["cases"][case]) for case in CASES):
            with self.subTest(case=case):
                self.train(MODEL, *self.flags_of(case, "--report", "r.json"))
                self.assertEqual(token_file(self.directory / "out" / "train.tokens"), expected["tokens"])
                data = self.read_json("r.json")["data"]
                for field in ("truncated", "truncated_tokens", "dropped"):
                    self.assertEqual(data[field], expected.get(field, 0), field)
                self.assertEqual(data["padding"], expected["tokens"].count(None))

    def test_losses_are_those_of_transformers(self):
        for case, expected in ((case, EXPECTED["cases"][case]) for case in CASES):
            for optimizer, flags in OPTIMIZERS.items():
                with self.subTest(case=case, optimizer=optimizer):
                    lines, _ = self.train(MODEL, *self.flags_of(case, *flags))
                    self.assertEqual({line["predictions"] for line in lines}, {expected["predictions"]})
                    for line, loss in zip(lines, expected[optimizer], strict=True):
                        self.assertAlmostEqual(line["loss"], loss, delta=1e-4)


class Beside(FineTuneTest):
    """What stands beside messages, or in one, and is no text of it."""

    def tokens_of(self, examples, template=None):
        config = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))
        self.write("model/config.json", {**config, "max_position_embeddings": 512})
        for name in ("model.safetensors", "tokenizer.json", "tokenizer_config.json"):
            self.write(f"model/{name}", (MODEL / name).read_bytes())
        if template:
            self.write("model/chat_template.jinja", template)
        path = self.write("data.jsonl", "".join(json.dumps(example) + "\n" for example in examples))
        self.train("model", "--data", path, "--seq-len", 512, "--steps", 1, "--batch-size", 1, "--report", "r.json")
        found = []
        for token in token_file(self.directory / "out" / "train.tokens"):
            if token is None:
                continue
            if token[2]:
                found.append([])
            found[-1].append(token[:2])
        return found

    def test_templates_get_tools_documents_and_variables_as_transformers_gives_them(self):
        expected = json.loads((DATA / "tools.json").read_text(encoding="utf-8"))
        self.assertEqual(self.tokens_of(expected["examples"], expected["template"]), expected["tokens"])
        self.assertEqual(self.read_json("r.json")["data"]["without_tools"], 0)

    def test_what_is_not_to_be_learned_does_not_count(self):
        user = {"role": "user", "content": "two and two?"}
        wrong = {"role": "assistant", "content": "three"}
        right = {"role": "assistant", "content": "four"}
        talk = [user, wrong, user, right]
        (expected,) = self.tokens_of([{"messages": talk}])
        first = [token[1] for token in expected].index(1)
        last = first + [token[1] for token in expected[first:]].index(0)
        for token in expected[first:last]:
            token[1] = 0
        self.assertIn(1, [token[1] for token in expected])
        for no in ({"weight": 0}, {"train": False}):
            with self.subTest(no=no):
                weighted = [user, {**wrong, **no}, user, {**right, "weight": 1}]
                self.assertEqual(self.tokens_of([{"messages": weighted}]), [expected])
                left_out = {"messages": talk, **no}
                self.assertEqual(self.tokens_of([{"messages": weighted}, left_out]), [expected])
                self.assertEqual(self.read_json("r.json")["data"]["dropped"], 1)

    def test_what_the_template_does_not_write_is_said(self):
        talk = [{"role": "user", "content": "two?"},
                {"role": "assistant", "content": "<think>one and one</think>four"}]  # fmt: skip
        template = ("{% for m in messages %}{{ m.role }}: {{ m.content.split('</think>')[-1] }}</s>"
                    "{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}")  # fmt: skip
        examples = [{"messages": talk}, {"messages": talk[:1] + [{"role": "assistant", "content": "four"}]}]
        self.tokens_of([{**example, "tools": [{"name": "f"}]} for example in examples], template)
        data = self.read_json("r.json")["data"]
        self.assertEqual((data["without_reasoning"], data["without_tools"]), (1, 2))
        said = self.headroom("eval", "model", "--data", "data.jsonl", "--seq-len", 512).stderr
        self.assertIn("warning: the chat template does not write the reasoning", said)
        self.assertIn("in some or all messages of 1 of 2 documents", said)
        self.assertIn("the tools or documents of 2 of 2 documents", said)


class SameBits(FineTuneTest):
    def test_micro_batches_threads_and_checkpointing(self):
        flags = [*CASES["completions"], *FIXED, "--steps", 6, "--batch-size", 2, "--grad-clip", 1.0]
        del flags[flags.index("--grad-clip") : flags.index("--grad-clip") + 2]
        expected = self.train(MODEL, *flags)
        self.assertGreater(len({line["predictions"] for line in expected[0]}), 1)
        self.assertEqual(self.train(MODEL, *flags, "--grad-accum", 2), expected)
        self.assertEqual(self.train(MODEL, *flags, "--threads", 3, "--checkpointing", "full"), expected)

    def test_train_and_eval_measure_the_same(self):
        for case, rows in CASES.items():
            with self.subTest(case=case):
                held_out = ["--eval-data", rows[1], *rows[2:]]
                self.train(MODEL, "--data", DATA / "texts.jsonl", *held_out, *FIXED, "--steps", 2, "--batch-size", 2,
                           "--report", "train.json")  # fmt: skip
                self.headroom("eval", "out", *rows, "--seq-len", SEQ_LEN, "--report", "eval.json", "--quiet")
                report = self.read_json("eval.json")
                self.assertEqual(report["loss"], self.read_json("train.json")["eval_loss"])
                for field in ("truncated", "truncated_tokens", "dropped"):
                    self.assertEqual(report[field], EXPECTED["cases"][case].get(field, 0))

    def test_the_token_file_is_used_again(self):
        flags = [*CASES["completions"], *FIXED, "--batch-size", 2, "--save-every", 1]
        expected = self.train(MODEL, *flags, "--steps", 4, output="plain")
        self.train(MODEL, *flags, "--steps", 2)
        before = (self.directory / "out" / "train.tokens").stat().st_mtime_ns
        self.assertEqual(self.go_on(MODEL, *flags, "--steps", 4, "--resume"), expected)
        self.assertEqual((self.directory / "out" / "train.tokens").stat().st_mtime_ns, before)


class Refused(FineTuneTest):
    def refuse(self, says, *flags):
        message = self.refused(*self.command(MODEL, *flags, *FIXED, "--batch-size", 1))
        for word in says:
            self.assertIn(word, message)
        self.assertFalse((self.directory / "out").exists())

    def test_lines(self):
        for line, says in {
            '{"body": "b"}': ["expected exactly one of"],
            '{"text": "a", "completion": "b"}': ["several kinds", "expected exactly one of"],
            '{"prompt": "a"}': ['"prompt" without "completion"'],
            '{"prompt": "a", "completion": ["b"]}': ['expected a text in "completion"'],
            '{"prompt": "a", "completion": "' + "x" * 2**18 + '"}': ["262,144 bytes"],
        }.items():
            with self.subTest(line=line[:40]):
                path = self.write("data.jsonl", '{"prompt": "a", "completion": "b"}\n' + line + "\n")
                self.refuse([*says, "data.jsonl", "line 2"], "--data", path)
                self.refused("eval", MODEL, "--data", path, "--quiet")

    def test_conversations(self):
        user = '{"role": "user", "content": "a"}'
        for messages, says in {
            "[]": ["a conversation without messages"],
            '[{"role": "user"}]': ['a message without a text "content"'],
            f'[{user}, {{"role": "assistant", "content": "b", "audio": {{}}}}]': ['expected a text in "audio"'],
            f'[{user}, {{"role": "assistant", "content": "b", "weight": 0.5}}]': ['a "weight" of 0.5'],
            f'[{user}], "functions": []': ['the field "functions" beside an example is not known'],
            f'[{user}], "tools": {{}}': ['expected a list in "tools"'],
        }.items():
            with self.subTest(messages=messages):
                path = self.write("data.jsonl", '{"text": "a"}\n{"messages": ' + messages + "}\n")
                self.refuse([*says, "data.jsonl", "line 2"], "--data", path)

    def test_a_model_without_a_chat_template(self):
        for name in ("config.json", "model.safetensors", "tokenizer.json"):
            self.write(f"plain/{name}", (MODEL / name).read_bytes())
        self.write("plain/tokenizer_config.json", {"bos_token": "<s>", "eos_token": "</s>"})
        self.train("plain", "--data", DATA / "completions.jsonl", *FIXED, "--steps", 1, "--batch-size", 1)
        command = self.command("plain", "--data", DATA / "messages.jsonl", *FIXED, output="other")
        message = self.refused(*command)
        for word in ("messages.jsonl", "no chat template", "line 1"):
            self.assertIn(word, message)

    def test_nothing_that_counts(self):
        path = self.write("data.jsonl", json.dumps({"prompt": "the cat " * 100, "completion": "x"}) + "\n")
        self.refuse(["data.jsonl", "none of 1 examples", "--seq-len"], "--data", path)
        self.assertIn("no prediction counts", self.refused("eval", MODEL, "--data", path, "--quiet"))

    def test_given_batches_have_no_documents_to_isolate(self):
        tokens = self.write("tokens.json", {"batches": [[[1, 2, 3, 4]]]})
        message = self.refused("train", MODEL, "--tokens", tokens, "--output", "out", "--isolate-documents", "--quiet")
        self.assertIn("--isolate-documents: expected with --data", message)

    def test_isolation_may_not_change_on_resume(self):
        flags = ["--data", DATA / "texts.jsonl", *FIXED, "--steps", 2, "--batch-size", 1]
        self.train(MODEL, *flags)
        message = self.refused(*self.command(MODEL, *flags, "--isolate-documents", "--resume"))
        self.assertIn("--isolate-documents", message)


class Budget(FineTuneTest):
    def check(self, report):
        report = self.read_json(report)
        self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
        over = report["predicted_peak_bytes"] - report["measured_peak_bytes"]
        self.assertLessEqual(over, max(report["predicted_peak_bytes"] // 100, 8 << 20))

    def test_large_examples_are_in_the_plan(self):
        turns = [{"role": ("user", "assistant")[at % 2], "content": "the cat \u00e9 " * 1900} for at in range(12)]
        lines = [{"prompt": "two and two " * 10000, "completion": "four" * 30000}, {"messages": turns}]
        lines += [{"prompt": "two and two", "completion": " is four"}] * 8
        path = self.write("data.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        for seq_len, batch in ((48, 1), (64, 64)):  # a small arena and a larger one
            with self.subTest(seq_len=seq_len):
                flags = ["--seq-len", seq_len, "--batch-size", batch, "--steps", 2, "--memory", "256MiB"]
                self.train(MODEL, "--data", path, *flags, "--report", "r.json")
                self.check("r.json")
                plan = self.headroom("plan", MODEL, "--data", path, *flags, "--threads", 1, "--json").stdout
                predicted = self.read_json("r.json")["predicted_peak_bytes"]
                self.assertEqual(json.loads(plan)["predicted_peak_bytes"], predicted)
        self.headroom("eval", MODEL, "--data", path, "--seq-len", 64, "--quiet", "--report", "e.json")
        self.check("e.json")


class Told(FineTuneTest):
    def test_what_is_lost_is_said(self):
        command = self.command(MODEL, *self.flags_of("completions"))
        command.remove("--quiet")
        told = self.headroom(*command).stderr
        lost = EXPECTED["cases"]["completions"]["truncated_tokens"]
        self.assertIn(f"1 examples are longer than --seq-len and lost {lost} tokens", told)
        self.assertIn("1 examples were left out", told)


if __name__ == "__main__":
    frame.main()
