#include "headroom/formats/weights/safetensors_writer.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/formats/weights/safetensors.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

const std::vector<TensorDeclaration> kTensors = {
    {"wide", f64({})}, {"w\"eight", f32({100, 300})}, {"none", f32({0, 7})}, {"half", {DType::bf16, {5}}}};

std::string write_all(const std::string& path) {
  std::vector<float> values(30000);
  std::iota(values.begin(), values.end(), -100.0f);
  SafetensorsWriter writer(path, kTensors);
  writer.write("wide", DType::f32, values.data(), 1);
  writer.write("w\"eight", DType::f32, values.data(), 10000);
  writer.write("w\"eight", DType::f32, values.data() + 10000, 20000);
  writer.write("half", DType::f32, values.data(), 5);
  writer.finish();
  return path;
}

TEST(SafetensorsWriter, WritesWhatTheReaderReads) {
  const TemporaryDirectory directory;
  const SafetensorsFile file(write_all(directory / "a.safetensors"));
  ASSERT_EQ(file.count(), 4);
  EXPECT_EQ((file.header_bytes() + 8) % 4096, 0);
  std::vector<float> values(30000);
  const StoredTensor weight = file.tensor(file.find("w\"eight"));
  EXPECT_EQ(weight.shape, (Shape{100, 300}));
  file.read(weight, 0, 30000, DType::f32, values.data());
  EXPECT_EQ(values[29999], 29899.0f);
  file.read(file.tensor(file.find("half")), 0, 5, DType::f32, values.data());
  EXPECT_EQ(values[4], -96.0f);
  double wide = 0;
  file.read(file.tensor(file.find("wide")), 0, 1, DType::f64, &wide);
  EXPECT_EQ(wide, -100.0);
  EXPECT_EQ(static_cast<int64_t>(directory.read("a.safetensors").size()), SafetensorsWriter::file_bytes(kTensors));
}

TEST(SafetensorsWriter, NotesWhatGroupedFormatsAre) {
  const TemporaryDirectory directory;
  const GroupedFormat& format = *find_grouped(4, false, 32);
  const std::vector<TensorDeclaration> tensors = {{"a \"b\"", {format.dtype(), {20, 64}}}, {"n", f32({2})}};
  std::vector<std::byte> bytes(static_cast<size_t>(format.bytes({20, 64})));
  const float numbers[] = {1, 2};
  SafetensorsWriter writer(directory / "a.safetensors", tensors);
  EXPECT_EQ(writer.offset_of(0, 0) % 4096, 0);
  EXPECT_EQ(writer.offset_of(1, 0), writer.offset_of(0, 4096));
  writer.write("a \"b\"", DType::u8, bytes.data(), 4096);
  writer.write("n", DType::f32, numbers, 2);
  writer.finish();
  const std::string text = directory.read("a.safetensors");
  const SafetensorsFile file(directory / "a.safetensors");
  const auto header = nlohmann::json::parse(text.substr(8, static_cast<size_t>(file.header_bytes())));
  const nlohmann::json notes = {{"headroom.weights", "1"}, {"a \"b\"", "int4_g32 [20, 64]"}};
  EXPECT_EQ(header["__metadata__"], notes);
  EXPECT_EQ(header["a \"b\""]["dtype"], "U8");
  EXPECT_EQ(header["a \"b\""]["shape"], std::vector<int>{4096});
  EXPECT_EQ(static_cast<int64_t>(text.size()), SafetensorsWriter::file_bytes(tensors));
  EXPECT_ERROR(InternalError, "headroom.weights",
               SafetensorsWriter(directory / "b.safetensors", {{"headroom.weights", f32({1})}}));
}

TEST(SafetensorsWriter, WritesAHeaderThatAnotherParserReads) {
  const TemporaryDirectory directory;
  write_all(directory / "a.safetensors");
  const std::string text = directory.read("a.safetensors");
  const SafetensorsFile file(directory / "a.safetensors");
  const auto header = nlohmann::json::parse(text.substr(8, static_cast<size_t>(file.header_bytes())));
  EXPECT_EQ(header["__metadata__"]["format"], "pt");
  EXPECT_EQ(header["w\"eight"]["shape"], (std::vector<int>{100, 300}));
  EXPECT_EQ(header["w\"eight"]["data_offsets"], (std::vector<int>{8, 120008}));
  EXPECT_EQ(header["half"]["dtype"], "BF16");
}

TEST(SafetensorsWriter, LeavesNothingWhenAbandonedOrWhenTheDiskIsFull) {
  const TemporaryDirectory directory;
  directory.write("a.safetensors", "old");
  { SafetensorsWriter writer(directory / "a.safetensors", kTensors); }
  rlimit old_limit = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit = {50000, old_limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  EXPECT_ERROR(MachineFailure, "cannot write", write_all(directory / "a.safetensors"));
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  ::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(directory.count_entries(), 1);
  EXPECT_EQ(directory.read("a.safetensors"), "old");
}

TEST(SafetensorsWriter, HoldsTheCallerToTheDeclaration) {
  const TemporaryDirectory directory;
  const float values[8] = {};
  SafetensorsWriter writer(directory / "a.safetensors", {{"a", f32({4})}, {"b", f32({4})}});
  EXPECT_ERROR(InternalError, "out of order", writer.write("b", DType::f32, values, 4));
  EXPECT_ERROR(InternalError, "more than its 4", writer.write("a", DType::f32, values, 5));
  writer.write("a", DType::f32, values, 4);
  EXPECT_ERROR(InternalError, "tensor b is not complete", writer.finish());
  EXPECT_ERROR(InternalError, "declared twice", SafetensorsWriter(directory / "b", {{"a", f32({4})}, {"a", f32({4})}}));
}

}  // namespace
}  // namespace headroom
