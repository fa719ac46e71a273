"""What `make install` installs works from where it was installed: the command, and the C++ API with every example."""

import os
import subprocess
import unittest

import frame

HEADERS = sorted((frame.ROOT / "include/headroom").glob("*.h"))
EXAMPLES = sorted((frame.ROOT / "examples").glob("*.cc"))


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

    @unittest.skipUnless(HEADERS, "no public headers")
    def test_programs_compile_against_the_public_headers_alone(self):
        library = next(self.prefix.glob("lib*/**/libheadroom.so")).parent
        found = {"PKG_CONFIG_PATH": str(library / "pkgconfig")}
        flags = self.call("pkg-config", "--cflags", "--libs", "headroom", environment=found).split()
        includes = "".join(f"#include <headroom/{header.name}>\n" for header in HEADERS)
        programs = [self.write("all_headers.cc", includes + "int main() {}\n"), *EXAMPLES]
        for source in programs:
            with self.subTest(program=source.name):
                program = self.directory / source.stem
                self.call("g++", "-Wall", "-Wextra", "-Werror", "-Wl,--no-as-needed", source, "-o", program, *flags)
                if source.parent == self.directory:
                    self.call(program, environment={"LD_LIBRARY_PATH": str(library)})


if __name__ == "__main__":
    frame.main()
