"""What the command says about itself, and how it refuses what it does not know."""

import re

import frame

VERBS = ["plan", "init", "train", "generate", "eval", "convert", "tokenize", "inspect", "bench"]


class Usage(frame.CommandTest):
    def test_version_is_the_projects(self):
        declared = re.search(r"project\(headroom VERSION ([0-9.]+)", (frame.ROOT / "CMakeLists.txt").read_text())[1]
        self.assertIn(declared, self.headroom("--version").stdout)

    def test_help_names_every_verb(self):
        text = self.headroom("--help").stdout
        for verb in VERBS:
            self.assertRegex(text, rf"(?m)^\s+{verb}\b")

    def test_every_verb_explains_its_flags(self):
        for verb in VERBS:
            with self.subTest(verb=verb):
                self.assertIn("--help", self.headroom(verb, "--help").stdout)

    def test_bad_usage_is_exit_code_2(self):
        for arguments in (["no-such-verb"], ["train", "--no-such-flag"], []):
            with self.subTest(arguments=arguments):
                done = self.headroom(*arguments, expect=frame.BAD_INPUT)
                self.assertEqual(done.stdout, "")
                self.assertIn("--help", done.stderr)

    def test_results_go_to_stdout(self):
        self.assertEqual(self.headroom("--help").stderr, "")


if __name__ == "__main__":
    frame.main()
