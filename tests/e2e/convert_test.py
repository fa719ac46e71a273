"""convert between dtypes and shards, and init in shards: values, files, memory, and what is refused.

A converted model is read back with nothing but Python (tensor_files.py); that transformers loads it is peers_test.py.
"""

import json
import os
import resource

import frame
from tensor_files import read_tensors

MODELS = frame.ROOT / "tests" / "data" / "llama"
MIB = 1 << 20
COMPANIONS = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "merges.txt", "tokenizer.model", "chat_template.jinja", "generation_config.json",
]  # fmt: skip


def tensors_of(directory):
    """Name -> Tensor of a model directory, by its index where it has one."""
    index = directory / "model.safetensors.index.json"
    if not index.exists():
        return read_tensors(directory / "model.safetensors")
    places = json.loads(index.read_text())["weight_map"]
    tensors = {}
    for shard in sorted(set(places.values())):
        tensors.update(read_tensors(directory / shard))
    if set(tensors) != set(places) or any(name not in read_tensors(directory / places[name]) for name in places):
        raise ValueError(f"{index}: its shards hold other tensors")
    return tensors


class Convert(frame.CommandTest):
    def convert(self, model, output, *flags):
        self.headroom("convert", model, "--output", output, "--quiet", "--report", "r.json", *flags)
        report = self.read_json("r.json")
        self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
        self.assertLessEqual(report["predicted_peak_bytes"], report["budget_bytes"])
        self.assertLess(report["predicted_peak_bytes"] - report["measured_peak_bytes"], 8 * MIB)
        return self.directory / output

    def values(self, directory):
        return {name: list(tensor.values) for name, tensor in tensors_of(directory).items()}

    def test_dtypes_are_converted_and_the_config_says_so(self):
        for name, dtype in [("gqa", "bf16"), ("gqa", "f16"), ("bf16", "f32"), ("f16", "bf16")]:
            with self.subTest(model=name, dtype=dtype):
                before = tensors_of(MODELS / name)
                after = tensors_of(self.convert(MODELS / name, f"{name}-{dtype}", "--dtype", dtype))
                self.assertEqual(set(after), set(before))
                for key, tensor in after.items():
                    self.assertEqual(tensor.dtype, dtype.upper())
                    self.assertEqual(tensor.shape, before[key].shape)
                    bound = 2**-8 if dtype == "bf16" else 2**-11 if dtype == "f16" else 0
                    for new, old in zip(tensor.values, before[key].values):
                        self.assertLessEqual(abs(new - old), max(bound * abs(old), 2**-24 if bound else 0))
                config = self.read_json(f"{name}-{dtype}/config.json")
                original = json.loads((MODELS / name / "config.json").read_text())
                key = "dtype" if "dtype" in original else "torch_dtype"
                self.assertEqual(config[key], {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}[dtype])
                self.assertEqual({**config, key: None}, {**original, key: None})

    def test_without_a_dtype_every_bit_stays(self):
        for name in ["gqa", "bf16"]:
            copy = self.convert(MODELS / name, name)
            self.assertEqual(self.values(copy), self.values(MODELS / name))
            self.assertEqual((copy / "config.json").read_bytes(), (MODELS / name / "config.json").read_bytes())

    def test_shards_are_cut_and_joined(self):
        model = MODELS / "gqa"
        shards = self.convert(model, "shards", "--shard-size", "20000")
        names = sorted(path.name for path in shards.glob("*.safetensors"))
        self.assertGreater(len(names), 2)
        self.assertEqual(names[0], f"model-00001-of-{len(names):05}.safetensors")
        self.assertEqual(self.read_json("r.json")["files"], len(names))
        self.assertEqual(self.values(shards), self.values(model))
        index = self.read_json("shards/model.safetensors.index.json")
        elements = sum(len(tensor.values) for tensor in tensors_of(model).values())
        self.assertEqual(index["metadata"], {"total_parameters": elements, "total_size": 4 * elements})
        joined = self.convert(shards, "joined")
        self.assertEqual([path.name for path in joined.glob("*.safetensors*")], ["model.safetensors"])
        self.assertEqual(self.values(joined), self.values(model))
        ids = model / "ids.json"
        said = [
            self.headroom("eval", directory, "--tokens", ids, "--quiet").stdout for directory in (model, shards, joined)
        ]
        self.assertEqual(len(set(said)), 1)

    def test_companions_come_along(self):
        model = self.directory / "model"
        model.mkdir()
        for path in (MODELS / "mha").iterdir():
            if path.name in ("config.json", "model.safetensors"):
                (model / path.name).write_bytes(path.read_bytes())
        for name in COMPANIONS:
            self.write(f"model/{name}", f"content of {name}")
        self.write("model/notes.txt", "mine")
        converted = self.convert("model", "converted", "--dtype", "bf16")
        self.assertEqual(
            sorted(path.name for path in converted.iterdir()), sorted(["config.json", "model.safetensors", *COMPANIONS])
        )
        for name in COMPANIONS:
            self.assertEqual((converted / name).read_text(), f"content of {name}")

    def test_what_is_refused_leaves_nothing(self):
        model = MODELS / "gqa"
        self.write("full/file", "mine")
        cases = [
            (["nowhere", "--output", "o"], "nowhere: there is no such file or directory"),
            ([model, "--output", "full"], "--output full: it exists and is not an empty directory; choose another"),
            ([model, "--output", "o", "--dtype", "int8"], "unknown dtype 'int8'; expected f32, bf16 or f16"),
            ([model, "--output", "o", "--dtype", "f64"], "--dtype f64: expected f32, bf16 or f16"),
            ([model, "--output", "o", "--shard-size", "0"], "--shard-size 0: expected a size of one byte or more"),
            ([model, "--output", "o", "--shard-size", "big"], "--shard-size"),
            ([model, "--output", "o", "--format", "onnx"], "onnx"),
        ]
        for arguments, words in cases:
            with self.subTest(arguments=arguments):
                self.assertIn(words, self.refused("convert", *arguments))
                self.assertEqual([path.name for path in self.directory.iterdir()], ["full"])

    def test_a_number_that_f16_cannot_hold_is_refused(self):
        self.headroom("init", MODELS / "gqa" / "config.json", "--output", "model", "--quiet", "--dtype", "f32")
        path = self.directory / "model" / "model.safetensors"
        data = bytearray(path.read_bytes())
        data[-4:] = b"\x00\x50\xc3\x47"  # 100000
        path.write_bytes(data)
        message = self.refused("convert", "model", "--output", "half", "--dtype", "f16")
        self.assertRegex(message, r"tensor \S+ holds 100000 at element \d+, which f16 cannot; try --dtype bf16")
        self.assertEqual([path.name for path in self.directory.iterdir()], ["model"])
        self.convert("model", "brain", "--dtype", "bf16")

    def test_an_empty_output_directory_is_taken(self):
        (self.directory / "new").mkdir()
        self.convert(MODELS / "mha", "new")
        (self.directory / "made").mkdir()
        self.headroom("init", MODELS / "mha" / "config.json", "--output", "made", "--quiet")

    def test_budgets(self):
        """The smallest budget that a refusal names works, one MiB less does not, and the bytes are the same."""
        command = ["convert", MODELS / "gqa", "--output", "o", "--report", "refusal.json", "--memory"]
        self.refused(*command, 1, expect=frame.OVER_BUDGET)
        smallest = self.read_json("refusal.json")["smallest_budget_bytes"]
        self.refused(*command, smallest - MIB, expect=frame.OVER_BUDGET)
        self.assertLess(smallest, 16 * MIB)
        lean = self.convert(MODELS / "gqa", "lean", "--memory", smallest, "--dtype", "bf16")
        rich = self.convert(MODELS / "gqa", "rich", "--memory", "1GiB", "--dtype", "bf16")
        self.assertEqual((lean / "model.safetensors").read_bytes(), (rich / "model.safetensors").read_bytes())

    def test_a_full_disk_leaves_nothing(self):
        limit = (30_000, 30_000)
        message = self.refused(
            "convert", MODELS / "gqa", "--output", "o", "--memory", "256MiB", expect=frame.MACHINE_FAILED,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
        )  # fmt: skip
        self.assertIn("cannot write", message)
        self.assertEqual(list(self.directory.iterdir()), [])


class Large(frame.CommandTest):
    """A model larger than what its making may take: 25 million parameters in 100 MB."""

    def make(self, output, *flags, **options):
        config = {
            "architectures": ["LlamaForCausalLM"], "vocab_size": 16384, "hidden_size": 512, "num_hidden_layers": 4,
            "intermediate_size": 688, "num_attention_heads": 8, "max_position_embeddings": 64, "torch_dtype": "float32",
        }  # fmt: skip
        self.write("c.json", config)
        self.headroom("init", "c.json", "--output", output, "--quiet", *flags, **options)
        return self.directory / output

    def test_init_streams_and_threads_change_nothing(self):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        one = self.make("one", preexec_fn=lambda: os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]))
        many = self.make("many")
        self.assertGreater((one / "model.safetensors").stat().st_size, 80 * MIB)
        self.assertLessEqual(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, max(before, 48 * 1024))
        self.assertEqual((one / "model.safetensors").read_bytes(), (many / "model.safetensors").read_bytes())
        shards = tensors_of(self.make("shards", "--shard-size", "30MB"))
        whole = tensors_of(one)
        self.assertEqual(set(shards), set(whole))
        for name, tensor in whole.items():
            self.assertEqual(tensor.values, shards[name].values)

    def test_convert_takes_no_more_memory_for_a_larger_model(self):
        self.make("model")
        for memory, dtype in [("24MiB", "bf16"), ("64MiB", "f32")]:
            self.headroom(
                "convert", "model", "--output", dtype, "--dtype", dtype, "--memory", memory, "--report", "r.json"
            )
            report = self.read_json("r.json")
            self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
            self.assertLess(report["predicted_peak_bytes"] - report["measured_peak_bytes"], 8 * MIB)
            expected = report["read_bytes"] // (2 if dtype == "bf16" else 1)
            self.assertLess(abs(report["written_bytes"] - expected), MIB)


if __name__ == "__main__":
    frame.main()
