"""Data are read by what files hold, not by their names; what cannot be read is noticed before any plan is printed."""

import csv
import gzip
import io
import json

import frame
from training import TrainingTest

DATA = frame.ROOT / "tests" / "data" / "finetune"
MODEL = DATA / "model"
FLAGS = ["--seq-len", 32, "--batch-size", 4, "--lr", 0.01]


def lines_of(name):
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def json_lines(records):
    return "".join(json.dumps(record) + "\n" for record in records)


def table(records, delimiter=","):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


class Forms(TrainingTest):
    def expect_same(self, expected, name, content):
        with self.subTest(name=name):
            path = self.write(name, content)
            self.assertEqual(self.train(MODEL, "--data", path, *FLAGS), expected)
            self.headroom("eval", MODEL, "--data", path, "--seq-len", 32, "--report", "r.json", "--quiet")
            self.losses.add(self.read_json("r.json")["loss"])

    def setUp(self):
        super().setUp()
        self.losses = set()

    def test_prompts_and_completions(self):
        records = [{key: line[key] for key in ("prompt", "completion")} for line in lines_of("completions.jsonl")]
        expected = self.train(MODEL, "--data", self.write("plain.jsonl", json_lines(records)), *FLAGS)
        for name in ("a.JSONL", "b.jsonlines", "c.ndjson", "d.jsonl.txt", "e.txt", "f"):
            self.expect_same(expected, name, json_lines(records))
        self.expect_same(expected, "g.json", json.dumps(records))
        self.expect_same(expected, "h.txt", json.dumps(records, indent=2))
        self.expect_same(expected, "i.csv", table(records))
        self.expect_same(expected, "j.txt", table(records))
        self.expect_same(expected, "k.tsv", table(records, "\t"))
        self.expect_same(expected, "l.jsonl.gz", gzip.compress(json_lines(records).encode()))
        self.expect_same(expected, "m.csv.gz", gzip.compress(table(records).encode()))
        self.assertEqual(len(self.losses), 1)

    def test_conversations(self):
        records = [{"messages": line["messages"]} for line in lines_of("messages.jsonl")]
        expected = self.train(MODEL, "--data", self.write("plain.jsonl", json_lines(records)), *FLAGS)
        speakers = {"user": "human", "assistant": "gpt", "system": "system"}
        share = [
            {"conversations": [{"from": speakers[m["role"]], "value": m["content"]} for m in r["messages"]], "id": n}
            for n, r in enumerate(records)
        ]
        self.expect_same(expected, "sharegpt.json", json.dumps(share))
        parts = [{"messages": [{**m, "content": [{"type": "text", "text": m["content"]}]} for m in r["messages"]]}
                 for r in records]  # fmt: skip
        self.expect_same(expected, "parts.jsonl", json_lines(parts))
        worse = {"role": "assistant", "content": "no idea"}
        records = [record for record in records if len(record["messages"]) > 1]
        pairs = [{"prompt": r["messages"][:-1], "chosen": r["messages"][-1:], "rejected": [worse]} for r in records]
        asked = [{"prompt": r["messages"][:-1], "completion": r["messages"][-1:]} for r in records]
        expected = self.train(MODEL, "--data", self.write("asked.jsonl", json_lines(asked)), *FLAGS)
        self.expect_same(expected, "pairs.jsonl", json_lines(pairs))
        self.assertEqual(self.read_json("r.json")["preferences"], len(pairs))

    def test_instructions(self):
        records = [{"instruction": "add", "input": f"{n} and {n}", "output": str(2 * n)} for n in range(6)]
        records += [{"instruction": f"say {n}", "input": "", "output": str(n)} for n in range(6)]
        chats = [{"messages": [{"role": "user", "content": (r["instruction"] + "\n" + r["input"]).strip()},
                               {"role": "assistant", "content": r["output"]}]} for r in records]  # fmt: skip
        expected = self.train(MODEL, "--data", self.write("chats.jsonl", json_lines(chats)), *FLAGS)
        self.expect_same(expected, "alpaca.json", json.dumps(records))
        self.expect_same(expected, "alpaca.csv", table(records))
        for name in ("model.safetensors", "tokenizer.json"):
            self.write(f"base/{name}", (MODEL / name).read_bytes())
        config = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))
        self.write("base/config.json", {**config, "max_position_embeddings": 256})
        self.write("base/tokenizer_config.json", {"bos_token": "<s>", "eos_token": "</s>"})
        more = ", paired with an input that provides further context"
        stanford = [{"prompt": f"Below is an instruction that describes a task{more if r['input'] else ''}. Write a "
                               f"response that appropriately completes the request.\n\n### Instruction:\n"
                               f"{r['instruction']}\n\n"
                               + (f"### Input:\n{r['input']}\n\n" if r["input"] else "") + "### Response:\n",
                     "completion": r["output"]} for r in records]  # fmt: skip
        long = ["--seq-len", 256, "--batch-size", 4, "--lr", 0.01]
        expected = self.train("base", "--data", self.write("prompts.jsonl", json_lines(stanford)), *long)
        self.assertEqual(self.train("base", "--data", "alpaca.json", *long), expected)

    def test_texts_of_a_new_tokenizer(self):
        texts = ["the cat sat on the mat\n", "two and two is \"four\"\n"] * 20
        made = []
        for name, content in {"a.txt": "".join(texts), "b.gz": gzip.compress("".join(texts).encode()),
                              "c.jsonl": json_lines({"text": text} for text in texts)}.items():  # fmt: skip
            self.headroom("init", "tiny-300k", "--output", f"new-{name}", "--tokenizer-data",
                          self.write(name, content), "--vocabulary", 280, "--quiet")  # fmt: skip
            made.append((self.directory / f"new-{name}" / "tokenizer.json").read_text(encoding="utf-8"))
        self.assertEqual(made[0], made[1])
        self.assertEqual(made[0], made[2])

    def test_texts(self):
        text = "the cat sat on the mat and two and two is four\n" * 40
        expected = self.train(MODEL, "--data", self.write("plain.txt", text), *FLAGS)
        for name in ("text", "text.md", "text.csv.bak"):
            self.expect_same(expected, name, text)
        self.expect_same(expected, "text.gz", gzip.compress(text.encode()))


class Refused(TrainingTest):
    def test_files_that_cannot_be_read_are_noticed_before_a_plan_is_printed(self):
        self.write("folder/a.txt", "text")
        self.write("empty.txt", "")
        self.write("data.parquet", b"PAR1" + bytes(100) + b"PAR1")
        sound = self.write("sound.txt", "the cat sat on the mat " * 100)
        for name, says in {"none.txt": "No such file", "folder": "is a directory", "empty.txt": "is empty",
                           "data.parquet": "read_parquet('data.parquet').to_json"}.items():  # fmt: skip
            for command in (["train", MODEL, "--output", "out", "--data", sound, name],
                            ["train", MODEL, "--output", "out", "--data", sound, "--eval-data", name],
                            ["plan", MODEL, "--data", sound, name],
                            ["eval", MODEL, "--data", sound, name]):  # fmt: skip
                with self.subTest(name=name, command=command[0]):
                    message = self.refused(*command)
                    self.assertIn(name, message)
                    self.assertIn(says, message)
                    self.assertNotIn("Memory at the peak", message)
                    self.assertFalse((self.directory / "out").exists())


if __name__ == "__main__":
    frame.main()
