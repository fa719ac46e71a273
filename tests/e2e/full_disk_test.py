"""Disks that are too small, or that others fill while a job runs: one sentence, exit code 4, nothing left behind. They
are mounted in a namespace that goes with the command, where that is allowed."""

import os
import subprocess
import unittest

import frame

SMALL = "mount -t tmpfs -o size=1m tmpfs disk"
# A file system that promises no space beforehand. Another program fills it when the job has begun to write.
FILLED = "truncate -s 64m image && mkfs.ext2 -q -m 0 image && mount -o loop image disk"
RUN = '"$@"; code=$?'
RUN_AND_FILL = (
    '"$@" & job=$!; before=$(df --output=used disk | tail -1); '
    'while [ -d /proc/$job ] && [ $(df --output=used disk | tail -1) -le $((before + 64)) ]; do sleep 0.02; done; '
    'dd if=/dev/zero of=disk/others bs=64k 2>/dev/null; wait $job; code=$?; rm disk/others'
)
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 6,
    "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": 300, "max_position_embeddings": 8192,
}  # fmt: skip
GENERATE = ["generate", "model", "--prompt", "the", "--context", 4096, "--threads", 1, "--quiet"]


class FullDisk(frame.CommandTest):
    def setUp(self):
        super().setUp()
        self.write("text.txt", 40 * "It was the best of times, it was the worst of times.\n")
        vocabulary = ["--tokenizer-data", "text.txt", "--vocabulary", 300]
        self.headroom("init", self.write("config.json", CONFIG), *vocabulary, "--output", "model", "--quiet")
        (self.directory / "disk").mkdir()

    def fails_on(self, disk, *arguments, run=RUN):
        """The sentence of a command that a disk is too small for, and which leaves nothing on it."""
        script = f'{disk} 2>/dev/null || exit 77; ls -A disk >empty; {run}; ls -A disk; exit $code'
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", frame.HEADROOM, *map(str, arguments)],
            cwd=self.directory, capture_output=True, encoding="utf-8", errors="replace", timeout=240, check=False,
            env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"},
        )  # fmt: skip
        if done.returncode == 77 or done.stderr.startswith("unshare:"):
            self.skipTest("no such disk can be mounted here")
        self.assertEqual(done.returncode, frame.MACHINE_FAILED, done.stderr)
        left = (self.directory / "empty").read_text(encoding="utf-8")
        self.assertTrue(done.stdout.endswith(left), done.stdout)
        self.assertNotIn("headroom-", done.stdout)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        return done.stderr.strip()

    def spilling(self):
        """A command whose cache lies on the disk."""
        flags = [*GENERATE, "--logprobs", "l.json", "--max-new-tokens", 3900, "--disk", "disk"]
        self.refused(*flags, "--memory", "4MiB", "--report", "r.json", expect=frame.OVER_BUDGET)
        return [*flags, "--memory", self.read_json("r.json")["smallest_budget_bytes"]]

    def test_quantised_and_converted_models(self):
        for verb in (["quantize", "model", "--bits", 8, "--group-size", 64], ["convert", "model", "--dtype", "bf16"]):
            words = self.fails_on(SMALL, *verb, "--output", "disk/small", "--quiet")
            self.assertRegex(words, r"disk/small: the \w+ model needs .*, 1.00 MiB .* are free; free some space")

    def test_a_cache_that_does_not_fit(self):
        words = self.fails_on(SMALL, *self.spilling())
        self.assertIn("--disk disk: no room for the ", words)
        self.assertFalse((self.directory / "l.json").exists())

    def test_answers(self):
        disk = SMALL.replace("1m", "16k") + " && head -c 14000 /dev/zero >disk/others"
        flags = ["--prompts", "prompts.jsonl", "--output", "disk/a.jsonl", "--max-new-tokens", 100, "--quiet"]
        self.write("prompts.jsonl", "".join(f'{{"prompt": "the {i}"}}\n' for i in range(48)))
        words = self.fails_on(disk, "generate", "model", *flags, "--threads", 2)
        self.assertRegex(words, r"disk/a.jsonl.*: cannot write .* No space left on device")

    def test_a_disk_that_others_fill(self):
        words = self.fails_on(FILLED, *self.spilling(), run=RUN_AND_FILL)
        self.assertIn("--disk disk: cannot write what is kept there: No space left on device", words)
        self.assertIn("; free some space and start again", words)
        self.assertFalse((self.directory / "l.json").exists())


if __name__ == "__main__":
    frame.main()
