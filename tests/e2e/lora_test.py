"""Adapters through the built command: what PyTorch in float64 says of them (tests/data/lora), the files of PEFT, the
same bits however a step is cut, and what is refused."""

import array
import bisect
import json
import shutil
import signal
import struct
import time

import frame
from tensor_files import largest, largest_difference, read_tensors
from training import MODELS, UNTIED, TrainingTest, losses

ADAPTERS = frame.ROOT / "tests" / "data" / "lora"
BASES = {"mha": "mha", "patterns": "bf16", "biases": "biases", "regex": "qwen2_tied", "layers": "qwen2_tied"}
# DoRA, which is only merged, and layers that an adapter has whole.
MERGED = {"dora": "biases", "whole": "qwen2"}
FILES = ["adapter_config.json", "adapter_model.safetensors"]

LOGITS_BOUND = 5e-5  # as in tests/e2e/oracle_test.py
GRADIENT_BOUND = 3e-5
CURVE_BOUND = 1e-4


class Lora(TrainingTest):
    def tune(self, model, *flags, output="out", **options):
        """A whole run into `output`, made anew; the losses and the adapter's bytes."""
        shutil.rmtree(self.directory / output, ignore_errors=True)
        self.headroom(*self.command(model, *flags, output=output), **options)
        return self.result(output)

    def result(self, output="out"):
        return losses(self.directory / output), (self.directory / output / FILES[1]).read_bytes()

    def logits(self, model, *flags):
        ids = MODELS / model.name / "ids.json" if (model / "ids.json").exists() else UNTIED / "ids.json"
        flags = ["--tokens", ids, "--logits", "l.safetensors", "--memory", "64MiB", "--quiet", *flags]
        self.headroom("eval", model, *flags)
        return read_tensors(self.directory / "l.safetensors")["logits"].values


class Oracle(Lora):
    def test_logits_with_an_adapter_are_pytorchs(self):
        for name, base in (BASES | {"whole": "qwen2"}).items():
            with self.subTest(adapter=name):
                ours = self.logits(MODELS / base, "--adapter", ADAPTERS / name)
                theirs = read_tensors(ADAPTERS / name / "logits.safetensors")["logits"].values
                self.assertLessEqual(largest_difference(ours, theirs), LOGITS_BOUND)

    def test_gradients_of_an_adapter_are_pytorchs(self):
        """One step A' = A - g shows g."""
        flags = "--optimizer sgd --lr 1 --lr-schedule constant --steps 1 --grad-clip 0 --weight-decay 0".split()
        for name, base in BASES.items():
            with self.subTest(adapter=name):
                ids = json.loads((MODELS / base / "ids.json").read_text(encoding="utf-8"))["ids"]
                tokens = self.write("tokens.json", {"batches": [ids]})
                self.tune(MODELS / base, "--adapter", ADAPTERS / name, "--tokens", tokens, *flags, output=name)
                before = read_tensors(ADAPTERS / name / FILES[1])
                after = read_tensors(self.directory / name / FILES[1])
                expected = read_tensors(ADAPTERS / name / "gradients.safetensors")
                self.assertEqual(set(after), set(expected))
                for key, gradient in expected.items():
                    ours = [old - new for old, new in zip(before[key].values, after[key].values)]
                    off = largest_difference(ours, gradient.values) / largest(gradient.values)
                    self.assertLessEqual(off, GRADIENT_BOUND, key)

    def test_adamw_curves_are_pytorchs(self):
        for name in ["mha", "biases"]:
            with self.subTest(adapter=name):
                curve = json.loads((ADAPTERS / name / "curve.json").read_text(encoding="utf-8"))
                base = MODELS / BASES[name]
                flags = ["--steps", len(curve["losses"]), "--lr", curve["lr"], "--lr-schedule", "constant"]
                lines, _ = self.tune(
                    base, "--adapter", ADAPTERS / name, "--tokens", base / "curve_tokens.json", *flags, output=name
                )
                self.assertLessEqual(largest_difference([line["loss"] for line in lines], curve["losses"]), CURVE_BOUND)


class Training(Lora):
    FLAGS = ["--tokens", UNTIED / "curve_tokens.json", "--steps", 6, "--lr", 0.01]
    NEW = [*FLAGS, "--lora-rank", 4, "--lora-alpha", 8, "--lora-dropout", 0.2]

    def test_the_output_is_an_adapter_and_only_that(self):
        self.tune(UNTIED, *self.FLAGS, "--lora-rank", 2, "--lora-targets", "q_proj,down_proj")
        names = sorted(path.name for path in (self.directory / "out").iterdir())
        self.assertEqual(
            [name for name in names if not name.startswith(".")],
            [*FILES, "checkpoint-6", "metrics.jsonl", "train.tokens"],
        )
        config = self.read_json("out/adapter_config.json")
        expected = {"peft_type": "LORA", "r": 2, "lora_alpha": 16, "target_modules": ["q_proj", "down_proj"]}
        self.assertEqual({key: config[key] for key in expected}, expected)
        tensors = read_tensors(self.directory / "out" / FILES[1])
        self.assertEqual(len(tensors), 2 * 2 * 2)
        a = tensors["base_model.model.model.layers.1.mlp.down_proj.lora_A.weight"]
        self.assertEqual(a.shape, [2, 37])
        checkpoint = read_tensors(self.directory / "out" / "checkpoint-6" / "model.safetensors")
        self.assertEqual(set(checkpoint), set(tensors))

    def test_a_new_adapter_changes_nothing_before_its_first_step(self):
        self.tune(UNTIED, *self.FLAGS[:2], "--steps", 1, "--lr", 0, "--lora-rank", 4)
        self.assertEqual(self.logits(UNTIED, "--adapter", "out"), self.logits(UNTIED))
        a = read_tensors(self.directory / "out" / FILES[1])["base_model.model.model.layers.0.mlp.up_proj.lora_A.weight"]
        bound = 24**-0.5
        self.assertLess(largest(a.values), bound)
        self.assertGreater(largest(a.values), 0.9 * bound)

    def test_the_bits_do_not_depend_on_how_a_step_is_cut(self):
        expected = self.tune(UNTIED, *self.NEW)
        for change in [
            ["--threads", 2],
            ["--checkpointing", "full"],
            ["--grad-accum", 2],
            ["--checkpointing", "none"],
            ["--clip-mode", "two-pass"],
        ]:
            with self.subTest(change=change):
                self.assertEqual(self.tune(UNTIED, *self.NEW, *change, output="other"), expected)
        for isa in ["reference", "avx2"]:
            with self.subTest(isa=isa):
                environment = {"HEADROOM_ISA": isa}
                self.assertEqual(self.tune(UNTIED, *self.NEW, output="other", environment=environment), expected)
        self.assertNotEqual(self.tune(UNTIED, *self.NEW, "--seed", 1, output="other"), expected)

    def test_killed_and_resumed(self):
        flags = [*self.NEW, "--save-every", 1]
        expected = self.tune(UNTIED, *flags, output="plain")
        for steps in [1, 4]:
            shutil.rmtree(self.directory / "out", ignore_errors=True)
            process = self.start(*map(str, self.command(UNTIED, *flags)))
            metrics = self.directory / "out" / "metrics.jsonl"
            while process.poll() is None and not (metrics.exists() and metrics.read_bytes().count(b"\n") >= steps):
                time.sleep(0.0005)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
            resume = ["--resume"] if any(self.directory.glob("out/checkpoint-*[0-9]")) else []
            self.headroom(*self.command(UNTIED, *flags, *resume))
            self.assertEqual(self.result(), expected)
        changed = self.refused(*self.command(UNTIED, *flags, "--resume", "--lora-targets", "q_proj"))
        self.assertIn("was trained with --lora-targets q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj, got "
                      "q_proj", changed)  # fmt: skip
        model = self.directory / "model"
        shutil.copytree(UNTIED, model)
        weights = bytearray((model / "model.safetensors").read_bytes())
        weights[-len(weights) // 2 :] = weights[-len(weights) // 2 :][::-1]
        (model / "model.safetensors").write_bytes(weights)
        self.assertIn("a base of fingerprint", self.refused(*self.command(model, *flags, "--resume")))

    def test_an_adapter_is_continued(self):
        self.tune(UNTIED, *self.NEW, output="first")
        self.tune(UNTIED, *self.FLAGS[:4], "--lr", 0, "--adapter", "first", output="second")
        self.assertEqual((self.directory / "second" / FILES[1]).read_bytes(),
                         (self.directory / "first" / FILES[1]).read_bytes())  # fmt: skip
        self.assertEqual(self.read_json("second/adapter_config.json"), self.read_json("first/adapter_config.json"))

    def test_flags_that_say_what_the_adapter_says_are_taken(self):
        targets = "down_proj,up_proj,gate_proj,o_proj,v_proj,k_proj,q_proj"
        same = ["--lora-rank", 4, "--lora-alpha", 6, "--lora-targets", targets]
        for flags in [[], same]:
            self.tune(UNTIED, *self.FLAGS, "--adapter", ADAPTERS / "mha", *flags, output=f"out{len(flags)}")
        self.assertEqual(self.result("out0"), self.result("out6"))

    def test_dropout_of_an_adapter_is_its_own_unless_the_flag_is_there(self):
        self.tune(UNTIED, *self.NEW, output="first")
        for flags, dropout in [([], 0.2), (["--lora-dropout", 0], 0), (["--lora-dropout", 0.5], 0.5)]:
            self.tune(UNTIED, *self.FLAGS, "--adapter", "first", *flags, output="second")
            self.assertEqual(self.read_json("second/adapter_config.json")["lora_dropout"], dropout)

    def test_evaluation_while_training_sees_the_adapter(self):
        model = self.text_model()
        flags = ["--data", "text.txt", "--eval-data", "text.txt", "--batch-size", 4, "--seq-len", 24, "--steps", 4,
                 "--lr", 0.02, "--lora-rank", 4, "--lora-dropout", 0.5]  # fmt: skip
        self.tune(model, *flags, "--report", "train.json")
        self.headroom("eval", model, "--adapter", "out", "--data", "text.txt", "--seq-len", 24, "--memory", "64MiB",
                      "--quiet", "--report", "eval.json")  # fmt: skip
        self.assertAlmostEqual(self.read_json("train.json")["eval_loss"], self.read_json("eval.json")["loss"], places=3)

    def test_generation_sees_the_adapter(self):
        model = self.text_model()
        flags = ["--data", "text.txt", "--batch-size", 4, "--seq-len", 24, "--steps", 8, "--lr", 0.05, "--lora-rank", 8]
        self.tune(model, *flags)
        command = ["generate", model, "--prompt", "the", "--max-new-tokens", 12, "--memory", "64MiB", "--quiet"]
        self.headroom(*command, "--logprobs", "plain.json")
        self.headroom(*command, "--adapter", "out", "--logprobs", "with.json", "--report", "r.json")
        self.assertNotEqual(self.read_json("plain.json"), self.read_json("with.json"))
        report = self.read_json("r.json")
        self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])

    def test_memory_of_a_frozen_base(self):
        """Neither gradients nor moments of the base, nor a copy in f32 of one in bf16."""
        self.headroom("init", "tiny-4m", "--dtype", "bf16", "--output", "model", "--quiet")
        weights = (self.directory / "model" / "model.safetensors").stat().st_size
        tokens = self.write("tokens.json", {"batches": [[[index % 97 for index in range(33)]]]})
        self.tune(self.directory / "model", "--tokens", tokens, "--lora-rank", 4, "--report", "r.json")
        report = self.read_json("r.json")
        roles = report["peak"]["bytes_by_role"]
        adapter = (self.directory / "out" / FILES[1]).stat().st_size
        self.assertLess(roles["weight"], weights + adapter + 65536)
        self.assertLessEqual(roles.get("optimizer_state", roles.get("optimizer state", 0)), 2 * adapter)
        self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])


def f32(number):
    return struct.unpack("f", struct.pack("f", number))[0]


def as_kept_in_nf4(values, table, midpoints, dynamic_map, dynamic_midpoints):
    """The f32 numbers that a tensor is after NF4 with double quantisation, operation by operation as
    docs/arithmetic.md has it."""
    blocks = [values[first : first + 64] for first in range(0, len(values), 64)]
    magnitudes = [max(map(abs, block)) for block in blocks]
    mean = f32(sum(magnitudes) / len(magnitudes))
    kept = []
    for first in range(0, len(blocks), 256):
        centred = [f32(magnitude - mean) for magnitude in magnitudes[first : first + 256]]
        scale = max(map(abs, centred))
        inverse = f32(1 / max(scale, f32(1e-38)))
        for block, magnitude, offset in zip(blocks[first : first + 256], magnitudes[first : first + 256], centred):
            of_block = f32(1 / max(magnitude, f32(1e-38)))
            code = bisect.bisect_left(dynamic_midpoints, max(-1.0, min(1.0, f32(offset * inverse))))
            factor = f32(f32(dynamic_map[code] * scale) + mean)
            for value in block:
                nearest = bisect.bisect_left(midpoints, max(-1.0, min(1.0, f32(value * of_block))))
                kept.append(f32(table[nearest] * factor))
    return kept


class QuantizedBase(Lora):
    FLAGS = [*Training.FLAGS, "--lora-rank", 4, "--lora-dropout", 0.1]

    def test_nf4_is_the_base_that_its_codes_stand_for(self):
        """Training beside 4 bits is, bit by bit, training beside the f32 weights that the 4 bits decode to."""
        dynamic_map = read_tensors(frame.ROOT / "tests" / "data" / "nf4" / "map.safetensors")["map"].values
        table = read_tensors(frame.ROOT / "tests" / "data" / "nf4" / "map.safetensors")["nf4"].values
        midpoints = [f32((a + b) / 2) for a, b in zip(table, table[1:])]
        dynamic_midpoints = [f32(f32(a + b) / 2) for a, b in zip(dynamic_map, dynamic_map[1:])]
        model = self.directory / "model"
        shutil.copytree(UNTIED, model)
        data = bytearray((model / "model.safetensors").read_bytes())
        (header_bytes,) = struct.unpack_from("<Q", data)
        for name, entry in json.loads(data[8 : 8 + header_bytes]).items():
            if not name.endswith("_proj.weight"):
                continue
            begin, end = (8 + header_bytes + offset for offset in entry["data_offsets"])
            values = array.array("f", bytes(data[begin:end]))
            kept = as_kept_in_nf4(values, table, midpoints, dynamic_map, dynamic_midpoints)
            data[begin:end] = array.array("f", kept).tobytes()
        (model / "model.safetensors").write_bytes(data)
        decoded = self.tune(model, *self.FLAGS, output="decoded")
        self.assertEqual(self.tune(UNTIED, *self.FLAGS, "--base-bits", 4), decoded)
        self.assertNotEqual(self.tune(UNTIED, *self.FLAGS), decoded)

    def test_the_bits_do_not_depend_on_how_a_step_is_cut(self):
        for bits in [4, 8]:
            flags = [*self.FLAGS, "--base-bits", bits]
            expected = self.tune(UNTIED, *flags)
            for change in [["--threads", 2], ["--checkpointing", "full"], ["--grad-accum", 2]]:
                with self.subTest(bits=bits, change=change):
                    self.assertEqual(self.tune(UNTIED, *flags, *change, output="other"), expected)
            for isa in ["reference", "avx2"]:
                with self.subTest(bits=bits, isa=isa):
                    environment = {"HEADROOM_ISA": isa}
                    self.assertEqual(self.tune(UNTIED, *flags, output="other", environment=environment), expected)
            self.headroom(*self.command(UNTIED, *flags, "--resume"))
            self.assertEqual(self.result(), expected)
        self.headroom(*self.command(UNTIED, *self.FLAGS, "--resume"))  # --base-bits 8 of the checkpoint
        self.assertEqual(self.result(), expected)
        message = self.refused(*self.command(UNTIED, *self.FLAGS, "--base-bits", 4, "--resume"))
        self.assertIn("--base-bits 8, got 4", message)

    def test_eight_bits_are_closer_than_four(self):
        """To the losses beside the base as it is stored."""
        plain = [line["loss"] for line in self.tune(UNTIED, *self.FLAGS)[0]]
        off = {}
        for bits in [4, 8]:
            losses_of_bits = [line["loss"] for line in self.tune(UNTIED, *self.FLAGS, "--base-bits", bits)[0]]
            off[bits] = largest_difference(plain, losses_of_bits)
        self.assertGreater(off[4], 2 * off[8])
        self.assertLess(off[8], 0.02)

    def test_memory(self):
        """4.127 and 8.5 bits an element of the linear layers, whatever the files hold."""
        self.headroom("init", "tiny-4m", "--dtype", "bf16", "--output", "model", "--quiet")
        tokens = self.write("tokens.json", {"batches": [[[index % 97 for index in range(33)]]]})
        flags = ["--tokens", tokens, "--lora-rank", 2, "--memory", "128MiB"]
        tensors = read_tensors(self.directory / "model" / "model.safetensors")
        linear = sum(len(tensor.values) for name, tensor in tensors.items() if name.endswith("_proj.weight"))
        weights = {}
        for bits in [16, 8, 4]:
            of_base = ["--base-bits", bits] if bits < 16 else []
            self.tune(self.directory / "model", *flags, *of_base, "--report", "r.json")
            report = self.read_json("r.json")
            weights[bits] = report["peak"]["bytes_by_role"]["weight"]
            self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
        for bits, expected in [(4, 4.127), (8, 8.5)]:
            saved = 8 * (weights[16] - weights[bits]) / linear
            self.assertAlmostEqual(16 - saved, expected, delta=0.05)

    def test_from_gguf(self):
        self.headroom("convert", UNTIED, "--format", "gguf", "--dtype", "f32", "--output", "m.gguf", "--quiet")
        expected = self.tune(UNTIED, *self.FLAGS, "--base-bits", 4)
        self.assertEqual(self.tune(self.directory / "m.gguf", *self.FLAGS, "--base-bits", 4, output="other"), expected)

    def test_refusals(self):
        message = self.refused(*self.command(UNTIED, *Training.FLAGS, "--base-bits", 4))
        self.assertIn("--base-bits: it is for adapters, beside which the model stays as it is; add --lora", message)
        self.refused(*self.command(UNTIED, *self.FLAGS, "--base-bits", 5))


class Merging(Lora):
    def merged(self, *flags, base="mha", adapter="mha", **options):
        shutil.rmtree(self.directory / "merged", ignore_errors=True)
        command = ["convert", MODELS / base, "--adapter", ADAPTERS / adapter, "--output", "merged", "--quiet", *flags]
        self.headroom(*command, **options)
        return self.directory / "merged"

    def test_weights_are_the_sum(self):
        for adapter, base in BASES.items():
            with self.subTest(adapter=adapter):
                before = read_tensors(MODELS / base / "model.safetensors")
                after = read_tensors(self.merged("--dtype", "f32", base=base, adapter=adapter) / "model.safetensors")
                matrices = read_tensors(ADAPTERS / adapter / FILES[1])
                self.assertEqual(set(after), set(before))
                touched = 0
                for name, tensor in after.items():
                    module = "base_model.model." + name.removesuffix(".weight")
                    if module + ".lora_A.weight" not in matrices:
                        self.assertEqual(tensor.values, before[name].values)
                        continue
                    touched += 1
                    self.check_sum(tensor, before[name], *(matrices[f"{module}.lora_{f}.weight"] for f in "AB"))
                self.assertEqual(2 * touched, len(matrices))

    def check_sum(self, after, before, a, b):
        """after - before is one number times B A; which one is the logits' to say."""
        (outputs, inputs), rank = after.shape, a.shape[0]
        product = [
            sum(b.values[o * rank + k] * a.values[k * inputs + i] for k in range(rank))
            for o in range(outputs)
            for i in range(inputs)
        ]
        moved = [new - old for new, old in zip(after.values, before.values)]
        scale = sum(x * y for x, y in zip(moved, product)) / sum(y * y for y in product)
        self.assertLess(largest_difference(moved, [scale * y for y in product]), 1e-6)

    def test_logits_are_pytorchs(self):
        for adapter, base in (BASES | MERGED).items():
            with self.subTest(adapter=adapter):
                merged = self.merged("--dtype", "f32", base=base, adapter=adapter)
                shutil.copy(MODELS / base / "ids.json", merged)
                theirs = read_tensors(ADAPTERS / adapter / "logits.safetensors")["logits"].values
                self.headroom("eval", merged, "--tokens", merged / "ids.json", "--logits", "l.safetensors", "--quiet")
                ours = read_tensors(self.directory / "l.safetensors")["logits"].values
                self.assertLessEqual(largest_difference(ours, theirs), LOGITS_BOUND)

    def test_the_bytes_do_not_depend_on_the_budget(self):
        expected = (self.merged() / "model.safetensors").read_bytes()
        for memory in ["64MiB", "16MiB"]:
            self.assertEqual((self.merged("--memory", memory) / "model.safetensors").read_bytes(), expected)

    def test_whole_layers_are_the_adapters_bit_by_bit(self):
        ours = read_tensors(self.merged(base="qwen2", adapter="whole") / "model.safetensors")
        theirs = read_tensors(ADAPTERS / "whole" / FILES[1])
        whole = [name for name in theirs if ".lora_" not in name]
        self.assertEqual(len(whole), 5)
        for name in whole:
            self.assertEqual(ours[name.removeprefix("base_model.model.")].values, theirs[name].values)

    def test_gguf_holds_the_same(self):
        flags = ["--format", "gguf", "--dtype", "f32", "--quiet"]
        for adapter, base in ({"mha": "mha"} | MERGED).items():
            self.merged("--dtype", "f32", base=base, adapter=adapter)
            names = [f"{adapter}-a", f"{adapter}-b"]
            self.headroom("convert", "merged", "--output", f"{names[0]}.gguf", *flags)
            merge = ["--adapter", ADAPTERS / adapter, "--output", f"{names[1]}.gguf"]
            self.headroom("convert", MODELS / base, *merge, *flags)
            for name in names:
                self.headroom("convert", f"{name}.gguf", "--output", name, "--quiet")
            self.assertEqual(*((self.directory / name / "model.safetensors").read_bytes() for name in names))

    def test_one_pair_of_matrices_at_a_time(self):
        """A merge takes no more than a plain conversion and the matrices of one layer."""
        self.headroom("init", "tiny-4m", "--output", "model", "--quiet")
        tokens = self.write("tokens.json", {"batches": [[[index % 97 for index in range(33)]]]})
        flags = ["--tokens", tokens, "--lora-rank", 64, "--memory", "128MiB"]
        self.tune(self.directory / "model", *flags)
        pairs = {}
        for name, tensor in read_tensors(self.directory / "out" / FILES[1]).items():
            layer = name.rsplit(".lora_", 1)[0]
            pairs[layer] = pairs.get(layer, 0) + 4 * len(tensor.values)
        predicted = {}
        for name, adapter in [("plain", []), ("merged", ["--adapter", "out"])]:
            flags = ["--memory", "32MiB", "--quiet", "--report", "r.json"]
            self.headroom("convert", "model", "--output", name, *adapter, *flags)
            report = self.read_json("r.json")
            self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
            predicted[name] = report["predicted_peak_bytes"]
        self.assertLessEqual(predicted["merged"] - predicted["plain"], max(pairs.values()) + 65536)

    def test_an_adapter_of_another_model_is_refused(self):
        command = ["convert", MODELS / "gqa", "--adapter", ADAPTERS / "mha", "--output", "merged"]
        self.assertIn("the adapter is of another model", self.refused(*command))
        self.assertFalse((self.directory / "merged").exists())


class Forms(Lora):
    """Adapters as other programs leave them."""

    def changed(self, rename=lambda name: name, **members):
        shutil.rmtree(self.directory / "adapter", ignore_errors=True)
        shutil.copytree(ADAPTERS / "mha", self.directory / "adapter")
        config = self.read_json("adapter/adapter_config.json")
        self.write("adapter/adapter_config.json", config | members)
        path = self.directory / "adapter" / FILES[1]
        data = path.read_bytes()
        (header_bytes,) = struct.unpack_from("<Q", data)
        header = {rename(name): entry for name, entry in json.loads(data[8 : 8 + header_bytes]).items()}
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + header_bytes :])
        return self.directory / "adapter"

    def test_names_with_the_adapters_own_name_in_them(self):
        expected = self.logits(UNTIED, "--adapter", ADAPTERS / "mha")
        for change in [
            lambda name: name.replace(".weight", ".default.weight"),
            lambda name: name.replace("base_model.model.", ""),
        ]:
            self.assertEqual(self.logits(UNTIED, "--adapter", self.changed(change)), expected)
        merged = ["convert", UNTIED, "--adapter", "adapter", "--quiet", "--output"]
        self.headroom(*merged, "a")
        self.changed()
        self.headroom(*merged, "b")
        self.assertEqual(*((self.directory / name / "model.safetensors").read_bytes() for name in "ab"))

    def test_what_stands_beside_lora_is_called_by_its_name(self):
        first = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
        resized = "has shape [4, 24], of a layer that was resized; expected [64, 24], the model's"
        for name, words in {
            "base_model.model.model.embed_tokens.weight": resized,
            "base_model.model.lm_head.modules_to_save.default.weight": resized,
            "base_model.model.classifier.weight": "is no matrix of LoRA and no layer of this model",
            first.replace("lora_A.", "lora_magnitude_vector."): "is a magnitude of DoRA, of which adapter_config.json",
            "base_model.model.model.embed_tokens.lora_embedding_A": "is an adapter of the embedding",
            "base_model.model.lm_head.lora_A.weight": "is of the output layer, beside which headroom computes no",
            "base_model.model.model.layers.0.self_attn.q_proj.bias": "is a bias that was trained",
        }.items():
            with self.subTest(tensor=name):
                adapter = self.changed(target_modules=["q_proj"])
                self.only(adapter, first, name)
                command = ["eval", UNTIED, "--tokens", UNTIED / "ids.json", "--adapter", adapter]
                message = self.refused(*command)
                self.assertIn(words, message)
                self.assertNotIn("another model", message)

    def only(self, adapter, like, extra):
        """Leaves the matrices of q_proj and a tensor more."""
        path = adapter / FILES[1]
        data = path.read_bytes()
        (header_bytes,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8 : 8 + header_bytes])
        names = [name for name in header if ".q_proj." in name]
        kept, body = {}, b""
        for name in [*names, extra]:
            entry = dict(header.get(name, header[like]))
            begin, end = entry["data_offsets"]
            piece = data[8 + header_bytes + begin : 8 + header_bytes + end]
            kept[name] = entry | {"data_offsets": [len(body), len(body) + len(piece)]}
            body += piece
        text = json.dumps(kept).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + body)

    def test_a_pattern_that_names_no_layer_is_said(self):
        adapter = self.changed(alpha_pattern={"query": 3}, rank_pattern={"up_proj": 4})
        command = ["eval", UNTIED, "--tokens", UNTIED / "ids.json", "--adapter", adapter]
        said = self.headroom(*command).stderr
        self.assertIn("alpha_pattern: query names no layer of the adapter; its value 3 counts for none", said)
        self.assertNotIn("rank_pattern", said)

    def test_inspect_knows_an_adapter(self):
        for path in [ADAPTERS / "mha", ADAPTERS / "mha" / FILES[0]]:
            said = json.loads(self.headroom("inspect", path, "--json").stdout)["adapter"]
            self.assertEqual([said[key] for key in ["rank", "alpha", "base"]], [4, 6, "mha"])
            self.assertEqual(said["targets"], "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj")
        count = sum(len(tensor.values) for tensor in read_tensors(ADAPTERS / "mha" / FILES[1]).values())
        said = json.loads(self.headroom("inspect", ADAPTERS / "mha", "--json").stdout)
        self.assertEqual((said["adapter"]["parameters"], said["adapter"]["bytes"]), (count, 4 * count))
        for name, key, value in [("dora", "kind", "DoRA"), ("whole", "kind", "LoRA"), ("whole", "whole_layers",
                                 "embed_tokens,lm_head,model.norm,0.self_attn.k_proj,classifier")]:  # fmt: skip
            said = json.loads(self.headroom("inspect", ADAPTERS / name, "--json").stdout)["adapter"]
            self.assertEqual(said[key], value)
        refused = json.loads(self.headroom("inspect", self.changed(use_qalora=True), "--json").stdout)["adapter"]
        self.assertIn("use_qalora: asks for QALoRA", refused["refused"])

    def test_an_adapter_in_the_place_of_the_model_points_to_its_flag(self):
        for command in [
            ["generate", ADAPTERS / "mha", "--prompt", "a"],
            ["eval", ADAPTERS / "mha", "--tokens", UNTIED / "ids.json"],
            ["convert", ADAPTERS / "mha", "--output", "out"],
            ["plan", ADAPTERS / "mha"],
            ["init", ADAPTERS / "mha", "--output", "out"],
            ["bench", ADAPTERS / "mha"],
            ["train", ADAPTERS / "mha", "--tokens", UNTIED / "curve_tokens.json", "--output", "out"],
        ]:
            message = self.refused(*command)
            self.assertIn("is a PEFT adapter, no model; expected the model that it belongs to (mha); try", message)
            self.assertIn(f"--adapter {ADAPTERS / 'mha'} beside it in train, generate, eval or convert", message)
            self.assertFalse((self.directory / "out").exists())


class Refusals(Lora):
    FLAGS = ["--tokens", UNTIED / "curve_tokens.json", "--steps", 1]

    def refused_training(self, *flags):
        message = self.refused(*self.command(UNTIED, *self.FLAGS, *flags))
        self.assertFalse((self.directory / "out").exists())
        return message

    def adapter(self, name="adapter", **changes):
        shutil.copytree(ADAPTERS / "mha", self.directory / name, dirs_exist_ok=True)
        config = self.read_json(f"{name}/adapter_config.json")
        self.write(f"{name}/adapter_config.json", config | changes)
        return self.directory / name

    def test_flags(self):
        self.assertIn("the target query is no linear layer of the model; expected some of q_proj, k_proj, v_proj, "
                      "o_proj, gate_proj, up_proj, down_proj",
                      self.refused_training("--lora-rank", 2, "--lora-targets", "q_proj,query"))  # fmt: skip
        self.assertIn("the rank 25 is above the dimensions of model.layers.0.self_attn.q_proj; expected at most 24",
                      self.refused_training("--lora-rank", 25))  # fmt: skip
        head = self.refused_training("--lora-rank", 2, "--lora-targets", "lm_head")
        self.assertIn("the target lm_head is the output layer, beside which headroom computes no adapter", head)
        self.assertIn("add --lora-rank 16", self.refused_training("--lora-dropout", 0.1))
        self.assertIn("expected a share", self.refused_training("--lora-rank", 2, "--lora-dropout", 1))
        self.assertIn("--lora-rank -1", self.refused_training("--lora-rank", -1))
        self.assertIn("--lora-alpha 0", self.refused_training("--lora-rank", 2, "--lora-alpha", 0))

    def test_adapters(self):
        def refused(*flags, **changes):
            return self.refused_training("--adapter", self.adapter(f"adapter{len(changes)}", **changes), *flags)

        self.assertIn("has rank 4; leave the flag out", refused("--lora-rank", 8))
        self.assertIn("--lora-alpha 16: the adapter", refused("--lora-alpha", 16))
        self.assertIn("has alpha 6; leave the flag out", refused("--lora-alpha", 16))
        self.assertIn("has q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj; leave the flag out",
                      refused("--lora-targets", "q_proj,v_proj"))  # fmt: skip
        self.assertIn("q_proj.lora_magnitude_vector is missing", refused(use_dora=True))
        missing = refused(modules_to_save=["lm_head"])
        self.assertIn("tensor lm_head.weight is missing, a layer of modules_to_save", missing)
        self.assertIn("has no adapter_config.json", self.refused_training("--adapter", UNTIED))
        self.assertIn("(expected [5, 24]); its rank is 4, adapter_config.json says 5 (r, rank_pattern)", refused(r=5))
        self.assertIn("belongs to no layer that adapter_config.json names; its targets are not those that the file was "
                      "saved with", refused(target_modules=["q_proj"]))  # fmt: skip
        self.assertIn("leave none of the targets q_proj; the model has 2 layers",
                      refused(target_modules=["q_proj"], layers_to_transform=[7]))  # fmt: skip
        self.assertIn("the regular expression q_proj is the whole name of no linear layer",
                      refused(target_modules="q_proj"))  # fmt: skip
        ids = MODELS / "gqa" / "ids.json"
        other = self.refused("eval", MODELS / "gqa", "--adapter", ADAPTERS / "mha", "--tokens", ids)
        self.assertIn("the adapter is of another model", other)

    def test_what_is_only_merged(self):
        """DoRA is, and whole layers are not trained on; what merges them is named."""
        for verb in [["eval", MODELS / "biases", "--tokens", MODELS / "biases" / "ids.json"],
                     ["train", MODELS / "biases", "--tokens", MODELS / "biases" / "curve_tokens.json", "--output", "o"],
                     ]:  # fmt: skip
            message = self.refused(*verb, "--adapter", ADAPTERS / "dora")
            self.assertIn("use_dora: DoRA scales the rows of the model's own weights", message)
            self.assertIn(f"try headroom convert MODEL --adapter {ADAPTERS / 'dora'} --output DIR", message)
        qwen2 = MODELS / "qwen2"
        train = ["train", qwen2, "--tokens", qwen2 / "curve_tokens.json", "--output", "o"]
        message = self.refused(*train, "--adapter", ADAPTERS / "whole")
        self.assertIn("has model.embed_tokens.weight as a whole layer, which is not trained on beside LoRA", message)
        tied = self.refused("convert", MODELS / "biases", "--adapter", ADAPTERS / "whole", "--output", "o")
        self.assertIn("model.embed_tokens.weight as a whole layer, beside a model that has it for the output", tied)

    def test_damaged_files(self):
        for size in [0, 7, 200, 4000]:
            adapter = self.adapter(f"cut{size}")
            path = adapter / FILES[1]
            path.write_bytes(path.read_bytes()[:size])
            self.refused_training("--adapter", adapter)
        adapter = self.adapter("gone")
        (adapter / FILES[1]).rename(adapter / "adapter_model.bin")
        self.assertIn("safe_serialization=True", self.refused_training("--adapter", adapter))
        self.write("gone/adapter_config.json", "[1]")
        self.refused_training("--adapter", adapter)


if __name__ == "__main__":
    frame.main()
