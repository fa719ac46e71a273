// Weights that other programs have quantised: their numbers to the bit of their own libraries (tests/data/quantized),
// and what is refused of files that do not fit.
#include "headroom/formats/weights/foreign_weights.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "headroom/base/block_reader.h"
#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/formats/weights/tensor_loader.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

const std::string kQuantizedData = HEADROOM_SOURCE_DIR "/tests/data/quantized/";

// Of zip files and of Python's zlib.
uint32_t crc32_of(const std::vector<float>& numbers) {
  uint32_t sum = ~0u;
  const auto* bytes = reinterpret_cast<const uint8_t*>(numbers.data());
  for (size_t i = 0; i < numbers.size() * sizeof(float); ++i) {
    sum ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ (sum & 1 ? 0xedb88320u : 0);
  }
  return ~sum;
}

std::vector<float> numbers_of(const WeightTensor& tensor) {
  std::vector<float> numbers(static_cast<size_t>(tensor.stored.shape.elements()));
  tensor.read(0, tensor.stored.shape.elements(), DType::f32, numbers.data(), NanCheck::refuse);
  return numbers;
}

std::vector<std::byte> load_as(const WeightTensor& tensor, const BlockFormat& format) {
  std::vector<std::byte> loaded(static_cast<size_t>(format.bytes(tensor.stored.shape)), std::byte{0xcc});
  std::vector<std::byte> staging(static_cast<size_t>(BlockReader::kLeastStagingBytes));
  load_tensors({{.source = tensor, .wanted = format.dtype(), .out = loaded.data()}}, staging, NanCheck::refuse);
  return loaded;
}

class ForeignModels : public testing::TestWithParam<std::string> {};

std::vector<std::string> all_foreign_models() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kQuantizedData)) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Methods, ForeignModels, testing::ValuesIn(all_foreign_models()), [](const auto& model) {
  std::string name = model.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST_P(ForeignModels, HaveTheNumbersOfTheirLibraryToTheBit) {
  const WeightFiles files(kQuantizedData + GetParam());
  const Json expected = Json::parse(std::ifstream(kQuantizedData + GetParam() + "/expected.json"));
  ASSERT_EQ(files.count(), static_cast<int64_t>(expected.size()));
  for (const auto& [name, sum] : expected.items()) {
    const std::optional<WeightTensor> tensor = files.find(name);
    ASSERT_TRUE(tensor) << name;
    EXPECT_EQ(crc32_of(numbers_of(*tensor)), sum.get<uint32_t>()) << name;
  }
}

// Pieces that respect no row, and other dtypes.
TEST_P(ForeignModels, AreReadInAnyPieces) {
  const WeightFiles files(kQuantizedData + GetParam());
  for (const char* name : {"self_attn.k_proj", "mlp.down_proj"}) {
    const WeightTensor tensor = *files.find(fmt::format("model.layers.0.{}.weight", name));
    const std::vector<float> whole = numbers_of(tensor);
    const auto elements = static_cast<int64_t>(whole.size());
    for (const int64_t step : {5, 100, 700}) {
      std::vector<float> pieces(whole.size());
      for (int64_t first = 0; first < elements; first += step) {
        tensor.read(first, std::min(step, elements - first), DType::f32, pieces.data() + first);
      }
      EXPECT_EQ(std::memcmp(pieces.data(), whole.data(), whole.size() * sizeof(float)), 0) << step;
    }
    std::vector<uint16_t> narrow(whole.size());
    tensor.read(0, elements, DType::bf16, narrow.data());
    for (size_t i = 0; i < narrow.size(); ++i) ASSERT_EQ(narrow[i], f32_to_bf16(whole[i])) << i;
  }
}

// The format that a model of this method runs in; "" where it is widened.
const std::map<std::string, std::string> kKept = {{"gptq-4", "int4_g32"},
                                                  {"gptq-4-asym", "uint4_g32"},
                                                  {"gptq-4-asym-v1", "uint4_g32"},
                                                  {"gptq-4-order", "ordered4_g32"},
                                                  {"gptq-3", "int3_channel"},
                                                  {"gptq-3-asym", "uint3_g32"},
                                                  {"gptq-2", "uint2_g32"},
                                                  {"gptq-8", "int8_g32"},
                                                  {"awq", "uint4_g32"},
                                                  {"awq-gemv", "uint4_g32"},
                                                  {"packed-int4", "int4_g32"},
                                                  {"packed-int4-asym", "uint4_g32"},
                                                  {"packed-int8", "int8_channel"},
                                                  {"bytes-int8", "int8_channel"},
                                                  {"bytes-float8", "float8_channel"},
                                                  {"bytes-float8-tensor", "float8_channel"},
                                                  {"fp8-block", ""},
                                                  {"fp8-tensor", "float8_channel"},
                                                  {"fp8-channel", "float8_channel"},
                                                  {"nf4", "nf4"},
                                                  {"fp4", ""},
                                                  {"int8", ""}};

TEST_P(ForeignModels, AreKeptInTheirOwnBitsWhereKernelsKnowThem) {
  const WeightFiles files(kQuantizedData + GetParam());
  for (const char* name : {"self_attn.k_proj", "mlp.gate_proj", "mlp.down_proj"}) {
    const WeightTensor tensor = *files.find(fmt::format("model.layers.0.{}.weight", name));
    const BlockFormat* format = tensor.stored.exact_format;
    ASSERT_EQ(format == nullptr ? "" : format->name(), kKept.at(GetParam()));
    if (format == nullptr) return;
    const std::vector<std::byte> loaded = load_as(tensor, *format);
    const std::vector<float> whole = numbers_of(tensor);
    std::vector<float> got(whole.size());
    format->decode(tensor.stored.shape, loaded.data(), 0, tensor.stored.shape.elements(), got.data());
    EXPECT_EQ(std::memcmp(got.data(), whole.data(), whole.size() * sizeof(float)), 0) << name;
  }
}

// A copy of a model whose header and tensors tests change.
class ForeignFilesTest : public testing::Test {
 protected:
  struct Entry {
    std::string dtype;
    std::vector<int64_t> shape;
    std::string data;
  };

  void take(const std::string& name) {
    const std::string file = read(kQuantizedData + name + "/model.safetensors");
    config_ = Json::parse(read(kQuantizedData + name + "/config.json"));
    uint64_t length;
    std::memcpy(&length, file.data(), sizeof length);
    const Json header = Json::parse(file.substr(8, length));
    tensors_.clear();
    for (const auto& [tensor, entry] : header.items()) {
      if (tensor == "__metadata__") continue;
      const auto begin = entry["data_offsets"][0].get<size_t>(), end = entry["data_offsets"][1].get<size_t>();
      tensors_[tensor] = {entry["dtype"], entry["shape"], file.substr(8 + length + begin, end - begin)};
    }
  }

  WeightFiles open() {
    Json header = Json::object();
    std::string data;
    for (const auto& [name, entry] : tensors_) {
      header[name] = {{"dtype", entry.dtype},
                      {"shape", entry.shape},
                      {"data_offsets", {data.size(), data.size() + entry.data.size()}}};
      data += entry.data;
    }
    const std::string text = header.dump();
    const uint64_t length = text.size();
    directory_.write("config.json", config_.dump());
    directory_.write("model.safetensors",
                     std::string(reinterpret_cast<const char*>(&length), sizeof length) + text + data);
    return WeightFiles(directory_.path());
  }

  Entry& at(const std::string& name) { return tensors_.at(kLayer + name); }
  WeightTensor weight(const WeightFiles& files, const std::string& name) {
    return *files.find(kLayer + name + ".weight");
  }

  static std::string read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }

  const std::string kLayer = "model.layers.0.";
  TemporaryDirectory directory_;
  std::map<std::string, Entry> tensors_;
  Json config_;
};

// Their zeros are of version 2, whatever the config says.
TEST_F(ForeignFilesTest, SymmetricWeightsAreThoseThatTheyAreUnderEitherVersion) {
  take("gptq-4");
  const std::vector<float> right = numbers_of(weight(open(), "mlp.up_proj"));
  for (auto& [name, entry] : tensors_) {
    if (name.ends_with("qzeros")) std::replace(entry.data.begin(), entry.data.end(), '\x77', '\x88');
  }
  const WeightFiles files = open();
  EXPECT_EQ(numbers_of(weight(files, "mlp.up_proj")), right);
  EXPECT_FALSE(load_as(weight(files, "mlp.up_proj"), *find_block_format("int4_g32")).empty());
  at("mlp.up_proj.qzeros").data[3] = '\x79';
  EXPECT_ERROR(InvalidInput, "mlp.up_proj.qzeros stores a zero of 9; expected 7 or 8, as quantization_config says",
               numbers_of(weight(open(), "mlp.up_proj")));
  EXPECT_ERROR(InvalidInput, "mlp.up_proj.qzeros stores a zero of 9",
               load_as(weight(open(), "mlp.up_proj"), *find_block_format("int4_g32")));
}

TEST_F(ForeignFilesTest, BitsMayDifferFromTensorToTensor) {
  take("gptq-4");
  config_["quantization_config"]["bits"] = 8;  // of other modules; this one's shapes say 4
  EXPECT_EQ(weight(open(), "mlp.up_proj").stored.type_name, "GPTQ, 4 bits");
}

TEST_F(ForeignFilesTest, GroupsOfColumnsThatAreNoneAreRefused) {
  for (const int32_t group : {2, -1}) {
    take("gptq-4-order");
    std::memcpy(at("self_attn.q_proj.g_idx").data.data() + 4 * 9, &group, sizeof group);
    EXPECT_ERROR(
        InvalidInput,
        fmt::format("self_attn.q_proj.g_idx puts column 9 into group {}; expected 0 to 1, the groups of the", group),
        open());
  }
}

TEST_F(ForeignFilesTest, ScalesThatAreNoNumbersAreRefused) {
  for (const auto& [bits, words] : {std::pair{0x7e00, "a scale of nan"}, {0x7c00, "of inf"}, {0, "a scale of 0 for"}}) {
    take("gptq-4");
    std::memcpy(at("mlp.down_proj.scales").data.data() + 2 * (64 + 5), &bits, 2);
    const WeightFiles files = open();
    EXPECT_ERROR(InvalidInput, words, numbers_of(weight(files, "mlp.down_proj")));
    EXPECT_ERROR(InvalidInput, "mlp.down_proj.scales has a scale of",
                 load_as(weight(files, "mlp.down_proj"), *find_block_format("int4_g32")));
    EXPECT_ERROR(InvalidInput, "for row 5, column 32 of the weight; expected a number that is not 0",
                 numbers_of(weight(files, "mlp.down_proj")));
  }
}

TEST_F(ForeignFilesTest, AScaleThatF16DoesNotHoldIsRefusedWithAWayOut) {
  take("packed-int4");
  const uint16_t tiny = 0x2b01;  // in bf16, 4.6e-13
  std::memcpy(at("mlp.up_proj.weight_scale").data.data(), &tiny, sizeof tiny);
  const WeightFiles files = open();
  EXPECT_ERROR(InvalidInput, "in row 0, which F16 does not hold; try a copy of the model that headroom convert",
               load_as(weight(files, "mlp.up_proj"), *find_block_format("int4_g32")));
  EXPECT_EQ(numbers_of(weight(files, "mlp.up_proj")).size(), 96u * 64);
}

// 200 x 160 elements of DeepSeek's blocks, the last of which are smaller; a NaN among them.
TEST_F(ForeignFilesTest, BlocksOfFloatsAreKeptAsTheyAre) {
  take("fp8-block");
  config_["quantization_config"].erase("weight_block_size");
  tensors_.clear();
  std::string codes, scales;
  for (int i = 0; i < 200 * 160; ++i) codes += static_cast<char>(i * 37 % 251 % 127 + (i % 3 == 0 ? 128 : 0));
  for (int i = 0; i < 4; ++i) {
    const float scale = 0.01f * static_cast<float>(i + 1);
    scales.append(reinterpret_cast<const char*>(&scale), sizeof scale);
  }
  tensors_[kLayer + "a.weight"] = {"F8_E4M3", {200, 160}, codes};
  tensors_[kLayer + "a.weight_scale_inv"] = {"F32", {2, 2}, scales};
  const WeightFiles files = open();
  const WeightTensor tensor = weight(files, "a");
  const BlockFormat& format = *find_block_format("float8_b128");
  ASSERT_EQ(tensor.stored.exact_format, &format);
  const std::vector<float> expected = numbers_of(tensor);
  std::vector<float> got(expected.size());
  const std::vector<std::byte> loaded = load_as(tensor, format);
  for (const int64_t step : {int64_t{200 * 160}, int64_t{33}}) {
    for (int64_t first = 0; first < 200 * 160; first += step) {
      format.decode(tensor.stored.shape, loaded.data(), first, std::min<int64_t>(step, 200 * 160 - first),
                    got.data() + first);
    }
    EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)), 0);
  }
  at("a.weight").data[777] = '\xff';
  EXPECT_ERROR(InvalidInput, "a.weight holds a NaN at element 777; the file", load_as(weight(open(), "a"), format));
  EXPECT_ERROR(InvalidInput, "a.weight holds a NaN at element 777; the file", numbers_of(weight(open(), "a")));
}

TEST_F(ForeignFilesTest, APartThatIsMissingIsNamed) {
  for (const auto& [model, part] : {std::pair{"gptq-4", "mlp.up_proj.scales"},
                                    {"gptq-4", "mlp.up_proj.qzeros"},
                                    {"awq", "mlp.up_proj.scales"},
                                    {"packed-int4", "mlp.up_proj.weight_scale"},
                                    {"packed-int4", "mlp.up_proj.weight_shape"},
                                    {"fp8-tensor", "mlp.up_proj.weight_scale"},
                                    {"nf4", "mlp.up_proj.weight.absmax"},
                                    {"nf4", "mlp.up_proj.weight.quant_state.bitsandbytes__nf4"},
                                    {"nf4", "mlp.up_proj.weight.nested_quant_map"},
                                    {"nf4", "mlp.up_proj.weight.quant_map"}}) {
    take(model);
    tensors_.erase(kLayer + part);
    EXPECT_ERROR(InvalidInput, fmt::format("tensor {}{} is missing; expected it beside {}", kLayer, part, kLayer),
                 open());
  }
}

TEST_F(ForeignFilesTest, APartOfAnotherShapeIsRefused) {
  const auto halve = [&](const char* model, const char* part, const char* words) {
    take(model);
    Entry& entry = at(part);
    const int64_t rows = entry.shape[0], left = std::max<int64_t>(rows / 2, 1);
    entry.shape[0] = left;
    entry.data.resize(entry.data.size() / static_cast<size_t>(rows) * static_cast<size_t>(left));
    EXPECT_ERROR(InvalidInput, words, open());
  };
  halve("gptq-4", "mlp.up_proj.qzeros", "mlp.up_proj.qzeros is I32 of shape [1, 12]; expected I32 of shape [2, 12]");
  halve("gptq-4", "mlp.up_proj.g_idx",
        "mlp.up_proj.qzeros is I32 of shape [2, 12]; expected I32 of shape [2, 24], 2 x");
  halve("awq", "mlp.up_proj.scales", "mlp.up_proj.qzeros is I32 of shape [2, 12]; expected I32 of shape [1, 12], 1 x");
  halve("packed-int4", "mlp.up_proj.weight_packed",
        "mlp.up_proj.weight_packed has shape [48, 8] for a weight [96, 64]");
  halve("fp8-block", "mlp.up_proj.weight_scale_inv",
        "expected F16, BF16 or F32 of shape [3, 2], the scales of a weight");
  halve("nf4", "mlp.up_proj.weight", "mlp.up_proj.weight has 1536 bytes; expected 3072, two elements of [96, 64] in");
  halve("int8", "mlp.up_proj.SCB",
        "mlp.up_proj.SCB is F32 of shape [48]; expected F32 of shape [96], a scale for each");
}

TEST_F(ForeignFilesTest, TwoMethodsInOneModelAreRefused) {
  take("gptq-4");
  tensors_[kLayer + "mlp.up_proj.weight"] = {"F16", {1, 1}, "ab"};
  EXPECT_ERROR(InvalidInput, "mlp.up_proj.weight and, beside it, model.layers.0.mlp.up_proj.qweight; expected one",
               open());
  take("gptq-4");
  config_["quantization_config"] = {{"quant_method", "awq"}};
  EXPECT_ERROR(InvalidInput, "mlp.down_proj.scales is F16 of shape [3, 64]; expected F16, BF16 or F32 of shape",
               open());
}

TEST_F(ForeignFilesTest, AConfigThatSaysSomethingElseIsRefusedByItsField) {
  const auto expect = [&](const char* model, const char* key, const Json& value, const char* words) {
    take(model);
    config_["quantization_config"][key] = value;
    EXPECT_ERROR(InvalidInput, words, open());
  };
  expect("gptq-4", "checkpoint_format", "marlin",
         "quantization_config.checkpoint_format: 'marlin' is not read; expected one of gptq, gptq_v2; try the model");
  expect("gptq-4", "bits", 5, "quantization_config.bits: 5 bits are not read; expected 2, 3, 4 or 8");
  expect("gptq-4", "rotation", "hadamard",
         "quantization_config.rotation: \"hadamard\" is not supported; expected it to");
  expect("awq", "version", "gemv_fast",
         "quantization_config.version: 'gemv_fast' is not read; expected one of gemm, gemv");
  expect("packed-int4", "format", "nvfp4-pack-quantized",
         "quantization_config.format: 'nvfp4-pack-quantized' is not read");
  expect("packed-int4", "transform_config", {{"u", 1}},
         "quantization_config.transform_config: {\"u\":1} is not supported");
  expect("fp8-block", "fmt", "e5m2", "quantization_config.fmt: 'e5m2' is not read; expected one of e4m3");
  expect("nf4", "quant_method", "quip", "quantization_config.quant_method: quip is not supported; expected one of");
}

}  // namespace
}  // namespace headroom
