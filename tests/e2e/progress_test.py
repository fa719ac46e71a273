"""What a run says on the way: on a terminal a line that fits it, elsewhere a line from time to time."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

import frame
from training import TrainingTest

LONG = ["--data", "text.txt", "--steps", 100000, "--seq-len", 24, "--batch-size", 4, "--save-every", 0]
LINE = re.compile(r"step (\d+) of 100000 .*memory ([\d.]+) of ([\d.]+) MiB")


class Screen:
    """A terminal as far as headroom knows one: text, line ends, ESC[K, ESC[J, ESC[nA. When it becomes narrower, it
    wraps the rows that are too long, as most do, or cuts them, as xterm does."""

    def __init__(self, columns, wraps):
        self.columns, self.wraps = columns, wraps
        self.rows, self.row, self.column, self.pending = [""], 0, 0, ""

    def put(self, character):
        if self.column == self.columns:
            self.end_line()
        text = self.rows[self.row].ljust(self.column)
        self.rows[self.row] = text[: self.column] + character + text[self.column + 1 :]
        self.column += 1

    def end_line(self):
        self.row, self.column = self.row + 1, 0
        if self.row == len(self.rows):
            self.rows.append("")

    def feed(self, text):
        for part in re.findall(r"\x1b\[\d*[AJK]|\r|\n|[^\x1b\r\n]", self.pending + text):
            if part == "\r":
                self.column = 0
            elif part == "\n":
                self.end_line()
            elif part.endswith("K") and len(part) > 1:
                self.rows[self.row] = self.rows[self.row][: self.column]
            elif part.endswith("J") and len(part) > 1:
                self.rows[self.row] = self.rows[self.row][: self.column]
                del self.rows[self.row + 1 :]
            elif part.endswith("A") and len(part) > 1:
                self.row -= int(part[2:-1] or 1)
            else:
                self.put(part)

    def resize(self, columns):
        self.columns = columns
        rows, at = [], (0, 0)
        for number, row in enumerate(self.rows):
            pieces = [row[start : start + columns] for start in range(0, len(row), columns)] or [""]
            pieces = pieces if self.wraps else pieces[:1]
            if number == self.row:
                down = min(max(self.column - 1, 0) // columns, len(pieces) - 1)
                at = (len(rows) + down, min(self.column - down * columns, columns))
            rows += pieces
        self.rows, (self.row, self.column) = rows, at


def long_run(test, name="model"):
    command = test.command(test.text_model(name=name), *LONG, output=f"{name}-out")
    command.remove("--quiet")
    return command


class OnTerminal(TrainingTest):
    def begin(self, columns):
        """A training run whose standard error is a terminal; returns both."""
        ours, theirs = pty.openpty()
        self.resize(ours, columns)
        process = self.start(*long_run(self, f"model-{columns}"), stderr=theirs)
        os.close(theirs)
        self.addCleanup(os.close, ours)
        return process, ours

    @staticmethod
    def resize(terminal, columns):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    @staticmethod
    def read(terminal, seconds):
        end, text = time.monotonic() + seconds, b""
        while time.monotonic() < end:
            if select.select([terminal], [], [], 0.05)[0]:
                try:
                    text += os.read(terminal, 65536)
                except OSError:
                    break
        return text.decode()

    def drawn(self, terminal, least):
        """What comes between the starts of so many lines or more."""
        text, deadline = "", time.monotonic() + 60
        while text.count("\r\x1b[K") < least:
            self.assertLess(time.monotonic(), deadline, text)
            text += self.read(terminal, 0.1)
        return text.split("\r\x1b[K")

    def test_the_line_says_step_time_loss_and_memory_of_the_budget_in_80_columns(self):
        _, terminal = self.begin(80)
        screen = Screen(80, wraps=True)
        screen.feed("\r\x1b[K".join(self.drawn(terminal, 4)))
        line = screen.rows[screen.row]
        step, memory, budget = LINE.search(line).groups()
        self.assertEqual(budget, "64")
        self.assertLessEqual(float(memory), 64)
        self.assertGreater(int(step), 0)
        self.assertRegex(line, r" left  loss \d+\.\d+  memory ")
        self.assertLess(len(line), 80)

    def test_the_line_fits_any_terminal(self):
        _, terminal = self.begin(20)
        for columns in (20, 47, 100, 200, 33):
            self.resize(terminal, columns)
            drawn = self.drawn(terminal, 3)[-2]  # the first may be of the width before, the last not be whole
            with self.subTest(columns=columns):
                self.assertIn("step", drawn)
                self.assertLess(len(drawn.rstrip("\r\n")), columns)

    def test_nothing_stale_is_left_when_the_terminal_becomes_narrower(self):
        for wraps in (True, False):
            with self.subTest(wraps=wraps):
                process, terminal = self.begin(100 + wraps)
                screen = Screen(100 + wraps, wraps)
                screen.feed("\r\x1b[K".join(self.drawn(terminal, 2)))
                before = [row.strip() for row in screen.rows if row.strip() and "step" not in row]
                for columns in (70, 44, 90, 60):
                    process.send_signal(signal.SIGSTOP)  # no line is drawn while the terminal changes
                    while drawn := self.read(terminal, 0.1):
                        screen.feed(drawn)
                    screen.resize(columns)
                    self.resize(terminal, columns)
                    process.send_signal(signal.SIGCONT)
                    screen.feed(self.read(terminal, 1))
                    said = [row for row in screen.rows[-4:] if row.strip()]
                    self.assertIn(" of 100000", said[-1])
                    self.assertNotRegex("".join(said[:-1]), r" of 100000|(s|min) left|loss \d")
                process.send_signal(signal.SIGKILL)
                for row in before:  # nothing else was cleared
                    self.assertTrue(any(row[:20] == other.strip()[:20] for other in screen.rows), row)


class Elsewhere(TrainingTest):
    def test_without_a_terminal_there_is_a_line_every_thirty_seconds(self):
        with open(self.directory / "errors.txt", "wb") as errors:
            process = self.start(*long_run(self), stderr=errors)
            begin = time.monotonic()
            while "training: step" not in (text := (self.directory / "errors.txt").read_text(encoding="utf-8")):
                self.assertLess(time.monotonic() - begin, 120)
                time.sleep(0.2)
            self.assertGreater(time.monotonic() - begin, 29)
            process.send_signal(signal.SIGKILL)
        lines = [line for line in text.splitlines() if line.startswith("training: ")]
        self.assertEqual(len(lines), 1, text)
        said = r"^training: step \d+ of 100000, \d+ %, .* left, loss [\d.]+, memory [\d.]+ of 64 MiB, \d+ tokens/s$"
        self.assertRegex(lines[0], said)
        self.assertNotIn("\x1b", text)


if __name__ == "__main__":
    frame.main()
