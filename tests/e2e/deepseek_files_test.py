"""Files of DeepSeek-V2 and V3: experts are tensors of their own in every file that is read or written, FP8 as released
is read to the bit, a layer behind the model's is passed over, and what is wrong is said by its name."""

import json
import struct

import frame
from tensor_files import read_tensors

DATA = frame.ROOT / "tests" / "data"
V3 = DATA / "deepseek" / "v3"
BUDGET = ["--memory", "256MiB", "--quiet"]
STACK = "model.layers.1.mlp.experts.{}.gate_proj.weight"


def write_safetensors(path, tensors):
    """tensors: name -> (dtype, shape, bytes)."""
    header, offset = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values()))


def as_released(tensors):
    """The same model in FP8: codes and scales that mean something else, but are the same on every run."""
    released = {}
    for number, (name, tensor) in enumerate(tensors.items()):
        shape = tensor.shape
        if not name.endswith("_proj.weight") and not name.endswith("_mqa.weight"):
            released[name] = ("F32", shape, tensor.values.tobytes())
            continue
        codes = bytes((number * 31 + place * 7) % 0x50 | (place % 3 == 0) << 7 for place in range(shape[0] * shape[1]))
        blocks = [-(-dim // 128) for dim in shape]
        scales = [2.0 ** -(8 + (number + block) % 3) for block in range(blocks[0] * blocks[1])]
        released[name] = ("F8_E4M3", shape, codes)
        released[f"{name}_scale_inv"] = ("F32", blocks, struct.pack(f"<{len(scales)}f", *scales))
    return released


class DeepseekFiles(frame.CommandTest):
    def names(self, directory):
        tensors = {}
        for path in (self.directory / directory).glob("*.safetensors"):
            tensors.update(read_tensors(path))
        return {name: tensor.shape for name, tensor in tensors.items()}

    def logits(self, model, *flags):
        name = f"{len(list(self.directory.iterdir()))}.safetensors"
        self.headroom("eval", model, "--tokens", V3 / "ids.json", "--logits", name, *flags, *BUDGET)
        return read_tensors(self.directory / name)["logits"].values

    def write_model(self, name, tensors, **changes):
        (self.directory / name).mkdir()
        config = json.loads((V3 / "config.json").read_text()) | changes
        (self.directory / name / "config.json").write_text(json.dumps(config))
        write_safetensors(self.directory / name / "model.safetensors", tensors)
        return name

    def write_fp8(self, name, tensors, **changes):
        how = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128], "activation_scheme": "dynamic"}
        return self.write_model(name, tensors, quantization_config=how | {"scale_fmt": "ue8m0"}, **changes)

    def test_what_is_written_has_a_tensor_an_expert(self):
        source = read_tensors(V3 / "model.safetensors")
        wanted = {name: tensor.shape for name, tensor in source.items()}
        self.headroom("init", V3 / "config.json", "--output", "new", "--quiet")
        self.assertEqual(self.names("new"), wanted)
        self.headroom("init", V3 / "config.json", "--output", "shards", "--shard-size", "100KiB", "--quiet")
        self.assertEqual(self.names("shards"), wanted)
        self.assertEqual(self.logits("shards"), self.logits("new"))
        flags = "--bits 8 --group-size 32 --keep q_b_proj,kv_b_proj,down_proj".split()
        self.headroom("quantize", V3, "--output", "few", *flags, *BUDGET)
        formats = json.loads(self.headroom("inspect", "few", "--json").stdout)["model"]["quantised"]
        self.assertEqual([some["kept"] for some in formats], ["int8_g32"])
        self.headroom("convert", "few", "--output", "numbers", "--dtype", "f32", "--quiet")
        self.assertEqual(self.names("numbers"), wanted)
        self.assertEqual(self.logits("few", "--compute", "f32"), self.logits("numbers"))
        self.headroom("convert", V3, "--output", "half", "--dtype", "bf16", "--quiet")
        kept = [name for name, tensor in read_tensors(self.directory / "half/model.safetensors").items()
                if tensor.dtype == "F32"]
        self.assertEqual(kept, [name for name in wanted if name.endswith("e_score_correction_bias")])

    def test_experts_are_not_packed_as_other_programs_do(self):
        for packing in ("gptq", "awq"):
            words = self.refused("convert", V3, "--format", packing, "--output", "packed")
            self.assertIn("has experts (model.layers.1.mlp.experts.gate_proj.weight), which are not packed so", words)

    def test_training_writes_the_whole_model(self):
        tokens = self.write("tokens.json", {"batches": [json.loads((V3 / "ids.json").read_text())["ids"]]})
        self.headroom("train", V3, "--tokens", tokens, "--steps", "1", "--output", "trained", *BUDGET)
        source = read_tensors(V3 / "model.safetensors")
        trained = read_tensors(self.directory / "trained/model.safetensors")
        self.assertEqual({name: tensor.shape for name, tensor in trained.items()},
                         {name: tensor.shape for name, tensor in source.items()})
        self.assertNotEqual(trained[STACK.format(3)].values, source[STACK.format(3)].values)
        self.logits("trained")

    def test_fp8_as_released_is_what_it_says(self):
        tensors = as_released(read_tensors(V3 / "model.safetensors"))
        further = {"model.layers.3.enorm.weight": ("F32", [32], bytes(128)),
                   "model.layers.3.eh_proj.weight": ("F32", [32, 64], bytes(32 * 64 * 4))}
        self.write_fp8("fp8", tensors | further, num_nextn_predict_layers=1)
        done = self.headroom("convert", "fp8", "--output", "numbers", "--dtype", "f32")
        self.assertIn("2 tensors of layers that predict further tokens are passed over", done.stderr)
        self.assertEqual(self.logits("numbers"), self.logits("fp8"))
        wide = read_tensors(self.directory / "numbers/model.safetensors")
        for name, (dtype, _, codes) in tensors.items():
            if dtype != "F8_E4M3":
                continue
            scales = struct.unpack("<1f", tensors[f"{name}_scale_inv"][2])  # all are narrower than a block
            self.assertEqual(list(wide[name].values), [float8(code) * scales[0] for code in codes], name)

    def test_what_is_wrong_is_said_by_its_name(self):
        tensors = as_released(read_tensors(V3 / "model.safetensors"))
        for change, words in [
            ({STACK.format(5) + "_scale_inv": None}, STACK.format(5) + "_scale_inv is missing; expected it beside"),
            ({STACK.format(5): None, STACK.format(5) + "_scale_inv": None}, STACK.format(5) + " is missing"),
            ({STACK.format(5): ("F32", [16, 32], bytes(2048)), STACK.format(5) + "_scale_inv": None},
             STACK.format(5) + " is stored as F32; expected FP8, as " + STACK.format(0)),
            ({"model.layers.3.enorm.weight": ("F32", [32], bytes(128))},
             "tensor model.layers.3.enorm.weight is none of the model's"),
        ]:
            with self.subTest(words=words):
                changed = {name: entry for name, entry in (tensors | change).items() if entry is not None}
                name = self.write_fp8(str(len(list(self.directory.iterdir()))), changed)
                self.assertIn(words, self.refused("eval", name, "--tokens", V3 / "ids.json", *BUDGET))

    def test_thousands_of_experts_stay_inside_the_plan(self):
        """10,752 of them, in files of three kinds."""
        many = {"num_hidden_layers": 15, "n_routed_experts": 256, "n_group": 8, "topk_group": 4}
        config = self.write("many.json", json.loads((V3 / "config.json").read_text()) | many)
        self.headroom("init", config, "--output", "many", "--quiet")
        self.headroom("convert", "many", "--format", "gguf", "--output", "many.gguf", "--quiet")
        self.write_fp8("fp8", as_released(read_tensors(self.directory / "many/model.safetensors")), **many)
        for model in ("many", "many.gguf", "fp8"):
            with self.subTest(model=model):
                self.logits(model, "--report", "r.json")
                report = self.read_json("r.json")
                self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
        self.headroom("convert", "fp8", "--dtype", "bf16", "--output", "bf16", "--quiet", "--report", "r.json")
        report = self.read_json("r.json")
        self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])

    def test_shards_that_are_cut_off_or_listed_twice_are_named(self):
        self.headroom("init", V3 / "config.json", "--output", "shards", "--shard-size", "40KiB", "--quiet")
        shards = sorted((self.directory / "shards").glob("*.safetensors"))
        self.assertGreater(len(shards), 5)
        whole = shards[4].read_bytes()
        shards[4].write_bytes(whole[:-100])
        words = self.refused("eval", "shards", "--tokens", V3 / "ids.json", *BUDGET)
        self.assertIn(f"{shards[4].name}: the file is truncated; tensor model.layers.", words)
        shards[4].write_bytes(whole)
        index = self.directory / "shards/model.safetensors.index.json"
        text = index.read_text()
        line = next(line for line in text.splitlines() if STACK.format(5) in line)
        index.write_text(text.replace(line, f"{line}\n{line}"))
        words = self.refused("eval", "shards", "--tokens", V3 / "ids.json", *BUDGET)
        self.assertIn(f"tensor {STACK.format(5)} is listed twice", words)


def float8(code):
    """E4M3."""
    exponent, mantissa = code >> 3 & 15, code & 7
    magnitude = mantissa * 2.0**-9 if exponent == 0 else (8 + mantissa) * 2.0 ** (exponent - 10)
    return -magnitude if code & 128 else magnitude


if __name__ == "__main__":
    frame.main()
