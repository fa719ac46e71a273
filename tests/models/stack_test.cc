// Values that are stacks of a model's tensors: they stay in the format of their files, to the bit, wherever that can
// be, and files hold their tensors.
#include "headroom/models/stack.h"

#include <cstring>
#include <fstream>
#include <numeric>

#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/formats/weights/safetensors_writer.h"
#include "headroom/models/fill_random.h"
#include "headroom/models/initialize.h"
#include "tests/models/config_text.h"
#include "tests/models/stack_model.h"
#include "tests/temporary_directory.h"

namespace headroom::testing {
namespace {

const std::string kStackData = HEADROOM_SOURCE_DIR "/tests/data/";

// Loads the model's stack from there in the format that it has there, and holds it against its tensors.
void expect_equal_to_tensors(const std::string& path, StackModel& model, std::string_view format) {
  take_stored_formats(WeightFiles(path), model);
  EXPECT_EQ(name_of(model.format()), format) << path;
  const WeightFiles files(path);
  std::vector<float> expected;
  for (const Slice& slice : model.binding()->slices) {
    std::vector<float> one(static_cast<size_t>(slice.shape.elements()));
    files.require(slice.tensor, slice.shape).read(0, slice.shape.elements(), DType::f32, one.data());
    expected.insert(expected.end(), one.begin(), one.end());
  }
  const Workspace workspace = workspace_of(model, model.format());
  const Tensor value = workspace.persistent("stack");
  std::memset(value.data, 0xcc, static_cast<size_t>(value.type.bytes()));
  load_bound(files, Source::model, workspace);
  const Shape& shape = model.shape();
  for (const Shape& read_as : {shape, Shape{shape[0] * shape[1], shape[2]}}) {
    const std::vector<float> got = elements_of(workspace, read_as);
    ASSERT_EQ(got.size(), expected.size());
    EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)), 0) << path;
  }
}

const std::vector<std::string> kGateAndUp = {"model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.gate_proj.weight",
                                             "model.layers.1.mlp.up_proj.weight"};

// What other programs wrote, by its own methods.
TEST(Stacks, StayInTheFormatsOfOtherPrograms) {
  const std::pair<const char*, const char*> kept[] = {{"gptq-2", "uint2_g32"},
                                                      {"gptq-3-asym", "uint3_g32"},
                                                      {"gptq-4", "int4_g32"},
                                                      {"gptq-8", "int8_g32"},
                                                      {"awq", "uint4_g32"},
                                                      {"bytes-float8", "float8_channel"},
                                                      {"gptq-4-order", "f32"},
                                                      {"fp8-block", "f32"},
                                                      {"nf4", "f32"},
                                                      {"packed-int4", "int4_g32"},
                                                      {"fp8-tensor", "float8_channel"}};
  for (const auto& [directory, format] : kept) {
    const std::string path = kStackData + "quantized/" + directory;
    const WeightFiles files(path);
    std::vector<std::string> names;
    for (const std::string& name : kGateAndUp) {
      if (files.find(name)) names.push_back(name);
    }
    ASSERT_GT(names.size(), 1u) << directory;
    StackModel model(names, files.find(names[0])->stored.shape);
    expect_equal_to_tensors(path, model, format);
  }
}

// Files of our own.
class StackFiles : public ::testing::Test {
 protected:
  StackModel model(int64_t rows, int64_t columns) const { return {{"e.1", "e.0", "e.2"}, {rows, columns}}; }

  void write(const std::vector<DType>& dtypes, int64_t rows, int64_t columns) {
    std::vector<TensorDeclaration> declarations;
    for (size_t i = 0; i < dtypes.size(); ++i) {
      declarations.push_back({fmt::format("e.{}", i), {dtypes[i], {rows, columns}}});
    }
    SafetensorsWriter writer(directory_ / "model.safetensors", declarations);
    std::vector<float> numbers(static_cast<size_t>(rows * columns));
    for (size_t i = 0; i < dtypes.size(); ++i) {
      fill_random(numbers, 1, i, 0, 1.0);
      const Type& type = declarations[i].type;
      std::vector<std::byte> bytes(static_cast<size_t>(type.bytes()));
      if (is_scalar(dtypes[i])) {
        convert_elements(DType::f32, numbers.data(), dtypes[i], bytes.data(), rows * columns);
      } else {
        block_format(dtypes[i]).encode(type.shape, 0, numbers, bytes.data(), {});
        block_format(dtypes[i]).finish(type.shape, bytes.data(), {});
        if (i == 2 && breaks_a_scale_) {
          const GroupedLayout layout(*as_grouped(dtypes[i]), type.shape);
          const uint16_t infinity = 0x7c00;
          std::memcpy(bytes.data() + layout.panel_bytes() + layout.scales_at() + 2 * 5, &infinity, sizeof infinity);
        }
      }
      writer.write_at(i, 0, bytes.data(), declarations[i].type_in_file().shape.elements());
    }
    writer.finish();
  }

  std::string loading(StackModel model) {
    try {
      take_stored_formats(WeightFiles(directory_.path()), model);
      const Workspace workspace = workspace_of(model, model.format());
      load_bound(WeightFiles(directory_.path()), Source::model, workspace);
    } catch (const InvalidInput& error) {
      return error.what();
    }
    return "loads";
  }

  TemporaryDirectory directory_;
  bool breaks_a_scale_ = false;
};

TEST_F(StackFiles, OfWholePanelsStayInTheirFormat) {
  for (const char* format : {"int4_g32", "uint3_g64", "int8_channel", "f16", "bf16", "f32"}) {
    const DType dtype = std::string_view(format) == "f16"    ? DType::f16
                        : std::string_view(format) == "bf16" ? DType::bf16
                        : std::string_view(format) == "f32"  ? DType::f32
                                                             : find_block_format(format)->dtype();
    write(std::vector<DType>(3, dtype), 48, 128);
    StackModel of_whole = model(48, 128);
    expect_equal_to_tensors(directory_.path(), of_whole, format);
    write(std::vector<DType>(3, dtype), 24, 64);  // a panel would be of two matrices
    StackModel of_parts = model(24, 64);
    expect_equal_to_tensors(directory_.path(), of_parts, is_scalar(dtype) ? format : "f32");
  }
  write(std::vector<DType>(3, find_block_format("int4_g32")->dtype()), 48, 64);
  StackModel kept = model(48, 64);
  take_stored_formats(WeightFiles(directory_.path()), kept);
  const std::vector<KeptWeights> all = kept_weights(WeightFiles(directory_.path()), kept);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].tensors, 3);
  EXPECT_EQ(all[0].file_bytes, 3 * 4096);  // 3 panels of 16 * 32 + 2 * 32 bytes, to a page
  EXPECT_EQ(all[0].bytes, 2 * 4096);
}

TEST_F(StackFiles, BlocksOfDeepseeksFloatsStayThem) {
  nlohmann::ordered_json header;
  std::string data;
  const auto add = [&](const std::string& name, const char* dtype, const std::vector<int64_t>& shape,
                       const std::string& bytes) {
    header[name] = {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {data.size(), data.size() + bytes.size()}}};
    data += bytes;
  };
  for (int e = 0; e < 3; ++e) {
    std::string codes, scales;
    for (int i = 0; i < 256 * 160; ++i) codes += static_cast<char>((i + e) * 37 % 251 % 127 + (i % 3 == 0 ? 128 : 0));
    for (int i = 0; i < 4; ++i) {
      const float scale = 0.01f * static_cast<float>(i + 4 * e + 1);
      scales.append(reinterpret_cast<const char*>(&scale), sizeof scale);
    }
    add(fmt::format("e.{}.weight", e), "F8_E4M3", {256, 160}, codes);
    add(fmt::format("e.{}.weight_scale_inv", e), "F32", {2, 2}, scales);
  }
  const std::string text = header.dump();
  const uint64_t length = text.size();
  directory_.write("config.json",
                   R"({"quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "scale_fmt": "ue8m0",
                       "weight_block_size": [128, 128], "activation_scheme": "dynamic"}})");
  directory_.write("model.safetensors",
                   std::string(reinterpret_cast<const char*>(&length), sizeof length) + text + data);
  StackModel model({"e.0.weight", "e.1.weight", "e.2.weight"}, {256, 160});
  expect_equal_to_tensors(directory_.path(), model, "float8_b128");
}

TEST_F(StackFiles, WhatIsWrongWithATensorIsSaidByItsName) {
  write({DType::bf16, DType::bf16, DType::f32}, 16, 32);
  EXPECT_NE(loading(model(16, 32)).find("tensor e.2 is stored as F32; expected BF16, as e.1 beside it"),
            std::string::npos);
  write({DType::bf16, DType::bf16}, 16, 32);
  EXPECT_NE(loading(model(16, 32)).find("tensor e.2 is missing"), std::string::npos);
  breaks_a_scale_ = true;
  write(std::vector<DType>(3, find_block_format("int4_g32")->dtype()), 32, 64);
  EXPECT_NE(loading(model(32, 64)).find("tensor e.2 has a scale in row 21 that is NaN or infinite"), std::string::npos);
}

TEST_F(StackFiles, NewOnesAreWrittenAsTheirTensors) {
  const StackModel made = model(8, 96);
  write_initial_weights(made, directory_.path(), DType::f32, 9, 1 << 20, [](int64_t, int64_t) {});
  const WeightFiles files(directory_.path());
  EXPECT_EQ(files.count(), 4);  // and the head
  std::vector<float> expected(3 * 8 * 96), got(8 * 96);
  fill_random(expected, 9, 77, 0, 0.5);
  for (const auto& [n, name] : {std::pair{0, "e.1"}, {1, "e.0"}, {2, "e.2"}}) {
    files.require(name, {8, 96}).read(0, 8 * 96, DType::f32, got.data());
    EXPECT_EQ(std::memcmp(got.data(), expected.data() + n * 8 * 96, got.size() * sizeof(float)), 0) << name;
  }
}

}  // namespace
}  // namespace headroom::testing
