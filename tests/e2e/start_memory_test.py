"""What a process is started with counts: its arguments, the lists of files and texts in them, its environment.

  measured (VmHWM) <= predicted <= budget,  predicted - measured <= max(1 %, 8 MiB)
"""

import resource

import frame
from training import TrainingTest

MIB = 1 << 20
STACK = 256 * MIB  # arguments and environment may have a quarter of it, and at most 6 MiB


def large_stack():
    resource.setrlimit(resource.RLIMIT_STACK, (STACK, STACK))


class StartMemory(TrainingTest):
    def setUp(self):
        super().setUp()
        self.model = self.text_model()

    def files(self, count, length):
        """`count` files of a line each, their names `length` characters long."""
        names = [f"books/{number:06}".ljust(length - 4, "x") + ".txt" for number in range(count)]
        for name in names:
            self.write(name, f"the budget of process {name[6:12]}\n")
        return names

    def keep_the_promise(self, *command, environment=None):
        """Refused under one byte, a run under the smallest budget that this names measures what was predicted."""
        threads = [] if command[0] == "convert" else ["--threads", 1]
        command = [*command, *threads, "--quiet", "--report", "r.json"]
        options = {"environment": environment, "preexec_fn": large_stack}
        self.refused(*command, "--memory", 1, expect=frame.OVER_BUDGET, **options)
        smallest = self.read_json("r.json")["smallest_budget_bytes"]
        self.headroom(*command, "--memory", smallest, **options)
        report = self.read_json("r.json")
        self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
        self.assertEqual(report["predicted_peak_bytes"], smallest)
        self.assertLessEqual(smallest - report["measured_peak_bytes"], 8 * MIB)
        return smallest

    def training(self, *data, output="out"):
        shape = ["--steps", 1, "--batch-size", 2, "--seq-len", 32]
        return ["train", self.model, "--output", output, *shape, "--data", *data]

    def test_named_files_count(self):
        few = self.keep_the_promise(*self.training("text.txt"))
        names = self.files(20000, 24)
        many = self.keep_the_promise(*self.training(*names[:3000], output="many"))
        self.assertGreater(many, few)
        self.keep_the_promise(*self.training(*names[:5000], output="more"))
        self.keep_the_promise(*self.training(*names, output="most"))
        self.keep_the_promise(*self.training("text.txt", "--eval-data", *names[:5000], output="held"))
        self.keep_the_promise("eval", self.model, "--seq-len", 32, "--data", *names)

    def test_files_of_long_names_count(self):
        self.keep_the_promise(*self.training(*self.files(15000, 200)))

    def test_the_environment_counts(self):
        large = {f"V{number}": 120_000 * "x" for number in range(43)}
        for environment in (large, {f"V{number}": "x" for number in range(40000)}):
            self.keep_the_promise(*self.training("text.txt", output=f"out{len(environment)}"), environment=environment)
            self.keep_the_promise("generate", self.model, "--prompt", "the", environment=environment)
            self.keep_the_promise("eval", self.model, "--data", "text.txt", environment=environment)
            self.keep_the_promise("convert", self.model, "--output", f"c{len(environment)}", environment=environment)

    def test_as_many_stop_texts_as_are_allowed_count(self):
        words = [f"{number:04}" + 60 * "s" for number in range(1024)]
        stops = [word for text in words for word in ("--stop", text)]
        self.keep_the_promise("generate", self.model, "--prompt", "the", *stops)

    def test_more_stop_texts_are_refused(self):
        for words in (range(5000), range(40000)):
            stops = [word for text in words for word in ("--stop", text)]
            message = self.refused("generate", self.model, "--prompt", "the", *stops, preexec_fn=large_stack)
            self.assertIn(f"--stop: {len(words):,} texts; expected at most 1,024", message)
        stops = [word for number in range(45) for word in ("--stop", f"{number}".ljust(120_000, "s"))]
        message = self.refused("generate", self.model, "--prompt", "the", *stops, preexec_fn=large_stack)
        self.assertIn("--stop: the texts have 5,400,000 bytes; expected at most 65,536 altogether", message)

    def test_a_large_config_counts(self):
        config = self.read_json("model/config.json")
        config["task_specific_params"] = {f"k{number}": {"a": 1} for number in range(12000)}
        self.write("model/config.json", config)
        self.keep_the_promise(*self.training("text.txt"))
        self.keep_the_promise("generate", self.model, "--prompt", "the")
        self.keep_the_promise("eval", self.model, "--data", "text.txt", "--seq-len", 32)
        self.keep_the_promise("convert", self.model, "--output", "converted")

    def test_as_many_labels_as_a_config_holds_count(self):
        shape = self.write("wide.json", {**self.read_json("model/config.json"), "vocab_size": 6000})
        self.headroom("init", shape, "--output", "wide", "--quiet")
        self.write("wide/tokenizer.json", self.read_json("model/tokenizer.json"))
        rows = [f'{{"text": "the budget", "label": {number % 3}}}\n' for number in range(8)]
        self.write("labelled.jsonl", "".join(rows))
        shape = ["--steps", 1, "--batch-size", 2, "--seq-len", 32]
        training = ["train", "wide", "--data", "labelled.jsonl", *shape]
        self.keep_the_promise(*training, "--labels", 5000, "--output", "labelled")
        self.keep_the_promise("eval", "labelled", "--data", "labelled.jsonl", "--seq-len", 32)
        message = self.refused(*training, "--labels", 5900, "--output", "refused")
        self.assertRegex(message, "--labels: 5,900 of them make a config.json of [0-9,]+ bytes; expected at most 261,")

    def test_a_plan_counts_them_as_its_run_does(self):
        names = self.files(5000, 24)
        self.headroom("plan", self.model, *self.training(*names)[2:], "--threads", 1, "--report", "p.json")
        self.headroom(*self.training(*names), "--threads", 1, "--report", "r.json")
        plan, run = self.read_json("p.json"), self.read_json("r.json")
        self.assertEqual(plan["predicted_peak_bytes"], run["predicted_peak_bytes"])


if __name__ == "__main__":
    frame.main()
