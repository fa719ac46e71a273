#include "headroom/formats/weights/weight_writer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/formats/weights/weight_files.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

// Four tensors of 4, 8, 20 and 8 KB whose elements are their number.
class WeightWriterTest : public testing::Test {
 protected:
  static std::vector<TensorDeclaration> declarations() {
    return {{"a", f32({1000})}, {"b", f32({2, 1024})}, {"c", {DType::bf16, {10, 1000}}}, {"d", f32({2048})}};
  }

  void write(int64_t shard_bytes) {
    const WeightWriter weights(declarations(), shard_bytes);
    const auto fill = [](SafetensorsWriter& file, std::span<const size_t> members) {
      for (size_t place = 0; place < members.size(); ++place) {
        const Type type = declarations()[members[place]].type;
        const std::vector<uint8_t> data(static_cast<size_t>(type.bytes()), static_cast<uint8_t>(members[place]));
        const int64_t half = type.shape.elements() / 2;  // the second part first
        file.write_at(place, half, data.data(), type.shape.elements() - half);
        file.write_at(place, 0, data.data(), half);
      }
    };
    weights.write(directory_.path(), fill);
    int64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      const bool is_weights = entry.path().extension() == ".safetensors" && entry.path().stem() != "other";
      if (is_weights) bytes += static_cast<int64_t>(entry.file_size());
    }
    EXPECT_EQ(bytes, weights.file_bytes());
  }

  // Names of the directory's entries; and that the weights in it are those declared.
  std::vector<std::string> read() {
    const WeightFiles files(directory_.path());
    EXPECT_EQ(files.count(), 4);
    for (size_t i = 0; i < 4; ++i) {
      const TensorDeclaration tensor = declarations()[i];
      const WeightTensor stored = files.require(tensor.name, tensor.type.shape);
      std::vector<uint8_t> data(static_cast<size_t>(tensor.type.bytes()));
      stored.read(0, tensor.type.shape.elements(), tensor.type.dtype, data.data());
      EXPECT_EQ(data, std::vector<uint8_t>(data.size(), static_cast<uint8_t>(i)));
      const int64_t alignment = tensor.type.bytes() % 4096 == 0 ? 4096 : size_of(tensor.type.dtype);
      EXPECT_EQ(stored.stored.offset_bytes % alignment, 0) << tensor.name;
    }
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  TemporaryDirectory directory_;
};

const std::vector<std::string> kSingle = {"model.safetensors"};
const std::vector<std::string> kThree = {"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                                         "model-00003-of-00003.safetensors", "model.safetensors.index.json"};

TEST_F(WeightWriterTest, SplitsInTheOrderOfTheDeclarations) {
  write(40'384);  // exactly all
  EXPECT_EQ(read(), kSingle);
  write(15'000);  // c is larger than that and has a file of its own
  EXPECT_EQ(read(), kThree);
  const auto index = nlohmann::json::parse(directory_.read("model.safetensors.index.json"));
  EXPECT_EQ(index["metadata"]["total_size"], 40'384);
  EXPECT_EQ(index["metadata"]["total_parameters"], 1000 + 2048 + 10'000 + 2048);
  EXPECT_EQ(index["weight_map"]["b"], kThree[0]);
  EXPECT_EQ(index["weight_map"]["c"], kThree[1]);
  EXPECT_EQ(index["weight_map"]["d"], kThree[2]);
  write(1);
  EXPECT_EQ(read().size(), 5u);
}

// However the number of files changes, nothing of the old ones is left, and nothing else is touched.
TEST_F(WeightWriterTest, TakesThePlaceOfTheWeightsThatAreThere) {
  directory_.write("other.safetensors", "not the model's");
  for (const int64_t shard_bytes : {100'000, 15'000, 1, 30'000, 100'000}) {
    write(shard_bytes);
    std::filesystem::rename(directory_ / "other.safetensors", directory_ / "other");
    std::vector<std::string> names = read();
    std::filesystem::rename(directory_ / "other", directory_ / "other.safetensors");
    std::erase(names, "other");
    EXPECT_EQ(names.size(), shard_bytes == 100'000 ? 1u : shard_bytes == 1 ? 5u : shard_bytes == 15'000 ? 4u : 3u);
  }
}

TEST_F(WeightWriterTest, KeepsWhatIsThereWhenWritingFails) {
  write(15'000);
  const WeightWriter weights(declarations(), 100'000);
  EXPECT_ERROR(MachineFailure, "full", weights.write(directory_.path(), [](SafetensorsWriter&, auto) {
    throw MachineFailure("the disk is full");
  }));
  EXPECT_ERROR(InternalError, "0 of 40384 bytes were written",
               weights.write(directory_.path(), [](SafetensorsWriter&, auto) {}));
  EXPECT_EQ(read(), kThree);
}

TEST_F(WeightWriterTest, RefusesSizesThatMakeNoSense) {
  EXPECT_EQ(parse_shard_size("5GB"), 5'000'000'000);
  EXPECT_ERROR(InvalidInput, "--shard-size 0: expected a size of one byte or more", parse_shard_size("0"));
  EXPECT_ERROR(InvalidInput, "--shard-size", parse_shard_size("large"));
  EXPECT_ERROR(InvalidInput, "--shard-size 1: makes more than 1000 files; expected a larger size",
               WeightWriter(std::vector<TensorDeclaration>(1001, {"a", f32({1})}), 1));
}

}  // namespace
}  // namespace headroom
