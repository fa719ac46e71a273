"""What `make install` installs works from where it was installed: the command, and the C++ API with its example."""

import os
import re
import subprocess
import unittest

import frame

HEADERS = sorted((frame.ROOT / "include/headroom").glob("*.h"))


class Install(frame.CommandTest):
    def setUp(self):
        super().setUp()
        self.prefix = self.directory / "prefix"
        self.call("cmake", "--install", frame.BUILD, "--prefix", self.prefix)

    def call(self, *command, environment=None):
        done = subprocess.run(
            [*map(str, command)], cwd=self.directory, env={**os.environ, **(environment or {})},
            capture_output=True, text=True, timeout=200, check=False,
        )
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def test_the_command_runs_from_its_prefix(self):
        self.assertIn("headroom", self.call(self.prefix / "bin/headroom", "--version"))
        self.assertTrue((self.prefix / "share/bash-completion/completions/headroom").is_file())

    def compile(self, source):
        """The program of `source`, compiled against the installed library alone, and the environment it runs in."""
        library = next(self.prefix.glob("lib*/**/libheadroom.so")).parent
        found = {"PKG_CONFIG_PATH": str(library / "pkgconfig")}
        flags = self.call("pkg-config", "--cflags", "--libs", "headroom", environment=found).split()
        program = self.directory / source.stem
        self.call("g++", "-Wall", "-Wextra", "-Werror", "-Wl,--no-as-needed", source, "-o", program, *flags)
        return program, {"LD_LIBRARY_PATH": str(library)}

    def test_the_public_headers_need_nothing_but_themselves(self):
        includes = "".join(f"#include <headroom/{header.name}>\n" for header in HEADERS)
        program, environment = self.compile(self.write("all_headers.cc", includes + "int main() {}\n"))
        self.call(program, environment=environment)
        inside = [line for header in HEADERS for line in header.read_text().splitlines() if line.startswith("#include")]
        allowed = re.compile(r"#include (<\w+>|<headroom/\w+\.h>|\"headroom/\w+\.h\")$")
        self.assertEqual([line for line in inside if not allowed.match(line)], [])

    def test_the_page_shows_the_example(self):
        example = (frame.ROOT / "examples/train_and_generate.cc").read_text()
        page = (frame.ROOT / "docs/api.md").read_text()
        self.assertIn(example[example.index("#include") :], page)

    def test_the_example_trains_and_generates_inside_its_budgets(self):
        program, environment = self.compile(frame.ROOT / "examples/train_and_generate.cc")
        book = self.write("book.txt", (frame.ROOT / "docs/architecture.md").read_text())
        output = self.call(program, book, self.directory / "made", environment=environment)
        memory = re.findall(r"(\w+): measured (\S+) MiB, predicted (\S+) MiB, budget (\S+) MiB", output)
        self.assertEqual([job for job, *_ in memory], ["training", "generating"], output)
        for _, *figures in memory:
            measured, predicted, budget = map(float, figures)
            self.assertTrue(0 < measured <= predicted <= budget, output)
        written = output.split("\n", 1)[1].split("\ngenerating")[0]
        self.assertTrue(written, output)


if __name__ == "__main__":
    frame.main()
