#include "headroom/formats/gguf/gguf_writer.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "headroom/formats/gguf/gguf_file.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

TEST(GgufWriter, WritesWhatTheReaderReads) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.gguf";
  const std::vector<GgufDeclaration> tensors = {
      {"a", {3, 64}, kGgmlF32}, {"b", {5}, kGgmlF16}, {"c", {2, 32}, kGgmlQ8_0}};
  EXPECT_EQ(GgufWriter::data_bytes(tensors), 768 + 32 + 96);
  {
    GgufWriter writer(path, tensors);
    writer.text("text", "caf\xC3\xA9");
    writer.integer("integer", UINT32_MAX);
    writer.real("real", 0.5);
    writer.boolean("boolean", true);
    writer.array("texts", GgufValueType::text, 2);
    writer.element(std::string_view("x"));
    writer.element(std::string_view(""));
    writer.array("numbers", GgufValueType::i32, 2);
    writer.element(7);
    writer.element(-8);
    writer.array("scores", GgufValueType::f32, 1);
    writer.element(1.5f);
    const std::string data(768, 'a');
    writer.write(data.data(), 700);
    writer.write(data.data(), 68);
    writer.write(std::string(10, 'b').data(), 10);
    EXPECT_FALSE(std::filesystem::exists(path));
    writer.write(std::string(68, 'c').data(), 68);
    writer.finish();
  }
  EXPECT_EQ(directory.count_entries(), 1);
  const GgufFile file(path);
  EXPECT_EQ(file.text("text"), "caf\xC3\xA9");
  EXPECT_EQ(file.integer("integer", 0, INT64_MAX), UINT32_MAX);
  EXPECT_EQ(file.real("real", 0, 1), 0.5);
  EXPECT_TRUE(file.boolean("boolean"));
  EXPECT_EQ(file.length("texts"), 2);
  GgufArray numbers(file, "numbers", false);
  ASSERT_TRUE(numbers.next() && numbers.next());
  EXPECT_EQ(numbers.number(), -8);
  ASSERT_EQ(file.count(), 3);
  for (int64_t i = 0; i < 3; ++i) {
    const GgufTensor tensor = file.tensor(i);
    EXPECT_EQ(tensor.shape, tensors[static_cast<size_t>(i)].shape);
    EXPECT_EQ(tensor.offset_bytes % GgufWriter::kAlignmentBytes, 0);
    std::string data(static_cast<size_t>(tensor.size_bytes), ' ');
    file.file().read(tensor.offset_bytes, data.data(), tensor.size_bytes);
    EXPECT_EQ(data, std::string(data.size(), tensor.name[0]));
  }
}

TEST(GgufWriter, LeavesNothingBehindAndHoldsItsCallerToItsWord) {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.gguf";
  {
    GgufWriter writer(path, {{"a", {2}, kGgmlF32}});
    const float values[3] = {};
    EXPECT_THROW(writer.integer("n", -1), InternalError);
    EXPECT_THROW(writer.write(values, 12), InternalError);
    writer.write(values, 4);
    EXPECT_THROW(writer.boolean("late", true), InternalError);
    EXPECT_THROW(writer.finish(), InternalError);
  }
  EXPECT_EQ(directory.count_entries(), 0);
  const GgufDeclaration odd{"a", {2, 33}, kGgmlQ8_0};
  EXPECT_THROW(odd.bytes(), InternalError);
}

}  // namespace
}  // namespace headroom
