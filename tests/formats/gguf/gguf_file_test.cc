#include "headroom/formats/gguf/gguf_file.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <bit>
#include <chrono>
#include <random>

#include "headroom/base/errors.h"
#include "tests/formats/gguf_bytes.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

using namespace gguf_bytes;

const std::string kGgufData = HEADROOM_SOURCE_DIR "/tests/data/gguf/";

size_t allocated_bytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

class GgufFileTest : public testing::Test {
 protected:
  GgufFile open(const std::string& bytes) { return GgufFile(directory_.write("a.gguf", bytes)); }
  // With one key and no tensors.
  GgufFile open_key(const std::string& entry) { return open(head(0, 1) + entry); }
  // With one tensor and `data_bytes` of data.
  GgufFile open_tensor(const std::string& entry, size_t data_bytes = 4096) {
    return open(pad(head(1, 0) + entry) + std::string(data_bytes, 'd'));
  }
  TemporaryDirectory directory_;
};

// Written by the Python package (tests/data/gguf/make.py).
TEST_F(GgufFileTest, ReadsWhatThePythonPackageWrote) {
  const GgufFile file(kGgufData + "values.gguf");
  for (const std::string bits : {"8", "16", "32", "64"}) {
    EXPECT_EQ(file.integer("u" + bits, 0, 255), 200);
    EXPECT_EQ(file.integer("i" + bits, -128, 127), -100);
  }
  EXPECT_EQ(static_cast<float>(file.real("f32", 0, 1)), 1e-6f);
  EXPECT_EQ(file.real("f64", 0, 1), 0.1);
  EXPECT_TRUE(file.boolean("bool"));
  EXPECT_EQ(file.text("text"), "caf\xC3\xA9");
  EXPECT_EQ(file.text("general.architecture"), "test");
  std::vector<std::string> texts;
  for (GgufArray values(file, "texts", true); values.next();) texts.emplace_back(values.text());
  EXPECT_EQ(texts, (std::vector<std::string>{"a", "", "ccc"}));
  std::vector<double> numbers;
  for (const char* name : {"numbers", "reals"}) {
    for (GgufArray values(file, name, false); values.next();) numbers.push_back(values.number());
  }
  EXPECT_EQ(numbers, (std::vector<double>{3, -4, 5, 0.5, -2}));
  EXPECT_EQ(file.length("texts"), 3);
  EXPECT_TRUE(file.is_array("texts"));

  ASSERT_EQ(file.count(), 7);
  const GgufTensor f32 = file.tensor(file.find("f32"));
  EXPECT_EQ(f32.shape, (Shape{2, 3}));
  EXPECT_EQ(f32.type->name, "F32");
  EXPECT_EQ(f32.offset_bytes % 32, 0);
  float values[6];
  file.file().read(f32.offset_bytes, values, sizeof values);
  EXPECT_EQ(values[5], 2.0f);
  EXPECT_EQ(file.tensor(file.find("q8_0")).size_bytes, 4 * 3 * 34);
  EXPECT_EQ(file.tensor(file.find("tq1_0")).type->name, "TQ1_0");
  EXPECT_EQ(file.find("none"), -1);
}

TEST_F(GgufFileTest, SaysWhatIsWrongWithAValue) {
  const GgufFile file(kGgufData + "values.gguf");
  EXPECT_ERROR(InvalidInput, "values.gguf: u8: expected an integer from 0 to 100, got 200", file.integer("u8", 0, 100));
  EXPECT_ERROR(InvalidInput, "none: is missing; expected an integer from 0 to 1", file.integer("none", 0, 1));
  EXPECT_ERROR(InvalidInput, "bool: expected an integer from 0 to 1, got true", file.integer("bool", 0, 1));
  EXPECT_ERROR(InvalidInput, "f64: expected a number from 1 to 2, got 0.1", file.real("f64", 1, 2));
  EXPECT_ERROR(InvalidInput, "texts: expected a number from 1 to 2, got an array of 3 text", file.real("texts", 1, 2));
  EXPECT_ERROR(InvalidInput, "u8: expected true or false, got 200", file.boolean("u8"));
  EXPECT_ERROR(InvalidInput, "i64: expected a text, got -100", file.text("i64"));
  EXPECT_ERROR(InvalidInput, "text: expected an array of texts, got \"caf", GgufArray(file, "text", true));
  EXPECT_ERROR(InvalidInput, "texts: expected an array of numbers", GgufArray(file, "texts", false));
  EXPECT_EQ(file.integer_or("none", 7, 0, 9), 7);
  EXPECT_EQ(file.text_or("none", "t"), "t");
  const GgufFile big = open_key(key("n", GgufValueType::u64, bytes_of(UINT64_MAX)));
  EXPECT_ERROR(InvalidInput, "n: expected an integer from 0 to 9, got", big.integer("n", 0, 9));
  const GgufFile nan = open_key(key("n", GgufValueType::f32, bytes_of(std::bit_cast<float>(0x7fc00000u))));
  EXPECT_ERROR(InvalidInput, "n: expected a number from 0 to 9, got nan", nan.real("n", 0, 9));
  const std::string long_text(GgufFile::kMaxTextBytes + 1, 'x');
  EXPECT_ERROR(InvalidInput, "n: has 262,145 bytes; expected a text of at most 262,144",
               open_key(key("n", GgufValueType::text, text(long_text))).text("n"));
  const GgufFile piece = open_key(key("n", GgufValueType::array, array(GgufValueType::text, 1, text(long_text))));
  GgufArray pieces(piece, "n", true);
  EXPECT_ERROR(InvalidInput, "n: element 0 has 262,145 bytes; expected at most 65,535", pieces.next());
}

TEST_F(GgufFileTest, RefusesOtherFiles) {
  EXPECT_ERROR(InvalidInput, "is no GGUF file", open(""));
  EXPECT_ERROR(InvalidInput, "is no GGUF file", open(std::string(100, 'x')));
  EXPECT_ERROR(InvalidInput, "GGUF version 1 is not supported; expected 2 or 3", open(head(0, 0, 1)));
  EXPECT_ERROR(InvalidInput, "GGUF version 3, big-endian, is not supported", open(head(0, 0, 3u << 24)));
  EXPECT_ERROR(InvalidInput, "announces 18446744073709551615 tensors", open(head(UINT64_MAX, 0)));
  EXPECT_ERROR(InvalidInput, "and 1025 keys; expected at most 65,536 and 1,024", open(head(0, 1025)));
  EXPECT_EQ(open(head(0, 0, 2)).count(), 0);
}

TEST_F(GgufFileTest, RefusesMetadataThatLie) {
  const std::string one = key("a", GgufValueType::u8, "1");
  EXPECT_EQ(open_key(one).integer("a", 0, 255), '1');
  for (size_t size = 0; size < head(0, 1).size() + one.size(); ++size) {
    EXPECT_THROW(open((head(0, 1) + one).substr(0, size)), InvalidInput) << size;
  }
  EXPECT_ERROR(InvalidInput, "the file is truncated or damaged; at byte 24 expected 8 more bytes, got 0",
               open(head(0, 1)));
  EXPECT_ERROR(InvalidInput, "the key a occurs twice", open(head(0, 2) + one + one));
  EXPECT_ERROR(InvalidInput, "key 0 has a name of 0 bytes", open_key(key("", GgufValueType::u8, "1")));
  EXPECT_ERROR(InvalidInput, "has a name of 2000 bytes; expected 1 to 1,024",
               open_key(key(std::string(2000, 'k'), GgufValueType::u8, "1")));
  EXPECT_ERROR(InvalidInput, "a: has the unknown value type 13",
               open_key(key("a", static_cast<GgufValueType>(13), "1234")));
  EXPECT_ERROR(InvalidInput, "a: a text of 18446744073709551615 bytes",
               open_key(key("a", GgufValueType::text, bytes_of(UINT64_MAX))));
  EXPECT_ERROR(InvalidInput, "truncated", open_key(key("a", GgufValueType::text, bytes_of(uint64_t{5}) + "1234")));
  EXPECT_ERROR(InvalidInput, "a: an array of arrays",
               open_key(key("a", GgufValueType::array, array(GgufValueType::array, 1, "12345678"))));
  EXPECT_ERROR(InvalidInput, "a: an array of 4611686018427387904 elements",
               open_key(key("a", GgufValueType::array, array(GgufValueType::u64, uint64_t{1} << 62, "12345678"))));
  EXPECT_ERROR(InvalidInput, "truncated",
               open_key(key("a", GgufValueType::array, array(GgufValueType::u64, 2, "12345678"))));
  for (const uint32_t alignment : {0u, 3u, 48u, 1u << 21}) {
    EXPECT_ERROR(InvalidInput, "general.alignment: expected",
                 open_key(key("general.alignment", GgufValueType::u32, bytes_of(alignment))));
  }
  EXPECT_EQ(open_key(key("general.alignment", GgufValueType::u32, bytes_of(64u))).alignment_bytes(), 64);
}

TEST_F(GgufFileTest, RefusesTensorsThatLie) {
  EXPECT_EQ(open_tensor(tensor("a", {64, 2}, kGgmlF32, 0)).tensor(0).shape, (Shape{2, 64}));
  EXPECT_EQ(open_tensor(tensor("a", {}, kGgmlF32, 0)).tensor(0).size_bytes, 4);
  EXPECT_ERROR(InvalidInput, "tensor 0 has a name of 65 bytes; expected 1 to 64",
               open_tensor(tensor(std::string(65, 'n'), {1}, kGgmlF32, 0)));
  EXPECT_ERROR(InvalidInput, "tensor a has 5 dimensions; expected at most 4",
               open_tensor(tensor("a", {1, 1, 1, 1, 1}, kGgmlF32, 0)));
  EXPECT_ERROR(InvalidInput, "tensor a has a dimension of 0", open_tensor(tensor("a", {4, 0}, kGgmlF32, 0)));
  EXPECT_ERROR(InvalidInput, "tensor a: ", open_tensor(tensor("a", {uint64_t{1} << 62, 32}, kGgmlF32, 0)));
  EXPECT_ERROR(InvalidInput, "tensor a has the unknown type 5", open_tensor(tensor("a", {4}, 5, 0)));
  EXPECT_ERROR(InvalidInput, "tensor a has rows of 48 elements; expected a multiple of 32, the block of Q8_0",
               open_tensor(tensor("a", {48, 2}, kGgmlQ8_0, 0)));
  EXPECT_ERROR(InvalidInput, "rows of 1 elements", open_tensor(tensor("a", {}, kGgmlQ8_0, 0)));
  EXPECT_ERROR(InvalidInput, "tensor a begins at byte 16 of the data; expected a multiple of the alignment 32",
               open_tensor(tensor("a", {4}, kGgmlF32, 16)));
  EXPECT_ERROR(InvalidInput, "tensor a ends at byte 64 of the data, which has 63; the file is truncated",
               open_tensor(tensor("a", {16}, kGgmlF32, 0), 63));
  EXPECT_ERROR(InvalidInput, "which has 0", open(head(1, 0) + tensor("a", {16}, kGgmlF32, 0)));
  EXPECT_ERROR(InvalidInput, "a.gguf: ", open_tensor(tensor("a", {16}, kGgmlF32, uint64_t{INT64_MAX} / 32 * 32)));
  const auto two = [&](const std::string& name, uint64_t offset) {
    return open(pad(head(2, 0) + tensor("a", {16}, kGgmlF32, 0) + tensor(name, {16}, kGgmlF32, offset)) +
                std::string(4096, 'd'));
  };
  EXPECT_EQ(two("b", 64).count(), 2);
  EXPECT_ERROR(InvalidInput, "tensor b begins at byte 32 of the data, inside the one before, which ends at 64",
               two("b", 32));
  EXPECT_ERROR(InvalidInput, "tensor a occurs twice", two("a", 64));
}

// Memory stays at the size of the tables in the file.
TEST_F(GgufFileTest, OpensManyTensorsQuickly) {
  std::string bytes = head(GgufFile::kMaxTensors, 1) +
                      key("n", GgufValueType::array, array(GgufValueType::f32, 1 << 20, std::string(4 << 20, '0')));
  const size_t table_begin = bytes.size();
  for (uint64_t i = 0; i < GgufFile::kMaxTensors; ++i) bytes += tensor(std::to_string(i), {1}, kGgmlF32, 32 * i);
  const size_t table_bytes = bytes.size() - table_begin;
  const std::string path = directory_.write("a.gguf", pad(bytes) + std::string(32 * GgufFile::kMaxTensors, 'd'));
  [[maybe_unused]] const auto begin = std::chrono::steady_clock::now();
  const size_t before = allocated_bytes();
  const GgufFile file(path);
  EXPECT_LE(allocated_bytes() - before, table_bytes + 64 * 1024);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which take their time
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
#endif
  EXPECT_GE(file.find("7777"), 0);
}

// Whatever a damaged file says, it is refused or what it describes lies inside the file.
TEST_F(GgufFileTest, SurvivesMutations) {
  for (const std::string name : {"values.gguf", "vocab-llama.gguf", "gqa.gguf"}) {
    std::ostringstream content;
    content << std::ifstream(kGgufData + name, std::ios::binary).rdbuf();
    const std::string whole = content.str();
    const size_t header_bytes = std::min<size_t>(whole.size(), 3000);
    std::mt19937 random(11);
    int refused = 0;
    for (int round = 0; round < 400; ++round) {
      std::string bytes = whole;
      for (uint32_t edits = 1 + round % 3; edits > 0; --edits) {
        const size_t at = random() % header_bytes;
        switch (random() % 4) {
          case 0: bytes[at] = static_cast<char>(random()); break;
          case 1: bytes[at] = static_cast<char>(bytes[at] ^ 1 << random() % 8); break;
          case 2: std::swap(bytes[at], bytes[random() % header_bytes]); break;
          default: bytes.replace(at, 8, bytes_of(uint64_t{random()} << random() % 32));
        }
      }
      const auto begin = std::chrono::steady_clock::now();
      const size_t before = allocated_bytes();
      try {
        const GgufFile file = open(bytes);
        EXPECT_LE(allocated_bytes() - before, bytes.size() + 64 * 1024);
        for (int64_t i = 0; i < file.count(); ++i) {
          const GgufTensor found = file.tensor(i);
          ASSERT_LE(found.offset_bytes + found.size_bytes, static_cast<int64_t>(bytes.size()));
        }
        for (const std::string_view name_of_key : file.keys()) {
          try {
            for (GgufArray values(file, name_of_key, true); values.next();) ASSERT_LE(values.text().size(), 65535u);
          } catch (const InvalidInput&) {
          }
        }
      } catch (const InvalidInput& error) {
        EXPECT_LT(std::string(error.what()).size(), 600u);
        ++refused;
      }
      EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
    }
    EXPECT_GT(refused, 50) << name;
  }
}

}  // namespace
}  // namespace headroom
