"""scripts/lint.py on a small tree of its own: a clean one passes, and each kind of breach is named and fails."""

import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HEADER = "// A file.\n#pragma once\n"


class Lint(unittest.TestCase):
    def setUp(self):
        self.tree = Path(tempfile.mkdtemp(prefix="headroom-lint-"))
        self.addCleanup(shutil.rmtree, self.tree)
        (self.tree / "scripts").mkdir()
        shutil.copy(ROOT / "scripts/lint.py", self.tree / "scripts")
        shutil.copy(ROOT / ".clang-format", self.tree)
        self.write("scripts/lint_allow.txt", "# none\n")

    def write(self, name, text):
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def lint(self):
        done = subprocess.run(
            [sys.executable, "-B", self.tree / "scripts/lint.py"], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stderr

    def assert_breach(self, words):
        code, errors = self.lint()
        self.assertEqual(code, 1)
        self.assertIn(words, errors)

    def test_a_clean_tree_passes(self):
        self.write("src/headroom/graph/a.h", HEADER + '\n#include "headroom/base/b.h"\n')
        self.assertEqual(self.lint(), (0, ""))

    def test_an_include_of_a_higher_floor(self):
        self.write("src/headroom/base/a.h", HEADER + '\n#include "headroom/graph/b.h"\n')
        self.assert_breach("src/headroom/base/a.h:4: base includes graph")

    def test_a_file_that_touches_the_arena(self):
        self.write("src/headroom/train/a.cc", 'float* w = workspace.persistent("w").as<float>();\n')
        self.assert_breach("src/headroom/train/a.cc:1: train touches the arena; expected a view (runtime/view.h)")

    def test_an_unknown_floor(self):
        self.write("src/headroom/attic/a.h", HEADER)
        self.assert_breach("no floor attic")

    def test_an_include_that_is_not_a_path_from_src(self):
        self.write("src/headroom/base/a.h", HEADER + '\n#include "b.h"\n')
        self.assert_breach("expected a path from src/")

    def test_a_public_header_that_shows_the_inside(self):
        self.write("include/headroom/a.h", HEADER + '\n#include "headroom/base/b.h"\n')
        self.assert_breach("the public API includes headroom/base/b.h")

    def test_options_of_the_public_header_below_the_api(self):
        self.write("src/headroom/train/a.h", HEADER + '\n#include "headroom/headroom.h"\n')
        self.assert_breach("train includes the public header")

    def test_long_files_and_longer_kernels(self):
        self.write("src/headroom/base/a.cc", "int a;\n" * 601)
        self.write("src/headroom/backend/cpu/b.cc", "int b;\n" * 800)
        self.assert_breach("src/headroom/base/a.cc: 601 lines; at most 600")
        self.assertNotIn("cpu/b.cc", self.lint()[1])

    def test_a_written_exception_and_one_that_nothing_needs(self):
        self.write("src/headroom/base/a.cc", "int a;\n" * 601)
        self.write("scripts/lint_allow.txt", "length src/headroom/base/a.cc  # a table\n")
        self.assertEqual(self.lint(), (0, ""))
        self.write("src/headroom/base/a.cc", "int a;\n")
        self.assert_breach("nothing needs the exception")

    def test_an_exception_needs_a_reason(self):
        self.write("scripts/lint_allow.txt", "length src/headroom/base/a.cc\n")
        self.assert_breach("expected `CHECK PATH  # reason`")

    def test_characters(self):
        self.write("a.py", "x = 1\t\ny = '\u00e9'  \n")
        self.write("README.zh-CN.md", "\u4e2d\u6587\n")
        code, errors = self.lint()
        self.assertEqual(code, 1)
        for words in ("a.py:1: a tab", "a.py:2: not ASCII", "a.py:2: blanks at the end"):
            self.assertIn(words, errors)
        self.assertNotIn("zh-CN", errors)

    def test_a_link_that_leads_nowhere(self):
        self.write("docs/a.md", "[here](a.md) [there](../b.md#top) [web](https://example.org)\n")
        self.assert_breach("docs/a.md:1: a link to ../b.md, which is not there")
        self.write("b.md", "b\n")
        self.assertEqual(self.lint(), (0, ""))

    @unittest.skipUnless(shutil.which("clang-format"), "no clang-format here")
    def test_formatting_is_checked_and_mended(self):
        self.write("src/headroom/base/a.cc", "int   a ;\n")
        self.assert_breach("not as clang-format writes it")
        subprocess.run([sys.executable, "-B", self.tree / "scripts/lint.py", "--fix"], check=True, capture_output=True)
        self.assertEqual((self.tree / "src/headroom/base/a.cc").read_text(), "int a;\n")


if __name__ == "__main__":
    unittest.main()
