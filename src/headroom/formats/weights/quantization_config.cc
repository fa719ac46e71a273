#include "headroom/formats/weights/quantization_config.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr int64_t kLargestGroup = int64_t{1} << 40;

void expect_one_of(const JsonObject& config, std::string_view key, std::string_view value,
                   std::initializer_list<std::string_view> known) {
  std::string names;
  for (const std::string_view one : known) {
    if (one == value) return;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", one);
  }
  throw InvalidInput("{}: '{}' is not read; expected one of {}; try the model before it was quantised",
                     config.where(key), value, names);
}

// A field that would have the model compute otherwise.
void expect_absent(const JsonObject& config, std::string_view key) {
  if (!config.has(key) || config.json().at(std::string(key)).empty()) return;
  throw InvalidInput("{}: {} is not supported; expected it to be absent", config.where(key), config.show(key));
}

QuantizationConfig read_headroom(const JsonObject& config) {
  config.integer("bits", 2, 8);
  config.integer("group_size", 0, kLargestGroup);
  config.boolean("symmetric");
  for (const std::string& key : config.unread()) {
    throw InvalidInput("{}: this field is unknown; it may be a newer headroom's", config.where(key));
  }
  return {.method = QuantMethod::headroom};
}

// GPTQModel's names of versions; AutoGPTQ says nothing, and means the first.
QuantizationConfig read_gptq(const JsonObject& config) {
  QuantizationConfig read{.method = QuantMethod::gptq};
  read.bits = static_cast<int>(config.integer_or("bits", 4, 2, 8));
  if (read.bits > 4 && read.bits < 8) {
    throw InvalidInput("{}: {} bits are not read; expected 2, 3, 4 or 8", config.where("bits"), read.bits);
  }
  const std::string key = config.has("checkpoint_format") ? "checkpoint_format" : "format";
  const std::string version = config.text_or(key, "gptq");
  expect_one_of(config, key, version, {"gptq", "gptq_v2"});
  expect_one_of(config, "pack_dtype", config.text_or("pack_dtype", "int32"), {"int32"});
  expect_absent(config, "rotation");
  read.zeros_less_one = version == "gptq";
  read.is_symmetric = config.boolean_or("sym", true);
  return read;
}

QuantizationConfig read_awq(const JsonObject& config) {
  const std::string bits = config.has("bits") ? "bits" : "w_bit";
  if (config.integer_or(bits, 4, 1, 16) != 4) {
    throw InvalidInput("{}: {} bits are not read; expected 4", config.where(bits), config.show(bits));
  }
  const std::string key = config.has("version") ? "version" : "checkpoint_format";
  std::string version = config.text_or(key, "gemm");
  for (char& letter : version) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  expect_one_of(config, key, version, {"gemm", "gemv"});
  const std::string group = config.has("group_size") ? "group_size" : "q_group_size";
  return {.method = QuantMethod::awq,
          .by_rows = version == "gemv",
          .group_size = config.integer_or(group, 128, -1, kLargestGroup)};
}

QuantizationConfig read_compressed_tensors(const JsonObject& config) {
  const std::string format = config.text_or("format", "dense");
  expect_one_of(config, "format", format,
                {"pack-quantized", "int-quantized", "float-quantized", "naive-quantized", "mixed-precision", "dense"});
  expect_absent(config, "transform_config");
  if (const std::optional<JsonObject> sparsity = config.object_if("sparsity_config")) {
    expect_one_of(*sparsity, "format", sparsity->text_or("format", "dense"), {"dense"});
  }
  return {.method = QuantMethod::compressed_tensors};
}

QuantizationConfig read_fp8(const JsonObject& config) {
  expect_one_of(config, "fmt", config.text_or("fmt", "e4m3"), {"e4m3"});
  QuantizationConfig read{.method = QuantMethod::fp8};
  if (!config.has("weight_block_size")) return read;
  const std::vector<int64_t> block = config.integers("weight_block_size", 1, 1 << 16);
  if (block.size() != 2) {
    throw InvalidInput("{}: expected the rows and columns of a block, got {}", config.where("weight_block_size"),
                       config.show("weight_block_size"));
  }
  read.has_blocks = true;
  read.block_rows = block[0];
  read.block_columns = block[1];
  return read;
}

QuantizationConfig read_bitsandbytes(const JsonObject& config) {
  if (config.boolean_or("load_in_4bit", false)) {
    expect_one_of(config, "bnb_4bit_quant_type", config.text_or("bnb_4bit_quant_type", "fp4"), {"nf4", "fp4"});
  }
  return {.method = QuantMethod::bitsandbytes};
}

}  // namespace

QuantizationConfig read_quantization_config(const JsonObject& config) {
  const std::string method = config.text_or("quant_method", "");
  if (method == "headroom") return read_headroom(config);
  if (method == "gptq") return read_gptq(config);
  if (method == "awq") return read_awq(config);
  if (method == "compressed-tensors") return read_compressed_tensors(config);
  if (method == "fp8" || method == "fbgemm_fp8") return read_fp8(config);
  if (method == "bitsandbytes") return read_bitsandbytes(config);
  throw InvalidInput(
      "{}: {} is not supported; expected one of headroom, gptq, awq, compressed-tensors, fp8, fbgemm_fp8 and "
      "bitsandbytes; try the model before it was quantised",
      config.where("quant_method"), method.empty() ? "absent" : method);
}

std::optional<QuantizationConfig> quantization_of_model(const std::string& directory) {
  const std::string path = (std::filesystem::path(directory) / "config.json").string();
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  const std::optional<JsonObject> config = JsonObject::read(path).object_if("quantization_config");
  if (!config) return std::nullopt;
  return read_quantization_config(*config);
}

}  // namespace headroom
