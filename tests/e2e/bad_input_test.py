"""Bad input to `train`: one sentence that names the file or flag and the mend, the exit code, nothing left behind."""

import json
import math
import os
import resource
import struct
import subprocess

import frame
from training import UNTIED, TrainingTest, bits, words

TOKENS = UNTIED / "curve_tokens.json"


class BadInput(TrainingTest):
    def tree(self):
        return sorted(str(path) for path in self.directory.rglob("*"))

    def refuse(self, *flags, says, model=UNTIED, expect=frame.BAD_INPUT, **options):
        """The run is refused in one sentence with every word of `says`, and no file appears or goes."""
        before = self.tree()
        message = self.refused(*self.command(model, *flags), expect=expect, **options)
        self.assertEqual(len(message.splitlines()), 1, message)
        for word in [says] if isinstance(says, str) else says:
            self.assertIn(word, message)
        self.assertEqual(self.tree(), before)

    def copy_of_model(self, name="model", **config):
        """UNTIED in the test's directory, with these fields of the config changed (None: removed)."""
        fields = self.read_json(UNTIED / "config.json") | config
        path = self.write(f"{name}/config.json", {key: value for key, value in fields.items() if value is not None})
        self.write(f"{name}/model.safetensors", (UNTIED / "model.safetensors").read_bytes())
        return path.parent


class Weights(BadInput):
    def setUp(self):
        super().setUp()
        data = (UNTIED / "model.safetensors").read_bytes()
        (size,) = struct.unpack_from("<Q", data)
        self.header, self.body = json.loads(data[8 : 8 + size]), data[8 + size :]
        self.header.pop("__metadata__", None)
        self.first, self.second = sorted(self.header, key=lambda name: self.header[name]["data_offsets"])[:2]
        self.model = self.copy_of_model()

    def check(self, content, says="model.safetensors"):
        """`content` is the whole file, or a header to be put before the tensors' bytes."""
        if not isinstance(content, bytes):
            text = json.dumps(content).encode()
            content = struct.pack("<Q", len(text)) + text + self.body
        self.write("model/model.safetensors", content)
        says = [says] if isinstance(says, str) else says
        self.refuse("--tokens", TOKENS, model="model", says=["model.safetensors", *says])

    def changed(self, name, **entry):
        return self.header | {name: self.header[name] | entry}

    def test_files_that_are_none(self):
        whole = (UNTIED / "model.safetensors").read_bytes()
        for content in (b"", b"\1\2\3", whole[:-1], whole[:100], whole + b"\0", b"\xff" * 64, b"\0" * 64, b"{}"):
            with self.subTest(size=len(content)):
                self.check(content)

    def test_header_that_lies_about_its_size(self):
        for size in (0, 1, 1 << 20, 1 << 40, (1 << 63) - 1, (1 << 64) - 1):
            with self.subTest(size=size):
                self.check(struct.pack("<Q", size) + json.dumps(self.header).encode() + self.body)

    def test_hostile_headers(self):
        begin, end = self.header[self.second]["data_offsets"]
        shape = self.header[self.second]["shape"]
        other = self.header[self.first]["data_offsets"]
        for name, header in {
            "overlap": self.changed(self.second, data_offsets=[other[0], other[0] + end - begin]),
            "beyond the end": self.changed(self.second, data_offsets=[1 << 40, (1 << 40) + end - begin]),
            "reversed": self.changed(self.second, data_offsets=[end, begin]),
            "negative": self.changed(self.second, data_offsets=[-4, end - begin - 4]),
            "fraction": self.changed(self.second, data_offsets=[begin + 0.5, end]),
            "text": self.changed(self.second, data_offsets=["0", "4"]),
            "one offset": self.changed(self.second, data_offsets=[begin]),
            "overflowing shape": self.changed(self.second, shape=[1 << 62, 1 << 62]),
            "negative shape": self.changed(self.second, shape=[-size for size in shape]),
            "unknown type": self.changed(self.second, dtype="F77"),
            "no type": self.header | {self.second: {"shape": shape, "data_offsets": [begin, end]}},
            "null": self.header | {self.second: None},
            "list": [self.header],
        }.items():
            with self.subTest(header=name):
                self.check(header)

    def test_deep_header(self):
        text = b"[" * 100_000
        self.check(struct.pack("<Q", len(text)) + text)

    def test_name_twice(self):
        text = json.dumps(self.header)
        text = (text[:-1] + ", " + text[1:]).encode()
        self.check(struct.pack("<Q", len(text)) + text + self.body)

    def test_weights_of_another_model(self):
        entry = self.header[self.first]
        rows = math.prod(entry["shape"])
        self.check(self.changed(self.first, shape=[rows, 1]), says=[self.first, "expected", "config.json"])
        self.check(self.changed(self.first, dtype="I32"), says=[self.first, "I32"])
        header = dict(self.header)
        header["model.unheard_of.weight"] = header.pop(self.first)
        self.write("model/model.safetensors", b"")
        text = json.dumps(header).encode()
        self.write("model/model.safetensors", struct.pack("<Q", len(text)) + text + self.body)
        self.refuse("--tokens", TOKENS, model="model", says=["model", self.first, "missing"])

    def test_nan(self):
        body = bytearray(self.body)
        struct.pack_into("<f", body, self.header[self.first]["data_offsets"][0] + 8, math.nan)
        text = json.dumps(self.header).encode()
        self.check(struct.pack("<Q", len(text)) + text + bytes(body), says=self.first)

    def test_no_weights(self):
        os.remove(self.model / "model.safetensors")
        self.refuse("--tokens", TOKENS, model="model", says=["model", "model.safetensors"])
        os.mkdir(self.model / "model.safetensors")
        self.refuse("--tokens", TOKENS, model="model", says=["model.safetensors", "directory"])


class Config(BadInput):
    def test_fields(self):
        for field, value in [
            ("hidden_size", None), ("vocab_size", None), ("num_hidden_layers", None), ("num_attention_heads", None),
            ("hidden_size", 0), ("hidden_size", -24), ("hidden_size", 1e300), ("hidden_size", 10**30),
            ("hidden_size", "24"), ("hidden_size", 24.5), ("hidden_size", [24]), ("num_hidden_layers", 10**12),
            ("vocab_size", 10**18), ("num_attention_heads", 5), ("num_key_value_heads", 2),
            ("hidden_act", "gelu"), ("rope_scaling", {"type": "longrope", "factor": 4.0}), ("rope_theta", 0),
            ("rms_norm_eps", -1), ("tie_word_embeddings", "yes"), ("attention_bias", 1), ("torch_dtype", "int3"),
            ("attention_dropout", 0.1), ("quantization_config", {"bits": 4}), ("sliding_window", 64),
        ]:  # fmt: skip
            with self.subTest(field=field, value=value):
                self.copy_of_model(**{field: value})
                self.refuse("--tokens", TOKENS, model="model", says=["config.json", field])

    def test_a_dtype_that_no_model_has(self):
        for dtype in ("f64", "i32", "int3"):
            said = self.refused("init", "tiny-300k", "--output", "out", "--dtype", dtype)
            self.assertIn("expected f32, bf16 or f16", said)

    def test_architecture(self):
        self.copy_of_model(architectures=["MambaForCausalLM"], model_type="mamba")
        self.refuse("--tokens", TOKENS, model="model", says=["config.json", "MambaForCausalLM", "LlamaForCausalLM"])

    def test_files_that_are_none(self):
        self.copy_of_model()
        for text in ("", "[]", "{", "null", "\0\1\2", '{"a": 1} {}', "[" * 100_000, '{"a":' * 100_000):
            with self.subTest(text=text[:10]):
                self.write("model/config.json", text)
                self.refuse("--tokens", TOKENS, model="model", says="config.json")

    def test_no_model(self):
        self.refuse("--tokens", TOKENS, model="nowhere", says="nowhere")
        self.refuse("--tokens", TOKENS, model="tiny-4m", says=["tiny-4m", "headroom init"])
        (self.directory / "empty").mkdir()
        self.refuse("--tokens", TOKENS, model="empty", says=["empty", "config.json"])


class Data(BadInput):
    def test_token_files(self):
        row = [1, 2, 3, 4]
        for name, content in {
            "too large an id": {"batches": [[[1, 2, 64, 4]]]},
            "a negative id": {"batches": [[[1, 2, -1, 4]]]},
            "a fraction": {"batches": [[[1, 2, 0.5, 4]]]},
            "a text": {"batches": [[["a", "b"]]]},
            "an id beyond 64 bits": '{"batches": [[[1, 2, 99999999999999999999999]]]}',
            "rows of two lengths": {"batches": [[row, row[:3]]]},
            "steps of two sizes": {"batches": [[row, row], [row]]},
            "no batch": {"batches": []},
            "no row": {"batches": [[]]},
            "no id": {"batches": [[[]]]},
            "one id": {"batches": [[[1]]]},
            "another key": {"ids": [row]},
            "flat": {"batches": row},
            "list": [[row]],
            "truncated": '{"batches": [[[1, 2',
            "empty": "",
            "binary": b"\0\xff\1\2",
            "deep": '{"batches": ' + "[" * 100_000,
        }.items():
            with self.subTest(file=name):
                self.write("tokens.json", content)
                self.refuse("--tokens", "tokens.json", says="tokens.json")
        self.refuse("--tokens", "nowhere.json", says="nowhere.json")

    def test_rows_longer_than_the_model_reads(self):
        self.write("tokens.json", {"batches": [[[1] * 130]]})
        self.refuse("--tokens", "tokens.json", says=["130", "128"])

    def test_text(self):
        self.text_model()
        flags = ["--seq-len", 16, "--batch-size", 2, "--steps", 1]
        for name, content in {
            "empty.txt": "",
            "binary.txt": b"text\0text" * 50,
            "latin1.txt": "caf\u00e9 ".encode("latin-1") * 50,
            "cut.txt": "text \u00e9".encode()[:-1],
            "short.txt": "a",
            "broken.jsonl": '{"text": "first"}\n{"text": ',
            "untext.jsonl": '{"text": 5}\n',
            "no-text.jsonl": '{"body": "text"}\n',
        }.items():
            with self.subTest(file=name):
                self.write(name, content)
                self.refuse("--data", name, *flags, model="model", says=name if name != "short.txt" else "tokens")
        self.refuse("--data", "nowhere.txt", *flags, model="model", says="nowhere.txt")
        self.refuse("--data", "model", *flags, model="model", says=["model", "directory"])
        self.refuse("--data", "text.txt", "--eval-data", "empty.txt", *flags, model="model", says="empty.txt")

    def test_tokenizer(self):
        self.text_model()
        whole = self.read_json("model/tokenizer.json")
        flags = ["--data", "text.txt", "--seq-len", 16, "--steps", 1]
        for name, content in {
            "empty": "",
            "binary": b"\0\1\2\3",
            "truncated": json.dumps(whole)[:-50],
            "no object": [],
            "no model": {"version": "1.0"},
            "another kind": whole | {"model": {"type": "WordPiece", "vocab": {"a": 0}}},
            "unknown pre-tokenizer": whole | {"pre_tokenizer": {"type": "Bert"}},
            "deep": "[" * 100_000,
        }.items():
            with self.subTest(tokenizer=name):
                self.write("model/tokenizer.json", content)
                self.refuse(*flags, model="model", says="tokenizer.json")
        os.remove(self.directory / "model/tokenizer.json")
        self.refuse(*flags, model="model", says="tokenizer.json")
        larger = whole["model"]
        larger["vocab"] |= {f"piece-{at}": len(larger["vocab"]) + at for at in range(50)}
        self.write("model/tokenizer.json", whole | {"model": larger})
        self.refuse(*flags, model="model", says=["tokenizer.json", "300"])


class Flags(BadInput):
    def test_flags(self):
        self.text_model()
        long_name = "x" * 300
        for flags, says in [
            (["--unheard-of"], ["--unheard-of", "--help"]),
            (["--lr"], "--lr"),
            (["--lr", "fast"], "--lr"),
            (["--lr", "nan"], "--lr"),
            (["--lr", -1], "--lr"),
            (["--beta1", 1], "--beta1"),
            (["--beta2", -0.1], "--beta2"),
            (["--eps", "inf"], "--eps"),
            (["--weight-decay", -1], "--weight-decay"),
            (["--grad-clip", "nan"], "--grad-clip"),
            (["--optimizer", "adam"], ["--optimizer", "adamw"]),
            (["--lr-schedule", "step"], ["--lr-schedule", "cosine"]),
            (["--checkpointing", "some"], ["--checkpointing", "full"]),
            (["--clip-mode", "often"], ["--clip-mode", "two-pass"]),
            (["--clip-mode", "tensor", "--grad-clip", 0], ["--clip-mode", "--grad-clip"]),
            (["--clip-mode", "two-pass", "--grad-clip", 0], ["--clip-mode", "--grad-clip"]),
            (["--clip-mode", "two-pass", "--grad-accum", 2], ["--clip-mode", "--grad-accum"]),
            (["--clip-mode", "two-pass", "--data-shards", 2], ["--clip-mode", "--data-shards"]),
            (["--data-shards", 0], "--data-shards"),
            (["--data-shards", 3], ["--data-shards", "--batch-size"]),
            (["--batch-size", 12, "--data-shards", 2, "--grad-accum", 3], ["--grad-accum", "--data-shards"]),
            (["--warmup-steps", 9], "--warmup-steps"),
            (["--warmup-steps", -1], "--warmup-steps"),
            (["--batch-size", 0], "--batch-size"),
            (["--batch-size", 1 << 60], "--batch-size"),
            (["--batch-size", 4, "--grad-accum", 3], "--grad-accum"),
            (["--grad-accum", -1], "--grad-accum"),
            (["--seq-len", 1], "--seq-len"),
            (["--seq-len", -5], "--seq-len"),
            (["--seq-len", 10**18], "--seq-len"),
            (["--seq-len", 10**30], "--seq-len"),
            (["--save-every", -1], "--save-every"),
            (["--keep-checkpoints", -1], "--keep-checkpoints"),
            (["--eval-every", -1], "--eval-every"),
            (["--threads", -1], "--threads"),
            (["--threads", 10**6], "--threads"),
            (["--threads", 10**20], "--threads"),
            (["--memory", "much"], "--memory"),
            (["--memory", "-5GiB"], "--memory"),
            (["--memory", "99999999999999999999GiB"], "--memory"),
            (["--memory", ""], "--memory"),
            (["--tokens", TOKENS], ["--data", "--tokens"]),
            (["--disable-pass", "differentiate"], ["--disable-pass", "updates_in_backward"]),
            (["--steps", 10**30], "--steps"),
            (["--report", "/proc/nowhere/r.json"], "/proc/nowhere"),
            (["--report", "model"], ["--report", "directory"]),
            (["--html", "/proc/nowhere/r.html"], "/proc/nowhere"),
        ]:  # fmt: skip
            with self.subTest(flags=flags):
                length = [] if "--seq-len" in flags else ["--seq-len", 16]
                steps = [] if "--steps" in flags else ["--steps", 3]
                self.refuse("--data", "text.txt", *steps, *length, *flags, model="model", says=says)
        self.refused("train", "model", "--data", "text.txt", "--output", long_name, "--steps", 1)

    def test_no_data(self):
        self.refuse(says=["--data", "--tokens"])

    def test_steps(self):
        self.refuse("--tokens", TOKENS, "--steps", -1, says="--steps")
        self.refuse("--tokens", TOKENS, "--steps", 21, says=["--steps", "20"])

    def test_threads_0_is_every_processor(self):
        self.train(UNTIED, "--tokens", TOKENS, "--steps", 1, "--threads", 0, "--report", "r.json")
        self.assertGreaterEqual(self.read_json("r.json")["threads"], 1)
        self.assertLessEqual(self.read_json("r.json")["threads"], os.cpu_count())

    def test_instruction_set(self):
        self.refuse("--tokens", TOKENS, says=["HEADROOM_ISA", "avx2"], environment={"HEADROOM_ISA": "nonsense"})


class Output(BadInput):
    def test_it_exists(self):
        self.write("out", "a file")
        self.refuse("--tokens", TOKENS, says="out")
        os.remove(self.directory / "out")
        self.write("out/notes.txt", "mine")
        self.refuse("--tokens", TOKENS, says=["out", "notes.txt"])
        self.assertEqual((self.directory / "out/notes.txt").read_text(encoding="utf-8"), "mine")

    def test_it_cannot_be_made(self):
        self.write("file", "")
        for output in ("file/out", "/proc/out"):
            message = self.refused(*self.command(UNTIED, "--tokens", TOKENS, output=output))
            self.assertIn(output, message)

    def test_read_only(self):
        options = {}
        if os.geteuid() == 0:  # who may write anywhere
            options["user"] = 65534
            os.chmod(self.directory, 0o755)
        try:
            done = subprocess.run([frame.HEADROOM, "inspect", UNTIED], capture_output=True, check=False, **options)
        except PermissionError:
            done = None
        if done is None or done.returncode != 0:
            self.skipTest("another user cannot run the command here")
        (self.directory / "out").mkdir(mode=0o555)
        self.refuse("--tokens", TOKENS, says=["out", "ermission"], **options)
        (self.directory / "out").rmdir()
        os.chmod(self.directory, 0o555)
        self.refuse("--tokens", TOKENS, says=["out", "ermission"], **options)


class Disk(BadInput):
    """A limit on the size of a file stands for the disk that fills while a file is written."""

    def limit(self, size):
        return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))}

    def check_failed(self, message, name):
        self.assertEqual(len(message.splitlines()), 1)
        self.assertIn(name, message)
        self.assertIn("free", message)
        self.assertFalse([path for path in self.tree() if path.endswith(".headroom-tmp")])

    def test_a_disk_that_fills_during_a_save(self):
        flags = ["--tokens", TOKENS, "--steps", 4, "--save-every", 1]
        expected = self.train(UNTIED, *flags, output="plain")
        # The optimizer's state is twice as large as the weights: its file does not fit, nor does a checkpoint.
        size = (UNTIED / "model.safetensors").stat().st_size * 3 // 2
        message = self.refused(*self.command(UNTIED, *flags), expect=frame.MACHINE_FAILED, **self.limit(size))
        self.check_failed(message, "checkpoint-1")
        self.assertEqual(self.train(UNTIED, *flags), expected)

    def test_an_earlier_checkpoint_survives(self):
        first = ["--tokens", TOKENS, "--lr-schedule", "constant", "--save-every", 1, "--steps"]
        expected = self.train(UNTIED, *first, 4, output="plain")
        before = self.train(UNTIED, *first, 2)
        flags = [*first, 4, "--resume"]
        size = (UNTIED / "model.safetensors").stat().st_size // 2
        message = self.refused(*self.command(UNTIED, *flags), expect=frame.MACHINE_FAILED, **self.limit(size))
        self.check_failed(message, "checkpoint-3")
        self.assertEqual(bits(self.directory / "out")[1], before[1])
        self.headroom("inspect", "out/checkpoint-2")
        self.assertEqual(self.go_on(UNTIED, *flags), expected)

    def test_a_disk_without_room_for_the_checkpoints(self):
        """Said at the start, not after the first hours."""
        (self.directory / "disk").mkdir()
        mount = "mount -t tmpfs -o size=256k tmpfs disk"  # in a namespace of its own: it goes with the command
        in_disk = ["unshare", "--mount", "sh", "-c", mount + ' || exit 77; "$@"; code=$?; ls -A disk; exit $code', "sh"]
        command = self.command(UNTIED, "--tokens", TOKENS, "--save-every", 1, output="disk/out")
        done = subprocess.run(
            [*in_disk, frame.HEADROOM, *map(str, command)],
            cwd=self.directory, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        if done.returncode == 77 or done.stderr.startswith("unshare:"):
            self.skipTest("no small disk can be mounted here")
        self.assertEqual((done.returncode, done.stdout), (frame.MACHINE_FAILED, ""), done.stderr)
        self.check_failed(done.stderr.strip(), "disk/out")

    def test_no_room_for_the_data(self):
        model = self.text_model()
        flags = ["--data", "text.txt", "--seq-len", 16, "--steps", 1]
        self.write("text.txt", words(4000, seed=1))
        self.refuse(*flags, model=model.name, says="train.tokens", expect=frame.MACHINE_FAILED, **self.limit(1000))


class Numbers(BadInput):
    def test_a_loss_that_is_no_number(self):
        flags = ["--tokens", TOKENS, "--save-every", 1, "--lr", 1e30, "--grad-clip", 0, "--optimizer", "sgd"]
        message = self.refused(*self.command(UNTIED, *flags))
        self.assertEqual(len(message.splitlines()), 1)
        for word in ("out", "step", "--lr", "nan"):
            self.assertIn(word, message)
        self.headroom("inspect", "out/checkpoint-1")
        self.assertFalse((self.directory / "out/model.safetensors").exists())


if __name__ == "__main__":
    frame.main()
