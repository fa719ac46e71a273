#include "headroom/formats/weights/adapter_file.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "headroom/formats/weights/safetensors_writer.h"
#include "headroom/formats/weights/weight_files.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

constexpr const char* kA = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";

std::string write_tensors(const TemporaryDirectory& directory, const std::vector<std::string>& names) {
  std::vector<TensorDeclaration> declarations;
  for (const std::string& name : names) declarations.push_back({name, f32({2})});
  SafetensorsWriter writer(directory / "adapter_model.safetensors", declarations);
  float value = 0;
  for (const std::string& name : names) {
    const float values[2] = {++value, value};
    writer.write(name, DType::f32, values, 2);
  }
  writer.finish();
  return directory / "adapter_model.safetensors";
}

TEST(AdapterFile, NamesAreThoseOfPeft) {
  const TemporaryDirectory directory;
  for (const char* name : {kA, "base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight",
                           "model.layers.0.self_attn.q_proj.lora_A.my.own.weight"}) {
    const WeightFiles files(
        std::make_unique<AdapterFile>(write_tensors(directory, {"base_model.model.lm_head.weight", name})));
    const std::optional<WeightTensor> tensor = files.find(kA);
    ASSERT_TRUE(tensor) << name;
    float value = 0;
    tensor->read(1, 1, DType::f32, &value);
    EXPECT_EQ(value, 2);
  }
}

TEST(AdapterFile, NamesOfMagnitudesAreThoseOfPeft) {
  const TemporaryDirectory directory;
  for (const char* end : {"", ".weight", ".default.weight"}) {
    const std::string name = "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector";
    EXPECT_EQ(AdapterFile(write_tensors(directory, {name + end})).find(name), 0) << end;
  }
}

TEST(AdapterFile, WholeLayersHaveTheNamesOfTheModel) {
  const TemporaryDirectory directory;
  for (const char* name :
       {"base_model.model.lm_head.weight", "lm_head.weight", "base_model.model.lm_head.modules_to_save.weight",
        "base_model.model.lm_head.modules_to_save.default.weight"}) {
    EXPECT_EQ(AdapterFile(write_tensors(directory, {name})).find("lm_head.weight"), 0) << name;
  }
}

TEST(AdapterFile, RefusesATensorUnderTwoNames) {
  const TemporaryDirectory directory;
  const std::string path =
      write_tensors(directory, {kA, "base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight"});
  EXPECT_THROW(AdapterFile{path}, InvalidInput);
}

}  // namespace
}  // namespace headroom
