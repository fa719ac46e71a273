// Models in several GGUF files (tests/data/gguf/make.py: cut by the Python package), and what is said of parts that are
// missing or belong elsewhere.
#include "headroom/formats/gguf/gguf_parts.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "headroom/formats/gguf/gguf_file.h"
#include "headroom/formats/weights/weight_files.h"
#include "tests/formats/gguf_bytes.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

using namespace gguf_bytes;

const std::string kPartsData = HEADROOM_SOURCE_DIR "/tests/data/gguf/";

std::string copy_of(const std::string& name, const TemporaryDirectory& directory, const std::string& as) {
  std::filesystem::copy_file(kPartsData + name, directory / as);
  return directory / as;
}

std::string u16(const std::string& name, uint16_t value) { return key(name, GgufValueType::u16, bytes_of(value)); }

// A part with one tensor of eight numbers.
std::string part(uint16_t number, uint16_t count, const std::string& tensor_name, int32_t tensors = 2) {
  return pad(head(1, 3) + u16("split.no", number) + u16("split.count", count) +
             key("split.tensors.count", GgufValueType::i32, bytes_of(tensors)) +
             tensor(tensor_name, {8}, kGgmlF32, 0)) +
         std::string(32, 'd');
}

TEST(GgufParts, AreNamedByTheirNumbers) {
  EXPECT_EQ(first_gguf_part("d/a-00003-of-00012.gguf"), "d/a-00001-of-00012.gguf");
  EXPECT_EQ(first_gguf_part("a-00003-of-00002.gguf"), "a-00003-of-00002.gguf");
  EXPECT_EQ(first_gguf_part("a-0003-of-00012.gguf"), "a-0003-of-00012.gguf");
  EXPECT_EQ(gguf_part("d/a-00001-of-00012.GGUF", 11, 12), "d/a-00012-of-00012.GGUF");
  EXPECT_ERROR(InvalidInput, "a.gguf: is one of 2 parts of a model; expected the name ...-00001-of-00002.gguf",
               gguf_part("a.gguf", 1, 2));
}

TEST(GgufParts, AreOneFile) {
  const GgufFile whole(kPartsData + "gqa.gguf");
  for (const std::string name : {"gqa-00001-of-00003.gguf", "gqa-00003-of-00003.gguf"}) {
    const GgufFile cut(kPartsData + name);
    ASSERT_EQ(cut.count(), whole.count());
    for (int64_t index = 0; index < whole.count(); ++index) {
      const GgufTensor a = whole.tensor(index), b = cut.tensor(index);
      ASSERT_EQ(a.name, b.name);
      ASSERT_EQ(cut.find(a.name), index);
      ASSERT_EQ(a.shape, b.shape);
      std::string bytes_of_a(static_cast<size_t>(a.size_bytes), 0), bytes_of_b = bytes_of_a;
      a.file->read(a.offset_bytes, bytes_of_a.data(), a.size_bytes);
      b.file->read(b.offset_bytes, bytes_of_b.data(), b.size_bytes);
      EXPECT_EQ(bytes_of_a, bytes_of_b) << a.name;
    }
    EXPECT_EQ(cut.find("none"), -1);
  }
}

TEST(GgufParts, ThatAreMissingAreNamed) {
  const TemporaryDirectory directory;
  const std::string first = copy_of("gqa-00001-of-00003.gguf", directory, "m-00001-of-00003.gguf");
  copy_of("gqa-00002-of-00003.gguf", directory, "m-00002-of-00003.gguf");
  EXPECT_ERROR(InvalidInput,
               directory / "m-00003-of-00003.gguf: is missing; expected it beside " + first +
                   ", the first of the 3 parts of a model",
               GgufFile{first});
  const std::string third = copy_of("gqa-00003-of-00003.gguf", directory, "third");
  EXPECT_ERROR(InvalidInput,
               third + ": is part 3 of 3 of a model; expected the first, whose name ends in -00001-of-00003.gguf",
               GgufFile{third});
}

TEST(GgufParts, ThatDoNotBelongTogetherAreRefused) {
  const TemporaryDirectory directory;
  const std::string first = directory.write("a-00001-of-00002.gguf", part(0, 2, "x"));
  const auto with_second = [&](const std::string& bytes) {
    directory.write("a-00002-of-00002.gguf", bytes);
    return GgufFile(first).count();
  };
  EXPECT_EQ(with_second(part(1, 2, "y")), 2);
  EXPECT_ERROR(InvalidInput, "is not part 2 of 2 of a model; it does not belong to", with_second(part(0, 2, "y")));
  EXPECT_ERROR(InvalidInput, "is not part 2 of 2 of a model; it does not belong to", with_second(part(1, 3, "y")));
  EXPECT_ERROR(InvalidInput, "tensor x occurs twice, in ", with_second(part(1, 2, "x")));
  EXPECT_ERROR(InvalidInput, "is no GGUF file", with_second("x"));
  directory.write("a-00001-of-00002.gguf", part(0, 2, "x", 3));
  EXPECT_ERROR(InvalidInput, "split.tensors.count: expected 2, the tensors of all 2 parts, got 3",
               with_second(part(1, 2, "y")));
}

TEST(GgufParts, AFileIsKnownByItsFirstLetters) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(GgufFile::is_gguf(copy_of("gqa.gguf", directory, "sha256-0123")));
  EXPECT_TRUE(GgufFile::is_gguf(copy_of("gqa.gguf", directory, "a.GGUF")));
  EXPECT_TRUE(GgufFile::is_gguf("missing.gguf"));
  EXPECT_TRUE(GgufFile::is_gguf(directory.write("damaged.gguf", "x")));
  EXPECT_FALSE(GgufFile::is_gguf(directory.write("a.json", "{}")));
  EXPECT_FALSE(GgufFile::is_gguf("missing"));
  std::filesystem::create_directory(directory / "directory.gguf");
  EXPECT_FALSE(GgufFile::is_gguf(directory / "directory.gguf"));
}

// Names and words of the file that the user has, not of a directory.
TEST(GgufParts, MessagesSpeakOfTheFile) {
  const WeightFiles files(kPartsData + "gqa.gguf");
  EXPECT_ERROR(InvalidInput,
               "gqa.gguf: tensor blk.9.attn_q.weight is missing; the weights do not belong to the metadata",
               files.require("model.layers.9.self_attn.q_proj.weight", {1}));
  EXPECT_ERROR(InvalidInput, "gqa.gguf: tensor token_embd.weight has shape",
               files.require("model.embed_tokens.weight", {1}));
}

}  // namespace
}  // namespace headroom
