#include "headroom/formats/weights/weight_files.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "headroom/formats/weights/safetensors_writer.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

class WeightFilesTest : public testing::Test {
 protected:
  // A file of [2] tensors whose elements are `value`.
  void write(const std::string& name, const std::vector<std::string>& tensors, float value) {
    std::vector<TensorDeclaration> declarations;
    for (const std::string& tensor : tensors) declarations.push_back({tensor, f32({2})});
    SafetensorsWriter writer(directory_ / name, declarations);
    const float values[2] = {value, value};
    for (const std::string& tensor : tensors) writer.write(tensor, DType::f32, values, 2);
    writer.finish();
  }
  WeightFiles open_index(const std::string& weight_map) {
    directory_.write("model.safetensors.index.json",
                     R"({"metadata": {"total_size": 24}, "weight_map": )" + weight_map + "}");
    return WeightFiles(directory_.path());
  }
  static float first(const WeightTensor& tensor) {
    float value = 0;
    tensor.read(0, 1, DType::f32, &value);
    return value;
  }
  TemporaryDirectory directory_;
};

TEST_F(WeightFilesTest, ReadsASingleFileByDirectoryOrByName) {
  write("model.safetensors", {"b", "a"}, 1);
  write("other.safetensors", {"c"}, 2);
  const WeightFiles weights(directory_.path());
  EXPECT_EQ(weights.count(), 2);
  EXPECT_EQ(weights.tensor(0).stored.name, "a");
  EXPECT_FALSE(weights.find("c").has_value());
  EXPECT_EQ(first(*weights.find("b")), 1);
  EXPECT_EQ(first(*WeightFiles(directory_ / "other.safetensors").find("c")), 2);
}

TEST_F(WeightFilesTest, SayHowToConvertWhatIsNotRead) {
  const auto refusal = [this] {
    try {
      WeightFiles{directory_.path()};
    } catch (const InvalidInput& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  directory_.write("model-00001-of-00002.GGUF", "x");
  EXPECT_EQ(refusal(), directory_.path() +
                           ": has no model.safetensors, but a GGUF file; try that itself as the model: " +
                           (directory_ / "model-00001-of-00002.GGUF"));
  directory_.write("training_args.bin", "x");
  EXPECT_EQ(refusal().find("pickle"), std::string::npos);
  for (const char* name : {"consolidated.00.pth", "a.bin", "pytorch_model.bin", "pytorch_model.bin.index.json"}) {
    directory_.write(name, "x");
    EXPECT_TRUE(refusal().starts_with(directory_.path() + ": its weights are in " + name + ", a pickle of PyTorch"))
        << refusal();
    EXPECT_NE(refusal().find("M.from_pretrained('" + directory_.path() + "', torch_dtype='auto')"), std::string::npos);
  }
}

TEST_F(WeightFilesTest, ReadsShardsAsOneSet) {
  write("model-00001-of-00002.safetensors", {"a", "b", "unlisted"}, 1);
  write("model-00002-of-00002.safetensors", {"c"}, 2);
  const WeightFiles weights = open_index(
      R"({"c": "model-00002-of-00002.safetensors", "a": "model-00001-of-00002.safetensors",
          "b": "model-00001-of-00002.safetensors"})");
  EXPECT_EQ(weights.count(), 3);
  EXPECT_EQ(first(*weights.find("a")), 1);
  EXPECT_EQ(first(weights.require("c", {2})), 2);
  EXPECT_FALSE(weights.find("unlisted").has_value());
  EXPECT_ERROR(InvalidInput, "tensor d is missing", weights.require("d", {2}));
  EXPECT_ERROR(InvalidInput, "model-00002-of-00002.safetensors: tensor c has shape [2] (expected [3, 2])",
               weights.require("c", {3, 2}));
}

TEST_F(WeightFilesTest, RefusesAnIndexThatDoesNotFitItsShards) {
  EXPECT_ERROR(InvalidInput, "has no weights", WeightFiles(directory_.path()));
  write("x.safetensors", {"a", "b"}, 1);
  write("y.safetensors", {"a"}, 2);
  EXPECT_ERROR(InvalidInput, "none.safetensors: cannot read", open_index(R"({"a": "none.safetensors"})"));
  EXPECT_ERROR(InvalidInput, "tensor c is not in x.safetensors", open_index(R"({"c": "x.safetensors"})"));
  EXPECT_ERROR(InvalidInput, "tensor a is listed twice", open_index(R"({"a": "x.safetensors", "a": "y.safetensors"})"));
  EXPECT_ERROR(InvalidInput, "tensor b is listed twice",
               open_index(R"({"b": "x.safetensors", "b": "x.safetensors", "b": "x.safetensors"})"));
  EXPECT_ERROR(InvalidInput, "is no shard", open_index(R"({"a": "../x.safetensors"})"));
  EXPECT_ERROR(InvalidInput, "is no shard", open_index(R"({"a": "x.bin"})"));
  directory_.write("model.safetensors.index.json", R"({"metadata": {}})");
  EXPECT_ERROR(InvalidInput, "has no weight_map", WeightFiles(directory_.path()));
  directory_.write("model.safetensors.index.json", R"([{"weight_map": {"a": "x.safetensors"}}])");
  EXPECT_ERROR(InvalidInput, "model.safetensors.index.json", WeightFiles(directory_.path()));
  std::string many;
  for (int i = 0; i < 1001; ++i) many += fmt::format("{}\"{}\": \"{}.safetensors\"", i > 0 ? "," : "{", i, i);
  EXPECT_ERROR(InvalidInput, "more than 1000 shards", open_index(many + "}"));
}

// transformers wants `metadata`; what is in it is nobody's business here.
TEST_F(WeightFilesTest, TakesAnIndexWithoutMetadata) {
  write("x.safetensors", {"a"}, 1);
  directory_.write("model.safetensors.index.json", R"({"weight_map": {"a": "x.safetensors"}})");
  EXPECT_EQ(first(*WeightFiles(directory_.path()).find("a")), 1);
}

}  // namespace
}  // namespace headroom
