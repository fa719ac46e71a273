"""Answers many prompts side by side with the built command: each text is the one that its prompt has alone."""

import json
import shutil
import signal
import time
import unittest

import frame

STORIES = frame.ROOT.parent / "shared" / "data" / "stories260K-hf"
QUIET = ["--memory", "128MiB", "--quiet", "--threads", "1"]
PROMPTS = [
    "Once upon a time",
    "The dog",
    "One day, a girl named Lily went to the park. She saw a big tree and",
    "",
    "Tom had a red ball.",
    "It was a sunny day",
    "Mom said",
]
TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}] {{ m.content }} {% endfor %}{% if tools %}{{ tools | length }}{% endif %}"
)


@unittest.skipUnless(STORIES.exists(), "the model stories260K is not there")
class Prompts(frame.CommandTest):
    def write_prompts(self, rows, name="prompts.jsonl"):
        path = self.directory / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    def answers(self, rows, *flags, model=STORIES):
        self.write_prompts(rows)
        arguments = ["--prompts", "prompts.jsonl", "--output", "answers.jsonl", *flags, *QUIET]
        self.headroom("generate", model, *arguments)
        return self.read_answers()

    def read_answers(self):
        """And takes the file away, which a run would not replace."""
        path = self.directory / "answers.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines()
        path.unlink()
        return [json.loads(line) for line in lines]

    def alone(self, prompt, *flags, model=STORIES):
        return self.headroom("generate", model, "--prompt", prompt, *flags, *QUIET).stdout

    def test_each_text_is_the_one_that_it_has_alone(self):
        flags = ["--max-new-tokens", "40", "--temperature", "0.8", "--top-p", "0.9", "--stop", "friend"]
        rows = [{"prompt": prompt, "seed": seed, "id": f"p{seed}"} for seed, prompt in enumerate(PROMPTS)]
        expected = [self.alone(prompt, "--seed", str(seed), *flags) for seed, prompt in enumerate(PROMPTS)]
        self.assertGreater(len(set(expected)), 5)
        for parallel in [["--parallel", "1"], ["--parallel", "3"], ["--parallel", "16", "--prefill-chunk", "8"], []]:
            got = self.answers(rows, *flags, *parallel)
            self.assertEqual([answer["text"] for answer in got], expected, parallel)
            self.assertEqual([answer["index"] for answer in got], list(range(len(PROMPTS))))
            self.assertEqual([answer["id"] for answer in got], [row["id"] for row in rows])

    def test_a_budget_chooses_how_many_go_side_by_side(self):
        rows = [{"prompt": prompt} for prompt in PROMPTS * 3]
        self.write_prompts(rows)
        base = ["generate", STORIES, "--prompts", "prompts.jsonl", "--output", "answers.jsonl", "--threads", "1"]
        texts = set()
        choices = []
        smallest = self.smallest_budget(*base, "--context", "512")
        for memory in ["128MiB", smallest]:
            flags = ["--memory", memory, "--context", "512", "--report", "r.json", "--quiet"]
            self.headroom(*base, *flags)
            report = self.read_json("r.json")
            self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
            self.assertEqual(report["turns"], len(rows))
            choices.append(json.dumps(report["choices"]))
            texts.add(json.dumps(self.read_answers()))
        self.assertEqual(len(texts), 1)
        self.assertIn("16 sequences", choices[0])
        self.assertNotIn("sequences", choices[1])

    def smallest_budget(self, *arguments):
        done = self.headroom(*arguments, "--memory", "1MiB", "--report", "refusal.json", "--quiet", expect=3)
        self.assertEqual(done.stdout, "")
        return str(self.read_json("refusal.json")["smallest_budget_bytes"])

    def test_chats_go_through_the_template(self):
        model = self.directory / "chatty"
        shutil.copytree(STORIES, model)
        self.write("chatty/chat_template.jinja", TEMPLATE)
        rows = [
            {"prompt": "Hello"},
            {"messages": [{"role": "user", "content": "Hello"}]},
            {"system": "Be kind", "prompt": "Hello"},
            {"messages": [{"role": "user", "content": "Hello"}], "tools": [{"type": "function"}]},
        ]
        got = self.answers(rows, "--chat", "--max-new-tokens", "12", model=model)
        one = self.alone("Hello", "--chat", "--max-new-tokens", "12", model=model)
        self.assertEqual([answer["text"] for answer in got[:2]], [one, one])
        raw = ["[system] Be kind [user] Hello ", "[user] Hello 1"]
        self.assertEqual([a["prompt_tokens"] for a in got[2:]], [self.count_tokens(text) for text in raw])

    def count_tokens(self, text):
        (self.directory / "texts.json").write_text(json.dumps([text]), encoding="utf-8")
        arguments = ["--input", "texts.json", "--output", "ids.json", "--no-special-tokens"]
        self.headroom("tokenize", STORIES, *arguments)
        return len(self.read_json("ids.json")[0])

    def test_what_is_no_prompt_is_refused_with_its_line(self):
        good = {"prompt": "Once"}
        for row, words in [
            ({"text": "Once"}, '"text" of a prompt is not known'),
            ({"prompt": 5}, 'without a text "prompt"'),
            ({"prompt": "a", "seed": -1}, '"seed" of -1'),
            ({"messages": []}, "try --chat"),
            ({"prompt": "word " * 2000}, "more than 512 tokens"),
            ({"id": "x"}, 'without a text "prompt"'),
        ]:
            self.write_prompts([good, row])
            arguments = ["--prompts", "prompts.jsonl", "--output", "answers.jsonl", *QUIET]
            done = self.headroom("generate", STORIES, *arguments, expect=2)
            self.assertIn("prompts.jsonl", done.stderr)
            self.assertIn("line 2", done.stderr)
            self.assertIn(words, done.stderr)
            self.assertFalse((self.directory / "answers.jsonl").exists())

    def test_flags_that_contradict_are_refused(self):
        self.write_prompts([{"prompt": "Once"}])
        self.write("old.jsonl", "what somebody waited for")
        for flags, words in [
            (["--prompts", "prompts.jsonl"], "expected --output"),
            (["--prompts", "prompts.jsonl", "--output", "prompts.jsonl"], "prompts.jsonl"),
            (["--prompts", "prompts.jsonl", "--output", "a.jsonl", "--prompt", "x"], "--prompts"),
            (["--prompts", "prompts.jsonl", "--output", "a.jsonl", "--logprobs", "l.json"], "--logprobs"),
            (["--prompts", "prompts.jsonl", "--output", "a.jsonl", "--parallel", "0"], "--parallel"),
            (["--prompts", "prompts.jsonl", "--output", "old.jsonl"], "old.jsonl: it exists"),
            (["--prompt", "x", "--output", "a.jsonl"], "--output"),
            (["--prompt", "x", "--parallel", "2"], "--parallel"),
        ]:
            done = self.headroom("generate", STORIES, *flags, *QUIET, expect=2)
            self.assertIn(words, done.stderr)

    def test_a_signal_leaves_the_answers_that_were_complete(self):
        rows = [{"prompt": prompt} for prompt in PROMPTS] * 400
        self.write_prompts(rows)
        arguments = ["--prompts", "prompts.jsonl", "--output", "answers.jsonl", "--parallel", "2", *QUIET]
        process = self.start("generate", STORIES, *arguments)
        while not any(self.directory.glob("answers.jsonl*")):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        process.communicate()
        self.assertEqual(process.returncode, 143)
        answers = self.read_answers()
        self.assertLess(len(answers), len(rows))
        self.assertEqual(len({answer["index"] for answer in answers}), len(answers))


if __name__ == "__main__":
    frame.main()
