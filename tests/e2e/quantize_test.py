"""quantize: the bytes of its files against an oracle in Python, what they decode to, and what is refused."""

import json
import os
import re
import resource
import signal
import struct
import subprocess
import time
import unittest

import frame
from grouped_weights import Format, decode, encode, read_raw, write_raw
from tensor_files import read_tensors

MIB = 1 << 20
PEERS_PYTHON = os.environ.get("HEADROOM_PEERS_PYTHON")
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "vocab_size": 88, "hidden_size": 64, "num_hidden_layers": 2,
    "intermediate_size": 160, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
    "torch_dtype": "float32",
}  # fmt: skip
GROUP = ["--group-size", "32", "--quiet"]


class Quantize(frame.CommandTest):
    def make(self, name="model", **changes):
        self.write("c.json", {**CONFIG, **changes})
        self.headroom("init", "c.json", "--output", name, "--quiet")
        return self.directory / name

    def quantize(self, model, output, *flags):
        self.headroom("quantize", model, "--output", output, *GROUP, "--report", "r.json", *flags)
        report = self.read_json("r.json")
        self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
        self.assertLessEqual(report["predicted_peak_bytes"], report["budget_bytes"])
        self.assertLess(report["predicted_peak_bytes"] - report["measured_peak_bytes"], 8 * MIB)
        return self.directory / output

    def notes(self, directory):
        metadata, tensors = read_raw(directory / "model.safetensors")
        self.assertEqual(metadata.pop("headroom.weights"), "1")
        self.assertNotIn("format", metadata)
        self.assertLessEqual(set(metadata), set(tensors))
        return metadata, tensors

    def edit(self, directory, change):
        """Writes model.safetensors again after `change(metadata, tensors)`."""
        metadata, tensors = read_raw(directory / "model.safetensors")
        change(metadata, tensors)
        write_raw(directory / "model.safetensors", metadata, tensors)

    def test_bytes_are_the_oracles_and_decode_to_what_convert_writes(self):
        model = read_tensors(self.make() / "model.safetensors")
        cases = [(bits, sign, group) for bits in (2, 3, 4, 8) for sign in ([], ["--asymmetric"]) for group in ("32",)]
        cases += [(4, [], "0"), (3, ["--asymmetric"], "0")]
        for bits, sign, group in cases:
            with self.subTest(bits=bits, sign=sign, group=group):
                name = f"{bits}-{len(sign)}-{group}"
                flags = ["--bits", bits, "--head-bits", 3, *sign, "--group-size", group]
                self.headroom("quantize", "model", "--output", name, "--quiet", *flags)
                notes, tensors = self.notes(self.directory / name)
                self.headroom("convert", name, "--output", f"{name}-f32", "--dtype", "f32", "--quiet")
                plain = read_tensors(self.directory / f"{name}-f32" / "model.safetensors")
                self.assertEqual(set(tensors), set(model))
                for key, (dtype, shape, raw) in tensors.items():
                    if key not in notes:
                        self.assertEqual((dtype, raw), ("F32", model[key].values.tobytes()))
                        continue
                    words = ("u" if sign else "") + f"int{3 if key == 'lm_head.weight' else bits}"
                    words += "_channel" if group == "0" else f"_g{group}"
                    self.assertEqual(notes[key], f"{words} {model[key].shape}")
                    self.assertEqual((dtype, shape), ("U8", [len(raw)]))
                    self.assertEqual(raw, encode(notes[key], list(model[key].values)), key)
                    self.assertEqual(list(plain[key].values), decode(notes[key], raw), key)
                self.assertFalse([key for key in tensors if (key in notes) != (len(model[key].shape) == 2)])

    def test_config_and_report(self):
        original = json.loads((self.make() / "config.json").read_text())
        self.headroom("quantize", "model", "--output", "q", *GROUP, "--report", "r.json", "--asymmetric", "--bits", 3)
        config = self.read_json("q/config.json")
        expected = {"quant_method": "headroom", "bits": 3, "group_size": 32, "symmetric": False}
        self.assertEqual(config.pop("quantization_config"), expected)
        self.assertEqual(config, original)
        report = self.read_json("r.json")
        notes, tensors = self.notes(self.directory / "q")
        sizes = {}
        for name, (_, _, raw) in tensors.items():
            key = notes.get(name, "f32").split()[0]
            sizes.setdefault(key, []).append(len(raw))
        self.assertEqual(report["weights"], {k: {"count": len(v), "bytes": sum(v)} for k, v in sizes.items()})
        plain = read_tensors(self.directory / "model" / "model.safetensors")
        elements = sum(len(tensor.values) for tensor in plain.values())
        self.assertAlmostEqual(report["bits_per_weight"], 8 * sum(map(sum, sizes.values())) / elements)
        self.headroom("convert", "q", "--output", "plain", "--quiet")
        self.assertEqual(self.read_json("plain/config.json"), original)
        said = self.headroom("quantize", "model", "--output", "q2", "--group-size", "32").stderr
        self.assertRegex(said, r"weights: 5 in f32, 15 in int4_g32, 1 in int8_g32 \(lm_head.weight\)\n")
        self.assertRegex(said, r"KiB become .*KiB, \d+\.\d\d bits per weight\n")

    def test_pages_shards_threads_and_budgets_change_no_byte(self):
        self.make()
        whole = self.quantize("model", "whole", "--threads", 1)
        data = (whole / "model.safetensors").read_bytes()
        (size,) = struct.unpack_from("<Q", data)
        self.assertEqual((8 + size) % 4096, 0)
        notes, tensors = self.notes(whole)
        header = json.loads(data[8 : 8 + size])
        for name in notes:
            self.assertEqual(header[name]["data_offsets"][0] % 4096, 0)
        for number, flags in enumerate([["--threads", 3], ["--memory", "256MiB"]]):
            same = self.quantize("model", f"same{number}", *flags)
            self.assertEqual((same / "model.safetensors").read_bytes(), data)
        self.refused("quantize", "model", "--output", "o", *GROUP, "--report", "no.json", "--memory", 1,
                     expect=frame.OVER_BUDGET)  # fmt: skip
        smallest = self.read_json("no.json")["smallest_budget_bytes"]
        lean = self.quantize("model", "lean", "--memory", smallest)
        self.assertEqual((lean / "model.safetensors").read_bytes(), data)
        shards = self.quantize("model", "shards", "--shard-size", "20000")
        found = {}
        for path in shards.glob("*.safetensors"):
            found.update(read_raw(path)[1])
        self.assertEqual(found, tensors)
        index = self.read_json("shards/model.safetensors.index.json")
        self.assertEqual(set(index["weight_map"]), set(tensors))

    def test_sources_of_every_kind(self):
        """The same bytes out of a directory, its shards, bf16 and a GGUF file of the same numbers."""
        self.make(torch_dtype="bfloat16")
        _, expected = self.notes(self.quantize("model", "q"))
        self.headroom("convert", "model", "--output", "shards", "--shard-size", "20000", "--quiet")
        self.headroom("convert", "model", "--output", "m.gguf", "--format", "gguf", "--quiet")
        for number, source in enumerate(["shards", "m.gguf"]):
            notes, found = self.notes(self.quantize(source, f"q{number}"))
            self.assertEqual({name: found[name] for name in notes}, {name: expected[name] for name in notes})
        self.headroom("convert", "model", "--output", "q8.gguf", "--format", "gguf", "--dtype", "q8_0", "--quiet")
        self.headroom("convert", "q8.gguf", "--output", "q8", "--dtype", "f32", "--quiet")
        keep = ["--keep", "embed_tokens"]
        _, direct = self.notes(self.quantize("q8.gguf", "direct", *keep))
        _, by_way = self.notes(self.quantize("q8", "by_way", *keep))
        self.assertEqual(direct, by_way)

    def test_what_is_kept_and_what_the_head_gets(self):
        self.make()
        cases = [
            ("lm_head", {"lm_head.weight"}),
            ("*down_proj,model.layers.0.self_attn.q_proj.weight",
             {"model.layers.0.mlp.down_proj.weight", "model.layers.1.mlp.down_proj.weight",
              "model.layers.0.self_attn.q_proj.weight"}),
            ("layers.1.*", None),
        ]  # fmt: skip
        for number, (keep, names) in enumerate(cases):
            notes, tensors = self.notes(self.quantize("model", f"q{number}", "--keep", keep))
            matrices = {name for name in tensors if "norm" not in name}
            names = names or {name for name in matrices if ".layers.1." in name}
            self.assertEqual(matrices - set(notes), names)
        tied = self.make("tied", tie_word_embeddings=True)
        notes, _ = self.notes(self.quantize(tied, "tied-q"))
        self.assertEqual(notes["model.embed_tokens.weight"], "int8_g32 [88, 64]")
        notes, _ = self.notes(self.quantize(tied, "tied-k", "--keep", "lm_head", "--bits", "2"))
        self.assertNotIn("model.embed_tokens.weight", notes)

    def test_eval_is_that_of_the_decoded_model(self):
        self.write("ids.json", {"ids": [[(7 * i + 3 * r) % 88 for i in range(24)] for r in range(2)]})
        for number, changes in enumerate([{}, {"tie_word_embeddings": True, "torch_dtype": "bfloat16"}]):
            self.make(f"m{number}", **changes)
            for bits, flags in [(4, []), (3, ["--asymmetric"]), (8, ["--keep", "*_proj"])]:
                name = f"{number}-{bits}"
                self.quantize(f"m{number}", name, "--bits", bits, *flags)
                self.headroom("convert", name, "--output", f"{name}-f32", "--dtype", "f32", "--quiet")
                logits = []
                for model in (name, f"{name}-f32"):
                    self.headroom("eval", model, "--tokens", "ids.json", "--logits", "l.safetensors", "--quiet",
                                  "--memory", "256MiB", "--compute", "f32")  # fmt: skip
                    logits.append((self.directory / "l.safetensors").read_bytes())
                self.assertEqual(*logits)
                gguf = f"{name}.gguf"
                self.headroom("convert", name, "--output", gguf, "--format", "gguf", "--dtype", "f32", "--quiet")
                self.headroom("convert", gguf, "--output", f"{name}-back", "--quiet")
                back, plain = (
                    {key: one.values for key, one in read_tensors(self.directory / d / "model.safetensors").items()}
                    for d in (f"{name}-back", f"{name}-f32")
                )
                self.assertEqual(back, plain)

    def test_inspect_and_plan_know_the_formats(self):
        self.make()
        q = self.quantize("model", "q")
        notes, tensors = self.notes(q)
        found = json.loads(self.headroom("inspect", "q", "--json").stdout)
        total = sum(len(raw) for _, _, raw in tensors.values())
        self.assertEqual(found["model"]["dtype"], "f32 and int4_g32 and int8_g32")
        self.assertEqual((found["model"]["bytes"], found["weights"]["bytes"]), (total, total))
        self.assertAlmostEqual(found["weights"]["bits_per_weight"], 8 * total / found["weights"]["elements"], places=3)
        for tensor in found["weights"]["tensors"]:
            if tensor["name"] in notes:
                self.assertEqual(f"{tensor['dtype']} {tensor['shape']}", notes[tensor["name"]])
        self.assertIn("bits_per_weight", self.headroom("inspect", "q").stdout)
        self.headroom("plan", "q", "--task", "generate", "--context", 16, "--report", "plan.json")
        weights = self.read_json("plan.json")["peak"]["bytes_by_role"]["weight"]
        self.assertLessEqual(total, weights)
        self.assertLess(weights, total + 64 * len(tensors))

    def test_training_out_of_it_and_beside_it(self):
        """The same bits as with the numbers that its codes mean; what comes out of it is plain."""
        self.make()
        self.quantize("model", "q")
        self.headroom("convert", "q", "--output", "q-f32", "--dtype", "f32", "--quiet")
        self.write("tokens.json", {"batches": [[[(5 * i + r) % 88 for i in range(16)] for r in range(2)]]})
        for number, (flags, file) in enumerate([([], "model"), (["--lora-rank", 2], "adapter_model")]):
            for model in ("q", "q-f32"):
                output = f"{model}-{number}"
                self.headroom("train", model, "--tokens", "tokens.json", "--output", output, "--quiet", *flags)
            files = [self.directory / f"{model}-{number}" / f"{file}.safetensors" for model in ("q", "q-f32")]
            self.assertEqual(files[0].read_bytes(), files[1].read_bytes())
        self.assertNotIn("quantization_config", self.read_json("q-0/config.json"))
        for bits in (4, 8):
            words = self.refused("train", "q", "--tokens", "tokens.json", "--output", "o", "--lora-rank", 2,
                                 "--base-bits", bits)  # fmt: skip
            self.assertIn(f"--base-bits {bits}: model.layers.0.self_attn.q_proj.weight is quantised already", words)

    def test_what_is_refused_leaves_nothing(self):
        self.make()
        self.make("odd", hidden_size=48)
        self.write("full/file", "mine")
        self.quantize("model", "q")
        before = sorted(path.name for path in self.directory.iterdir())
        cases = [
            (["nowhere", "--output", "o"], "nowhere: there is no such file or directory"),
            (["model", "--output", "full"], "--output full: it exists and is not an empty directory; choose another"),
            (["model", "--output", "o"], "rows of 64 elements; expected a multiple of 128 for --group-size 128; "
             "try --group-size 32"),
            (["odd", "--output", "o", "--group-size", "32"], "rows of 48 elements; expected a multiple of 32 for "
             "--group-size 32; try --group-size 32 --keep embed_tokens,gate_proj,k_proj,"),
            (["odd", "--output", "o", "--group-size", "0"], "a multiple of 32 for --group-size 0; try --group-size 32"),
            (["model", "--output", "o", "--bits", "5"], "--bits 5: expected 8, 4, 3 or 2"),
            (["model", "--output", "o", "--head-bits", "16"], "--head-bits 16: expected 8, 4, 3 or 2"),
            (["model", "--output", "o", "--group-size", "48"], "--group-size 48: expected 32, 64, 128 or 0"),
            (["model", "--output", "o", "--method", "gptq"], "gptq"),
            (["model", "--output", "o", "--keep", "q_proj,nose"], "--keep nose: no matrix of the model has such a"),
            (["model", "--output", "o", "--keep", "*"], "--keep *: keeps all matrices; nothing is left to quantise"),
            (["model", "--output", "o", "--keep", "a,,b"], "--keep: expected names with commas"),
            (["q", "--output", "o"], "q: is quantised already, tensor lm_head.weight as int8_g32; expected a model in"),
        ]  # fmt: skip
        for arguments, words in cases:
            with self.subTest(arguments=arguments):
                self.assertIn(words, self.refused("quantize", *arguments))
                self.assertEqual(sorted(path.name for path in self.directory.iterdir()), before)

    def test_numbers_that_no_scale_holds(self):
        for number, words in [
            (b"\x00\x00\xc0\x7f", r"tensor lm_head.weight holds a NaN at element 5631"),
            (b"\x00\x00\x80\x7f", r"tensor lm_head.weight holds an infinity, .* from element 5600 on"),
            (b"\x00\x00\x80\x5f", r"tensor lm_head.weight holds .* a number beyond the scales of int8_g32, from"),
        ]:  # fmt: skip
            model = self.make()
            self.edit(model, lambda _, tensors: tensors.update(
                {"lm_head.weight": ("F32", [88, 64], tensors["lm_head.weight"][2][:-4] + number)}))  # fmt: skip
            self.assertRegex(self.refused("quantize", model, "--output", "o", *GROUP), words)
            self.assertEqual({path.name for path in self.directory.iterdir()}, {"c.json", "model"})
            subprocess.run(["rm", "-r", model], check=True)
        zeros = self.make()
        self.edit(zeros, lambda _, tensors: tensors.update({"lm_head.weight": ("F32", [88, 64], bytes(4 * 88 * 64))}))
        _, tensors = self.notes(self.quantize(zeros, "q"))
        self.assertEqual(set(decode("int8_g32 [88, 64]", tensors["lm_head.weight"][2])), {0.0})

    def test_files_that_lie(self):
        self.make()
        self.quantize("model", "q")
        key = "lm_head.weight"
        note = "int8_g32 [88, 64]"

        def said(metadata=None, tensor=None, truncated=0):
            subprocess.run(["cp", "-r", self.directory / "q", self.directory / "bad"], check=True)
            self.edit(self.directory / "bad", lambda m, t: (m.update(metadata or {}), t.update(tensor or {})))
            path = self.directory / "bad" / "model.safetensors"
            path.write_bytes(path.read_bytes()[: len(path.read_bytes()) - truncated])
            self.write("ids.json", {"ids": [[1, 2, 3, 4]]})
            words = self.refused("eval", "bad", "--tokens", "ids.json", "--quiet")
            subprocess.run(["rm", "-r", self.directory / "bad"], check=True)
            return words

        raw = read_raw(self.directory / "q" / "model.safetensors")[1][key][2]
        form = Format(note)
        self.assertIn("was written by a newer headroom (weights of version 2", said({"headroom.weights": "2"}))
        self.assertIn("headroom.weights is 'x'; expected '1'", said({"headroom.weights": "x"}))
        self.assertIn("unknown weight format 'int5_g32'", said({key: "int5_g32 [88, 64]"}))
        self.assertIn("unknown weight format 'nf4'", said({key: "nf4 [88, 64]"}))
        for text in ["int8_g32", "int8_g32 [88,64]", "int8_g32 [88, 64] ", "int8_g32 [88, -64]", "int8_g32 []"]:
            self.assertIn("expected 'int8_g32 [rows, columns]'", said({key: text}), text)
        self.assertIn("bytes are not those of int8_g32 [8800, 64]", said({key: "int8_g32 [8800, 64]"}))
        self.assertIn("bytes are not those of int4_g32 [88, 64]", said({key: "int4_g32 [88, 64]"}))
        self.assertIn("absurd", said({key: "int8_g32 [9223372036854775807, 64]"}))
        self.assertIn("rows are whole groups", said({key: "int8_g128 [88, 64]"}))
        self.assertIn("has shape [86, 64] (expected [88, 64])", said({key: "int8_g32 [86, 64]"}))
        self.assertIn("speaks of tensor nose, which is not there", said({"nose": note}))
        self.assertIn("expected U8 of one dimension", said({"model.norm.weight": "int8_g32 [1, 64]"}))
        words = r"the file is truncated; tensor \S+ ends at byte \d+ of the data, of which it has \d+; try copying"
        self.assertRegex(said(truncated=4096), words)
        for scale in (b"\x00\x7e", b"\x00\xfc"):
            at = form.place_of_group(17, 1)[0]
            damaged = raw[:at] + scale + raw[at + 2 :]
            words = said(tensor={key: ("U8", [len(raw)], damaged)})
            self.assertIn("tensor lm_head.weight has a scale in row 17 that is NaN or infinite", words)

    def test_a_full_disk_leaves_nothing(self):
        self.make()
        limit = (30_000, 30_000)
        message = self.refused(
            "quantize", "model", "--output", "o", "--memory", "256MiB", *GROUP, expect=frame.MACHINE_FAILED,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
        )  # fmt: skip
        self.assertIn("cannot write", message)
        self.assertEqual({path.name for path in self.directory.iterdir()}, {"c.json", "model"})

    @unittest.skipUnless(PEERS_PYTHON, "HEADROOM_PEERS_PYTHON is not set")
    def test_the_python_package_reads_the_file(self):
        self.make()
        q = self.quantize("model", "q")
        script = (
            "import sys; from safetensors import safe_open; f = safe_open(sys.argv[1], 'np'); "
            "print(f.metadata()['lm_head.weight'], f.get_tensor('lm_head.weight').shape[0])"
        )
        done = subprocess.run(
            [PEERS_PYTHON, "-c", script, q / "model.safetensors"], capture_output=True, encoding="utf-8", check=True
        )
        self.assertEqual(done.stdout.split(), ["int8_g32", "[88,", "64]", str(Format("int8_g32 [88, 64]").bytes)])


class Large(frame.CommandTest):
    """25 million parameters in 100 MB."""

    def test_memory_does_not_grow_with_the_model_and_a_signal_leaves_nothing(self):
        config = {**CONFIG, "vocab_size": 16384, "hidden_size": 512, "num_hidden_layers": 4, "intermediate_size": 688}
        self.write("c.json", config)
        self.headroom("init", "c.json", "--output", "model", "--quiet")
        command = ["quantize", "model", "--output", "q", "--keep", "*down_proj", "--report", "r.json"]
        process = self.start(*command)
        deadline = time.monotonic() + 60
        while not list(self.directory.glob("q*/**/*.safetensors*")) and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGTERM)
        process.communicate()
        self.assertIn(process.returncode, (frame.TERMINATED, frame.DONE))
        if process.returncode == frame.TERMINATED:
            self.assertEqual({path.name for path in self.directory.iterdir()}, {"c.json", "model"})
        else:
            subprocess.run(["rm", "-r", self.directory / "q"], check=True)
        self.headroom(*command, "--memory", "24MiB")
        report = self.read_json("r.json")
        self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
        self.assertLess(report["predicted_peak_bytes"], 24 * MIB)
        self.assertRegex(str(report["weights"]), re.escape("'int4_g128'"))


if __name__ == "__main__":
    frame.main()
