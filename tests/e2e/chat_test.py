"""Talks with the built command: what a model with a chat template is asked, and how a conversation goes on and ends."""

import json
import signal
import unittest

import frame

TEXT = "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.\n"
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'assistant' %} {{ message.content }}{{ eos_token }}"
    "{% elif message.role == 'system' %}{{ message.content }}\n"
    "{% else %}Q: {{ message.content }}\nA:{% endif %}"
    "{% endfor %}"
)
QUIET = ["--memory", "128MiB", "--quiet", "--threads", "1"]
FEW = ["--max-new-tokens", "12", "--temperature", "1", "--seed", "3"]


class Chat(frame.CommandTest):
    """A random model whose tokenizer has a chat template; its answers make no sense, but are always the same."""

    def setUp(self):
        super().setUp()
        text = self.write("text.txt", TEXT * 20)
        self.headroom("init", "tiny-300k", "--output", "model", "--tokenizer-data", text, "--quiet")
        self.config = self.read_json("model/tokenizer_config.json")
        self.bos, self.eos = self.config["bos_token"], self.config["eos_token"]
        self.use_template(TEMPLATE)

    def use_template(self, template):
        self.write("model/tokenizer_config.json", {**self.config, "chat_template": template})

    def chat(self, *flags, lines=None, **options):
        done = self.headroom("generate", "model", "--chat", *flags, *QUIET, input=lines, **options)
        return done.stdout

    def raw(self, prompt, *flags):
        """The text that follows a prompt which holds the begin token already."""
        config = self.read_json("model/tokenizer.json")
        config["post_processor"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False}
        for name in ("config.json", "model.safetensors", "tokenizer_config.json"):
            self.write(f"raw/{name}", (self.directory / "model" / name).read_bytes())
        self.write("raw/tokenizer.json", config)
        return self.headroom("generate", "raw", "--prompt", prompt, *flags, *QUIET).stdout

    def ids(self, text):
        texts = self.write("texts.json", [text])
        flags = ["--input", texts, "--no-special-tokens"]
        return json.loads(self.headroom("tokenize", "model", *flags).stdout)[0]

    def test_a_prompt_is_one_turn_in_the_models_own_words(self):
        answer = self.chat("--prompt", "it was?", *FEW, "--report", "r.json")
        self.assertTrue(answer)
        self.assertEqual(answer, self.raw(f"{self.bos}Q: it was?\nA:", *FEW))
        report = self.read_json("r.json")
        self.assertEqual((report["turns"], report["prompt_tokens"]), (1, len(self.ids(f"{self.bos}Q: it was?\nA:"))))
        self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
        with_system = self.chat("--prompt", "it was?", "--system", "of times", *FEW)
        self.assertEqual(with_system, self.raw(f"{self.bos}of times\nQ: it was?\nA:", *FEW))
        self.assertEqual(answer, self.chat("--prompt-file", self.write("p.txt", "it was?"), *FEW))

    def test_turns_keep_the_cache_and_give_what_reading_it_all_again_gives(self):
        text = self.chat(*FEW, "--report", "r.json", lines="it was?\nand?\nof wisdom\n")
        expected, rendered, alone = "", self.bos, 0
        for question in ("it was?", "and?", "of wisdom"):
            rendered += f"Q: {question}\nA:"
            answer = self.raw(rendered, *FEW)
            alone += len(self.ids(rendered))
            expected += answer + ("" if answer.endswith("\n") else "\n")
            rendered += f" {answer}{self.eos}"
        self.assertEqual(text, expected)
        report = self.read_json("r.json")
        self.assertEqual((report["turns"], report["finish"]), (3, "length"))
        self.assertLess(report["prompt_tokens"], alone * 3 / 4)
        self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
        slack = max(report["predicted_peak_bytes"] // 100, 8 << 20)
        self.assertLessEqual(report["predicted_peak_bytes"] - report["measured_peak_bytes"], slack)

    def test_an_empty_line_ends_the_conversation(self):
        self.assertEqual(self.chat(*FEW, lines="it was?\n\nand?\n"), self.chat(*FEW, lines="it was?"))
        self.assertEqual(self.chat(lines=""), "")

    def test_a_full_context_ends_the_conversation_and_says_so(self):
        flags = ["--context", "64", "--max-new-tokens", "4", *QUIET, "--report", "r.json"]
        done = self.headroom("generate", "model", "--chat", *flags, input="it was the age?\n" * 20)
        self.assertIn("the conversation does not fit the context of 64 tokens; try a larger --context", done.stderr)
        report = self.read_json("r.json")
        self.assertEqual(report["finish"], "context")
        self.assertTrue(2 <= report["turns"] < 20, report["turns"])
        sentence = self.refused("generate", "model", "--chat", "--prompt", "it was " * 99, "--context", "64", *QUIET)
        self.assertIn("does not fit the context of 64 tokens; try a larger --context, or a shorter message", sentence)

    def test_the_plan_is_the_job(self):
        plan = ["plan", "model", "--task", "generate", "--json", "--memory", "128MiB", "--threads", "1"]
        planned = json.loads(self.headroom(*plan, "--chat").stdout)
        self.chat("--prompt", "it was?", *FEW, "--report", "r.json")
        report = self.read_json("r.json")
        for key in ("predicted_peak_bytes", "arena_bytes", "reserve_bytes"):
            self.assertEqual(planned[key], report[key], key)
        plain = json.loads(self.headroom(*plan, "--context", "256").stdout)
        self.assertLess(plain["reserve_bytes"], report["reserve_bytes"])

    def test_log_probabilities_are_of_one_prompt(self):
        answer = self.chat("--prompt", "it was?", *FEW, "--logprobs", "log.json")
        log = self.read_json("log.json")
        self.assertEqual(log["prompt_ids"], self.ids(f"{self.bos}Q: it was?\nA:"))
        self.assertEqual("".join(token["text"] for token in log["tokens"]), answer)
        self.assertIn("--logprobs", self.refused("generate", "model", "--chat", "--logprobs", "log.json", *QUIET))

    def test_bytes_that_are_no_text_are_a_message_all_the_same(self):
        message = b"\xff\xfe".decode(errors="surrogateescape")
        self.chat(*FEW, "--prompt", message)

    def test_refusals_name_what_is_missing_or_not_supported(self):
        endless = "{% for a in range(999) %}{% for b in range(999) %}{{ '' if a in [b] }}{% endfor %}{% endfor %}"
        for template, words in (
            ("{% include 'x' %}", "the tag {% include %} is not supported"),
            ("{{ raise_exception('no users here') }}", "refuses this conversation: no users here"),
            ("{% if false %}x{% endif %}", "the chat template writes nothing"),
            (endless, "come to an end"),
        ):
            with self.subTest(template=template):
                self.use_template(template)
                self.assertIn(words, self.refused("generate", "model", "--chat", "--prompt", "a", *QUIET))
        self.use_template(None)
        sentence = self.refused("generate", "model", "--chat", "--prompt", "a", *QUIET)
        self.assertIn("the model has no chat template; expected chat_template.jinja, or chat_template in", sentence)
        self.assertIn("--chat", self.refused("generate", "model", "--system", "a", "--prompt", "b", *QUIET))

    def test_an_interrupt_stops_the_answer_and_the_conversation_goes_on(self):
        flags = ["--temperature", "1", "--context", "256", *QUIET, "--report", "r.json"]
        process = self.start("generate", "model", "--chat", *flags, stdin=-1)
        process.stdin.write("it was?\n")
        process.stdin.flush()
        self.assertTrue(process.stdout.read(1))
        process.send_signal(signal.SIGINT)
        process.communicate("and?\n", timeout=60)
        self.assertEqual(process.returncode, frame.DONE)
        self.assertEqual(self.read_json("r.json")["turns"], 2)


if __name__ == "__main__":
    frame.main()
