"""convert --format gptq and awq: the layers of a quantised model in other programs' packing, number for number."""

import array
import struct

import frame
from grouped_weights import read_raw
from tensor_files import read_tensors

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "vocab_size": 88, "hidden_size": 64, "num_hidden_layers": 2,
    "intermediate_size": 160, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
    "torch_dtype": "float32",
}  # fmt: skip
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]


def words_of(raw):
    values = array.array("I")
    values.frombytes(raw)
    return values


class Packed(frame.CommandTest):
    def quantise(self, name, *flags):
        self.write("c.json", CONFIG)
        self.headroom("init", "c.json", "--output", "model", "--quiet")
        self.headroom("quantize", "model", "--output", name, "--quiet", *flags)

    def plain(self, name):
        self.headroom("convert", name, "--output", f"{name}-f32", "--dtype", "f32", "--quiet")
        return read_tensors(self.directory / f"{name}-f32" / "model.safetensors")

    def check(self, method, *flags):
        self.quantise("small", *flags)
        self.headroom("convert", "small", "--output", "packed", "--format", method, "--quiet", "--report", "r.json")
        report = self.read_json("r.json")
        self.assertLessEqual(report["measured_peak_bytes"], report["predicted_peak_bytes"])
        expected, got = self.plain("small"), self.plain("packed")
        self.assertEqual(set(got), set(expected))
        for name, tensor in expected.items():
            if "_proj" in name:
                self.assertEqual(tensor.values, got[name].values, name)
            else:
                for a, b in zip(tensor.values, got[name].values, strict=True):
                    self.assertAlmostEqual(a, b, delta=1e-3 * max(1, abs(a)))
        return read_raw(self.directory / "packed" / "model.safetensors")[1], expected

    def test_gptq_holds_the_same_numbers(self):
        for bits in (2, 3, 4, 8):
            for sign in ([], ["--asymmetric"]):
                with self.subTest(bits=bits, sign=sign):
                    tensors, expected = self.check("gptq", "--bits", bits, "--group-size", 32, *sign)
                    self.check_gptq(bits, bool(sign), tensors, expected)
                    config = self.read_json("packed/config.json")["quantization_config"]
                    self.assertEqual((config["bits"], config["group_size"], config["sym"]), (bits, 32, not sign))
                    for name in ("small", "packed", "small-f32", "packed-f32", "model"):
                        self.remove(name)

    def remove(self, name):
        for path in sorted((self.directory / name).rglob("*"), reverse=True):
            path.unlink()
        (self.directory / name).rmdir()

    def check_gptq(self, bits, is_asymmetric, tensors, expected):
        """One tensor by the words of the format: codes along inputs, zeros along outputs, one less in version 1."""
        name = "model.layers.1.mlp.up_proj"
        rows, columns = expected[f"{name}.weight"].shape
        codes = words_of(tensors[f"{name}.qweight"][2])
        zeros = words_of(tensors[f"{name}.qzeros"][2])
        scales = struct.unpack(f"<{columns // 32 * rows}e", tensors[f"{name}.scales"][2])
        self.assertEqual(tensors[f"{name}.qweight"][1], [columns * bits // 32, rows])
        groups = words_of(tensors[f"{name}.g_idx"][2])
        mask = (1 << bits) - 1

        def along(words, stride, place, number):
            bit = number * bits
            two = words[place + bit // 32 * stride]
            if bit % 32 + bits > 32:
                two |= words[place + (bit // 32 + 1) * stride] << 32
            return two >> bit % 32 & mask

        for row in range(0, rows, 7):
            for column in range(columns):
                group = groups[column]
                self.assertEqual(group, column // 32)
                zero = along(zeros, 1, group * (rows * bits // 32), row)
                zero = zero if is_asymmetric else (zero + 1 & mask)
                value = (along(codes, rows, row, column) - zero) * scales[group * rows + row]
                self.assertEqual(value, expected[f"{name}.weight"].values[row * columns + column])

    def test_awq_holds_the_same_numbers(self):
        tensors, expected = self.check("awq", "--bits", 4, "--group-size", 32, "--asymmetric")
        name = "model.layers.0.self_attn.k_proj"
        rows, columns = expected[f"{name}.weight"].shape
        codes = words_of(tensors[f"{name}.qweight"][2])
        zeros = words_of(tensors[f"{name}.qzeros"][2])
        scales = struct.unpack(f"<{columns // 32 * rows}e", tensors[f"{name}.scales"][2])
        for row in range(rows):
            shift = 4 * AWQ_ORDER.index(row % 8)
            for column in range(columns):
                code = codes[column * (rows // 8) + row // 8] >> shift & 15
                zero = zeros[column // 32 * (rows // 8) + row // 8] >> shift & 15
                value = (code - zero) * scales[column // 32 * rows + row]
                self.assertEqual(value, expected[f"{name}.weight"].values[row * columns + column])

    def test_what_is_refused(self):
        self.quantise("small", "--bits", 3, "--group-size", 32, "--keep", "up_proj")
        for flags, words in [
            (["model", "--format", "gptq"], "expected a model that headroom quantize has made"),
            (["small", "--format", "gptq"], "up_proj.weight"),
            (["small", "--format", "awq"], "expected 4 bits"),
            (["small", "--format", "gptq", "--dtype", "f16"], "keeps the bits that the layers have"),
        ]:
            with self.subTest(flags=flags):
                self.assertIn(words, self.refused("convert", *flags, "--output", "no"))
                self.assertFalse((self.directory / "no").exists())


if __name__ == "__main__":
    frame.main()
