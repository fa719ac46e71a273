"""Standard output and standard error that are closed, full, without a reader, or a terminal that goes away: results are
never lost in silence, notes never end a job."""

import os
import pty
import signal
import subprocess

import frame
from training import UNTIED, TrainingTest, bits

READER_GONE = 128 + signal.SIGPIPE


class StreamsTest(TrainingTest):
    def run_with(self, arguments, close=(), **streams):
        """Exit code, stdout and stderr of the command, with `streams` of Popen, or the descriptors `close` closed."""
        done = subprocess.run(
            ["bash", "-c", 'exec "$@" ' + " ".join(f"{number}>&-" for number in close), "-", frame.HEADROOM,
             *map(str, arguments)],
            cwd=self.directory, encoding="utf-8", errors="replace", timeout=240, check=False,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams},
        )  # fmt: skip
        return done.returncode, done.stdout or "", done.stderr or ""

    def verbs_with_results(self):
        """A command of every verb that writes a result to standard output, and every help."""
        model = self.text_model()
        texts, ids = self.write("texts.json", ["one", "two"]), self.write("ids.json", {"ids": [[1, 2, 3]]})
        small = ["--memory", "64MiB", "--threads", 1]
        plan = ["plan", "tiny-300k", *small]
        yield from (plan, [*plan, "--json"], ["plan", "--device", "list"])
        yield from (["plan", "13B", "--mesh", "data=2"], ["eval", model, "--tokens", ids, *small])
        yield from (["inspect", model], ["inspect", model, "--json"], ["inspect", model, "--all-tensors"])
        yield ["tokenize", model, "--input", texts]
        yield ["generate", model, "--prompt", "a", "--max-new-tokens", 2, *small]
        yield ["bench", "tiny-300k", "--prompt", 8, "--generate", 2, "--repeat", 1, "--memory", "256MiB"]
        yield from (["--help"], ["--version"])
        for verb in ["plan", "init", "train", "generate", "eval", "convert", "tokenize", "inspect", "bench"]:
            yield [verb, "--help"]


class Results(StreamsTest):
    def test_a_result_that_cannot_be_written_is_exit_code_4_in_every_verb(self):
        for command in self.verbs_with_results():
            with self.subTest(command=command), open("/dev/full", "w", encoding="utf-8") as full:
                code, _, errors = self.run_with(command, stdout=full)
                self.assertEqual(code, frame.MACHINE_FAILED, errors)
                self.assertIn("standard output: the result cannot be written there: No space left on device", errors)

    def test_a_closed_standard_output_is_exit_code_4_in_every_verb(self):
        for command in self.verbs_with_results():
            with self.subTest(command=command):
                code, _, errors = self.run_with(command, close=[1])
                self.assertEqual(code, frame.MACHINE_FAILED, errors)
                self.assertIn("standard output: the result cannot be written there: Bad file descriptor", errors)

    def test_a_reader_of_results_that_is_gone_ends_every_verb_without_a_word(self):
        for command in self.verbs_with_results():
            reader, writer = os.pipe()
            os.close(reader)
            with self.subTest(command=command), open(writer, "w", encoding="utf-8") as gone:
                code, _, errors = self.run_with(command, stdout=gone)
                self.assertEqual(code, READER_GONE, errors)
                self.assertNotIn("headroom: ", errors)
                self.assertNotIn("roken pipe", errors)

    def test_reports_and_pictures_are_written_before_a_result_that_has_no_place(self):
        for command, files in (
            (["plan", "tiny-300k", "--json", "--report", "r.json", "--html", "r.html"], ["r.json", "r.html"]),
            (["plan", "13B", "--mesh", "data=2", "--report", "mesh.json"], ["mesh.json"]),
        ):
            with open("/dev/full", "w", encoding="utf-8") as full:
                self.assertEqual(self.run_with(command, stdout=full)[0], frame.MACHINE_FAILED)
            for name in files:
                self.assertTrue((self.directory / name).stat().st_size > 0, name)


class Notes(StreamsTest):
    """Whatever becomes of standard error, a job runs to its end, with the bits and results of one that is watched."""

    STEPS = ["--tokens", UNTIED / "curve_tokens.json", "--steps", 3, "--lr", 0.01]

    def train_into(self, output, code_of):
        command = ["train", UNTIED, *self.STEPS, "--output", output, "--memory", "64MiB", "--threads", 1]
        self.assertEqual(code_of([*command, "--report", f"{output}.json"]), frame.DONE)
        self.assertEqual(len(self.read_json(f"{output}.json")["loss"]), 3)
        return bits(self.directory / output)

    def test_training_runs_to_its_end_whatever_becomes_of_standard_error(self):
        plain = self.train_into("plain", lambda command: self.run_with(command)[0])
        reader, writer = os.pipe()
        os.close(reader)
        with open("/dev/full", "w", encoding="utf-8") as full, open(writer, "w", encoding="utf-8") as gone:
            for name, code_of in {
                "closed": lambda command: self.run_with(command, close=[2])[0],
                "all_closed": lambda command: self.run_with(command, close=[0, 1, 2])[0],
                "full": lambda command: self.run_with(command, stderr=full)[0],
                "both_full": lambda command: self.run_with(command, stdout=full, stderr=full)[0],
                "gone": lambda command: self.run_with(command, stdout=gone, stderr=gone)[0],
            }.items():
                with self.subTest(error_stream=name):
                    self.assertEqual(self.train_into(name, code_of), plain)

    def test_a_job_outlives_its_terminal(self):
        """The terminal is the process's own: when it goes, there is a hang-up, too."""

        def code_of(command):
            child, terminal = pty.fork()
            if child == 0:
                os.chdir(self.directory)
                os.execv(frame.HEADROOM, [frame.HEADROOM, *map(str, command)])
            os.read(terminal, 1)  # it has begun to write
            os.close(terminal)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

        self.train_into("hung_up", code_of)

    def test_results_come_whole_where_standard_error_takes_nothing(self):
        model = self.text_model()
        commands = [
            ["generate", model, "--prompt", "a", "--max-new-tokens", 4, "--memory", "64MiB", "--threads", 1],
            ["eval", model, "--tokens", self.write("ids.json", {"ids": [[1, 2, 3]]}), "--memory", "64MiB"],
        ]
        for command in commands:
            plain = self.run_with(command)
            with self.subTest(command=command), open("/dev/full", "w", encoding="utf-8") as full:
                self.assertEqual(plain[0], frame.DONE, plain[2])
                self.assertEqual(self.run_with(command, stderr=full)[:2], plain[:2])
                self.assertEqual(self.run_with(command, close=[2])[:2], plain[:2])

    def test_refusals_keep_their_exit_codes_where_standard_error_takes_nothing(self):
        for command, expected in (
            (["plan", "no-such-model"], frame.BAD_INPUT),
            (["no-such-verb"], frame.BAD_INPUT),
            (["plan", "tiny-4m", "--memory", "1MiB"], frame.OVER_BUDGET),
        ):
            with self.subTest(command=command), open("/dev/full", "w", encoding="utf-8") as full:
                self.assertEqual(self.run_with(command, stderr=full)[0], expected)
                self.assertEqual(self.run_with(command, close=[2])[0], expected)


if __name__ == "__main__":
    frame.main()
