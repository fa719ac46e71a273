"""A run that is killed at any moment, or told to stop, goes on with --resume to the bits of one that never was; and
--resume refuses what would make it another run."""

import json
import shutil
import signal
import time

import frame
from training import TIED, UNTIED, TrainingTest, bits, losses

STEPS = 8
SAVING = ["--steps", STEPS, "--save-every", 1, "--lr", 0.01]
TOKENS = ["--tokens", UNTIED / "curve_tokens.json", *SAVING]
TEMPORARY = ".headroom-tmp"

# What may change on --resume, one after the other.
CHANGES = [
    ["--threads", 2],
    ["--memory", "1GiB", "--checkpointing", "none"],
    ["--checkpointing", "full"],
    ["--grad-accum", 2],
    [],
]


class ResumeTest(TrainingTest):
    def names(self, output="out"):
        directory = self.directory / output
        return sorted(path.name for path in directory.iterdir()) if directory.exists() else []

    def checkpoints(self, output="out"):
        """The steps of the checkpoints that lie there under their final names."""
        names = [name for name in self.names(output) if name.startswith("checkpoint-")]
        return sorted(int(name.split("-")[1]) for name in names if not name.endswith(TEMPORARY))

    def signal_at(self, moment, number, *command):
        """Runs the command and sends it the signal as soon as moment() is true. Returns (exit code, stderr)."""
        process = self.start(*command)
        deadline = time.monotonic() + 60
        while process.poll() is None and not moment():
            self.assertLess(time.monotonic(), deadline, "the moment never came")
        if process.poll() is None:
            process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        return process.returncode, errors

    def continue_flags(self):
        return ["--resume"] if self.checkpoints() else []


class Killed(ResumeTest):
    def moments(self):
        """Moments of a run, each a question that is asked all the time."""
        steps = self.directory / "out" / "metrics.jsonl"

        def after_step(count):
            return lambda: steps.exists() and steps.read_bytes().count(b"\n") >= count

        def writing(prefix):
            return lambda: any(name.startswith(prefix) and name.endswith(TEMPORARY) for name in self.names())

        return {
            "before anything": lambda: True,
            "first step": after_step(1),
            "first checkpoint": writing("checkpoint-"),
            "encoded": lambda: "train.tokens" in self.names(),
            "third step": after_step(3),
            "later checkpoint": writing("checkpoint-"),
            "last step": after_step(STEPS),
            "final save": writing("model.safetensors"),
        }

    def check_killed(self, model, *flags):
        expected = self.train(model, *flags, output="plain")
        killed = 0
        for index, (name, moment) in enumerate(self.moments().items()):
            change = CHANGES[index % len(CHANGES)]
            command = self.command(model, *flags, *change, *self.continue_flags())
            code, errors = self.signal_at(moment, signal.SIGKILL, *command)
            self.assertIn(code, (0, -signal.SIGKILL), f"{name}: {errors}")
            killed += code != 0
            # Whatever lies there under its final name is whole.
            for step in self.checkpoints():
                self.headroom("inspect", f"out/checkpoint-{step}")
            if "model.safetensors" in self.names():
                self.assertEqual(bits(self.directory / "out"), expected, name)
        self.assertGreaterEqual(killed, 4, "the runs ended before they could be killed")
        self.assertEqual(self.go_on(model, *flags, *self.continue_flags()), expected)
        self.assertFalse([name for name in self.names() if name.endswith(TEMPORARY)])

    def test_token_file(self):
        self.check_killed(UNTIED, *TOKENS)

    def test_shuffled_text(self):
        flags = ["--data", "text.txt", "--eval-data", "text.txt", "--eval-every", 3, "--batch-size", 4, "--seq-len", 24]
        self.check_killed(self.text_model(tied=True), *flags, *SAVING)

    def test_examples(self):
        data = frame.ROOT / "tests" / "data" / "finetune"
        flags = ["--data", data / "completions.jsonl", "--eval-data", data / "texts.jsonl", "--eval-every", 3]
        self.check_killed(data / "model", *flags, "--isolate-documents", "--batch-size", 2, "--seq-len", 32, *SAVING)

    def test_moments_spread_over_a_run(self):
        flags = [*TOKENS, "--keep-checkpoints", 1]
        start = time.monotonic()
        expected = self.train(UNTIED, *flags, output="plain")
        duration = time.monotonic() - start
        for fraction in range(5, 100, 10):
            with self.subTest(percent=fraction):
                shutil.rmtree(self.directory / "out", ignore_errors=True)
                end = time.monotonic() + duration * fraction / 100
                command = self.command(UNTIED, *flags)
                self.signal_at(lambda at=end: time.monotonic() >= at, signal.SIGKILL, *command)
                self.assertEqual(self.go_on(UNTIED, *flags, *self.continue_flags()), expected)

    def test_a_torn_line_of_metrics_is_cut(self):
        expected = self.train(TIED, *TOKENS[2:], "--tokens", TIED / "curve_tokens.json", output="plain")
        flags = ["--tokens", TIED / "curve_tokens.json", *SAVING]
        moment = self.moments()["third step"]
        self.signal_at(moment, signal.SIGKILL, *self.command(TIED, *flags))
        with open(self.directory / "out" / "metrics.jsonl", "ab") as file:
            file.write(b'{"step": 9, "loss": 5.0, "note": "' + b"longer than the rest of the run " * 200)
        self.assertEqual(self.go_on(TIED, *flags, *self.continue_flags()), expected)

    def test_killed_before_its_first_checkpoint_it_starts_again(self):
        expected = self.train(UNTIED, *TOKENS, output="plain")
        flags = [flag if flag != 1 else 0 for flag in TOKENS]  # --save-every 0
        code, _ = self.signal_at(self.moments()["first step"], signal.SIGKILL, *self.command(UNTIED, *flags))
        self.assertEqual((code, self.checkpoints()), (-signal.SIGKILL, []))
        for again in ([], ["--resume"]):
            shutil.copytree(self.directory / "out", self.directory / "copy")
            self.assertEqual(self.go_on(UNTIED, *flags, *again, output="copy"), expected)
            shutil.rmtree(self.directory / "copy")

    def test_a_checkpoint_is_written_every_so_often(self):
        """By the clock: what a run without --save-every has after ten minutes."""
        model = self.text_model()
        flags = ["--data", "text.txt", "--steps", 3000, "--seq-len", 24, "--batch-size", 4]
        expected = self.train(model, *flags, "--save-every", 0, output="plain")
        command = self.command(model, *flags, "--save-every", "0.3s")
        code, errors = self.signal_at(self.checkpoints, signal.SIGKILL, *command)
        self.assertEqual(code, -signal.SIGKILL, errors)
        self.assertTrue(0 < self.checkpoints()[-1] < 3000)
        self.assertEqual(self.go_on(model, "--data", "text.txt", "--resume"), expected)
        self.assertRegex(self.headroom("train", "--help").stdout, r"--save-every \S+ \[10m\]|--save-every TEXT=10m")


class Stopped(ResumeTest):
    def test_signals_save_and_leave(self):
        flags = ["--tokens", UNTIED / "curve_tokens.json", "--steps", 20]
        expected = self.train(UNTIED, *flags, output="plain")
        for number, code in ((signal.SIGINT, frame.INTERRUPTED), (signal.SIGTERM, frame.TERMINATED)):
            with self.subTest(signal=number.name):
                output = number.name
                metrics = self.directory / output / "metrics.jsonl"
                command = self.command(UNTIED, *flags, output=output)
                got, errors = self.signal_at(lambda path=metrics: path.exists(), number, *command)
                self.assertEqual(got, code, errors)
                done = losses(self.directory / output)[-1]["step"]
                self.assertEqual(self.checkpoints(output), [done])
                self.assertNotIn("model.safetensors", self.names(output))
                self.assertEqual(self.go_on(UNTIED, *flags, "--resume", output=output), expected)

    def test_a_signal_during_the_final_save_waits_for_it(self):
        flags = ["--tokens", UNTIED / "curve_tokens.json", "--steps", 5]
        expected = self.train(UNTIED, *flags, output="plain")
        saving = self.directory / "out" / f"model.safetensors{TEMPORARY}"
        self.signal_at(saving.exists, signal.SIGINT, *self.command(UNTIED, *flags))
        self.assertEqual(bits(self.directory / "out"), expected)


class Deleted(ResumeTest):
    def test_an_output_that_is_deleted_is_noticed_and_can_be_resumed(self):
        """Within a step or so: what was done is saved there again, and the run ends with the sentence that says so."""
        model = self.text_model()
        flags = ["--data", "text.txt", "--steps", 6000, "--seq-len", 24, "--batch-size", 4, "--lr", 0.01]
        expected = self.train(model, *flags, output="plain")
        out = self.directory / "out"
        moved = self.directory / "moved"
        for remove in (lambda: shutil.rmtree(out, ignore_errors=True), lambda: out.rename(moved)):
            with self.subTest(remove=remove):
                shutil.rmtree(out, ignore_errors=True)
                process = self.start(*self.command(model, *flags, "--save-every", 50))
                while not self.checkpoints():
                    self.assertIsNone(process.poll())
                    time.sleep(0.01)
                remove()
                _, errors = process.communicate(timeout=60)
                self.assertEqual(process.returncode, frame.MACHINE_FAILED, errors)
                self.assertIn("out: was deleted or moved while training; all that was done until step", errors)
                self.assertLess(self.checkpoints()[-1], 6000)
                self.assertEqual(self.go_on(model, "--data", "text.txt", "--resume"), expected)


class Resumed(ResumeTest):
    """What --resume takes and refuses; no process is killed here."""

    def setUp(self):
        super().setUp()
        self.flags = ["--tokens", UNTIED / "curve_tokens.json", "--lr-schedule", "constant", "--save-every", 1]

    def refuses(self, *words, model=UNTIED, flags=None):
        """--resume with these flags is refused with every word in `words`, and nothing is lost by trying."""
        before = bits(self.directory / "out")
        message = self.refused(*self.command(model, *(flags or self.flags), "--resume"))
        for word in words:
            self.assertIn(word, message)
        self.assertEqual(bits(self.directory / "out"), before)

    def test_more_steps_are_the_longer_run(self):
        expected = self.train(UNTIED, *self.flags, "--steps", 6, output="plain")
        self.train(UNTIED, *self.flags, "--steps", 3)
        self.assertEqual(self.go_on(UNTIED, *self.flags, "--steps", 6, "--resume"), expected)

    def test_a_finished_run_resumes_to_nothing(self):
        expected = self.train(UNTIED, *self.flags, "--steps", 3)
        flags = ["--steps", 3, "--resume", "--report", "r.json"]
        self.assertEqual(self.go_on(UNTIED, *self.flags, *flags), expected)
        self.assertEqual(self.read_json("r.json")["loss"], [line["loss"] for line in expected[0]])

    def test_a_finished_run_says_the_loss_it_ended_with(self):
        last = self.train(UNTIED, *self.flags, "--steps", 3)[0][-1]["loss"]
        done = self.headroom(
            "train", UNTIED, "--output", "out", *self.flags, "--steps", 3, "--resume", "--memory", "64MiB"
        )
        self.assertIn(f"loss {last:.4f}", done.stderr)

    def test_nothing_there(self):
        for make in (lambda: None, lambda: (self.directory / "out").mkdir()):
            make()
            message = self.refused(*self.command(UNTIED, *self.flags, "--steps", 2, "--resume"))
            self.assertIn("out", message)
            self.assertIn("--resume", message)
        self.assertEqual(self.names(), [])

    def test_flags_that_nobody_gives_are_those_of_the_checkpoint(self):
        flags = ["--optimizer", "sgd", "--lr", 0.01, "--seed", 7, "--grad-clip", 0.5, "--warmup-steps", 2, "--steps", 9]
        tokens = ["--tokens", UNTIED / "curve_tokens.json"]
        expected = self.train(UNTIED, *tokens, *flags, output="plain")
        metrics = self.directory / "out" / "metrics.jsonl"
        command = self.command(UNTIED, *tokens, *flags, "--save-every", 1)
        self.signal_at(lambda: metrics.exists() and metrics.read_bytes().count(b"\n") > 2, signal.SIGKILL, *command)
        going_on = [UNTIED, *tokens, "--output", "out", "--resume", "--memory", "64MiB", "--threads", 1]
        plan = json.loads(self.headroom("plan", *going_on, "--json").stdout)
        self.assertEqual(plan["peak"]["bytes_by_role"]["optimizer_state"], 0)  # of plain SGD there is none
        done = self.headroom("train", *going_on)
        self.assertEqual(bits(self.directory / "out"), expected)
        for taken in ("--optimizer sgd", "--lr 0.01", "--seed 7", "--grad-clip 0.5", "--warmup-steps 2", "--steps 9"):
            self.assertIn(taken, done.stderr)

    def test_one_pass_goes_on_as_one_pass(self):
        model = self.text_model()
        data = ["--data", "text.txt"]
        flags = [*data, "--batch-size", 4, "--seq-len", 24, "--lr", 0.01]
        expected = self.train(model, *flags, output="plain")
        metrics = self.directory / "out" / "metrics.jsonl"
        command = self.command(model, *flags, "--save-every", 1)
        self.signal_at(lambda: metrics.exists() and metrics.read_bytes().count(b"\n") > 5, signal.SIGKILL, *command)
        self.assertLess(self.checkpoints()[-1], expected[0][-1]["step"])
        self.assertEqual(self.go_on(model, *data, "--resume"), expected)

    def test_a_flag_that_contradicts_is_refused_though_it_is_the_default(self):
        self.train(UNTIED, *self.flags, "--steps", 2, "--lr", 0.01, "--data-shards", 2)
        self.refuses("--lr 0.01, got 0.0003", flags=[*self.flags, "--steps", 4, "--lr", 3e-4])
        self.refuses("--data-shards 2, got 1", flags=[*self.flags, "--steps", 4, "--data-shards", 1])

    def test_times_of_saving(self):
        for word in ("x", "-1", "1.5", "10x", "m", "1h30", "nan", "1e99s"):
            message = self.refused(*self.command(UNTIED, *self.flags[:-2], "--save-every", word))
            self.assertIn(f"--save-every {word}: expected a number of steps (500), a time (90s, 30m, 2h)", message)

    def test_settings_that_change_the_numbers(self):
        self.train(UNTIED, *self.flags, "--steps", 2)
        other = self.write("other.json", {"batches": [[[1, 2, 3, 4] * 6] * 4] * 4})
        self.refuses("--lr", flags=[*self.flags, "--steps", 4, "--lr", 0.5])
        self.refuses("--seed", flags=[*self.flags, "--steps", 4, "--seed", 9])
        self.refuses("--weight-decay", flags=[*self.flags, "--steps", 4, "--weight-decay", 0])
        self.refuses("--grad-clip", flags=[*self.flags, "--steps", 4, "--grad-clip", 0])
        self.refuses("--data-shards", flags=[*self.flags, "--steps", 4, "--data-shards", 2])
        self.refuses("--clip-mode", flags=[*self.flags, "--steps", 4, "--clip-mode", "tensor"])
        self.refuses("--optimizer", flags=[*self.flags, "--steps", 4, "--optimizer", "sgd"])
        self.refuses("--data", flags=["--tokens", other, *self.flags[2:], "--steps", 4])

    def test_settings_of_text(self):
        model = self.text_model()
        flags = ["--data", "text.txt", "--steps", 2, "--seq-len", 24]
        self.train(model, *flags, "--batch-size", 4)
        self.refuses("--batch-size", model=model, flags=[*flags, "--batch-size", 8])
        self.refuses("--seq-len", model=model, flags=["--data", "text.txt", "--seq-len", 16, "--batch-size", 4])
        self.write("text.txt", "another text " * 400)
        self.refuses("--data", model=model, flags=[*flags, "--batch-size", 4])

    def test_another_model(self):
        self.train(UNTIED, *self.flags, "--steps", 2)
        self.refuses("config.json", model=TIED, flags=[*self.flags, "--steps", 4])
        config = self.read_json(UNTIED / "config.json")
        twin = self.write("twin/config.json", config | {"rope_theta": 500.0}).parent
        (twin / "model.safetensors").write_bytes((UNTIED / "model.safetensors").read_bytes())
        self.refuses("config.json", model=twin, flags=[*self.flags, "--steps", 4])

    def test_without_resume_an_output_is_not_touched(self):
        expected = self.train(UNTIED, *self.flags, "--steps", 2)
        message = self.refused(*self.command(UNTIED, *self.flags, "--steps", 2))
        self.assertIn("--resume", message)
        self.assertEqual(bits(self.directory / "out"), expected)

    def test_one_run_at_a_time(self):
        self.train(UNTIED, *self.flags, "--steps", 2)
        metrics = self.directory / "out" / "metrics.jsonl"
        first = self.start(*self.command(UNTIED, *self.flags, "--steps", 20, "--resume"))
        deadline = time.monotonic() + 60
        while metrics.read_bytes().count(b"\n") < 3:
            self.assertLess(time.monotonic(), deadline)
        first.send_signal(signal.SIGSTOP)
        message = self.refused(*self.command(UNTIED, *self.flags, "--steps", 20, "--resume"))
        self.assertIn(f"process {first.pid}", message)
        first.send_signal(signal.SIGCONT)
        self.assertEqual(first.wait(timeout=60), 0)

    def test_kept_checkpoints(self):
        for keep, expected in ((1, [5]), (3, [3, 4, 5]), (0, [1, 2, 3, 4, 5])):
            with self.subTest(keep=keep):
                self.train(UNTIED, *self.flags, "--steps", 5, "--keep-checkpoints", keep)
                self.assertEqual(self.checkpoints(), expected)

    def test_a_damaged_checkpoint_is_passed_over(self):
        expected = self.train(UNTIED, *self.flags, "--steps", 5, output="plain")
        self.train(UNTIED, *self.flags, "--steps", 4)
        newest = self.directory / "out" / "checkpoint-4" / "model.safetensors"
        newest.write_bytes(newest.read_bytes()[:-100])
        self.assertEqual(self.go_on(UNTIED, *self.flags, "--steps", 5, "--resume"), expected)


class Signalled(ResumeTest):
    def test_a_signal_ends_a_run_that_saves_after_every_step(self):
        batches = json.loads((UNTIED / "curve_tokens.json").read_text(encoding="utf-8"))["batches"] * 100
        tokens = self.write("tokens.json", {"batches": batches})
        flags = ["--output", "long", "--save-every", 1]
        command = ["train", UNTIED, "--tokens", tokens, *flags]
        code, _ = self.signal_at(lambda: len(self.checkpoints("long")) > 1, signal.SIGTERM, *command)
        self.assertEqual(code, frame.TERMINATED)
        self.assertLess(self.checkpoints("long")[-1], len(batches))


if __name__ == "__main__":
    frame.main()
