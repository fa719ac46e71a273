"""The commands of docs/fit.md, one after the other, as they stand there."""

import re
import shlex

import frame
from training import TrainingTest, words

PAGE = (frame.ROOT / "docs" / "fit.md").read_text(encoding="utf-8")


class FitPage(TrainingTest):
    def test_every_command_does_what_the_page_says(self):
        self.write("corpus.txt", words(20000, seed=1))
        commands = re.findall(r"^\$ headroom (.*?)(?: +# exit code ([0-9]+))?$", PAGE, re.MULTILINE)
        self.assertGreaterEqual(len(commands), 7)
        for command, code in commands:
            done = self.headroom(*shlex.split(command), expect=int(code or 0))
            if code:
                self.assertIn("the smallest budget that works is", done.stderr)
        self.assertTrue((self.directory / "trained" / "model.safetensors").exists())


if __name__ == "__main__":
    frame.main()
