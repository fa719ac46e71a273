#include "headroom/formats/weights/safetensors.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <random>

#include "headroom/base/errors.h"
#include "tests/formats/heap_peak.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

// A file with this header text and `data_bytes` of data 0, 1, 2, ...
std::string make_file(const std::string& header, int64_t data_bytes) {
  std::string text;
  for (int shift = 0; shift < 64; shift += 8) text.push_back(static_cast<char>(uint64_t{header.size()} >> shift));
  text += header;
  for (int64_t index = 0; index < data_bytes; ++index) text.push_back(static_cast<char>(index));
  return text;
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape, int64_t begin,
                  int64_t end) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", name, dtype, shape, begin, end);
}

class SafetensorsTest : public testing::Test {
 protected:
  SafetensorsFile open(const std::string& text) { return SafetensorsFile(directory_.write("a.safetensors", text)); }
  SafetensorsFile open(const std::string& header, int64_t data_bytes) { return open(make_file(header, data_bytes)); }
  TemporaryDirectory directory_;
};

// Written by the Python package (tests/data/safetensors/make.py): value i of every tensor is i - 3, exact in each
// dtype.
TEST_F(SafetensorsTest, ReadsWhatThePythonPackageWrote) {
  const SafetensorsFile file(HEADROOM_SOURCE_DIR "/tests/data/safetensors/python.safetensors");
  ASSERT_EQ(file.count(), 7);
  for (const std::string name : {"f64", "f32", "f16", "bf16"}) {
    const StoredTensor tensor = file.tensor(file.find(name));
    EXPECT_EQ(tensor.shape, (Shape{3, 4}));
    for (const DType wanted : {DType::f32, DType::f64}) {
      std::vector<double> raw(12);
      file.read(tensor, 0, 12, wanted, raw.data());
      for (int64_t i = 0; i < 12; ++i) {
        const double value = wanted == DType::f64 ? raw[i] : double(reinterpret_cast<const float*>(raw.data())[i]);
        EXPECT_EQ(value, static_cast<double>(i - 3)) << name;
      }
    }
    float row[4];
    file.read(tensor, 4, 4, DType::f32, row);
    EXPECT_EQ(row[3], 4.0f);
  }
  EXPECT_EQ(file.tensor(file.find("scalar")).shape, Shape{});
  EXPECT_EQ(file.tensor(file.find("empty")).size_bytes, 0);
  int32_t integers[2];
  file.read(file.tensor(file.find("i32")), 0, 2, DType::i32, integers);
  EXPECT_EQ(integers[1], 1 << 20);
  EXPECT_EQ(file.find("none"), -1);
}

TEST_F(SafetensorsTest, RefusesHeadersThatLieAboutTheFile) {
  const std::string good = "{" + entry("a", "F32", "[2]", 0, 8) + "," + entry("b", "BF16", "[2,2]", 8, 16) + "}  ";
  EXPECT_EQ(open(good, 16).count(), 2);
  const std::string whole = make_file(good, 16);
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_THROW(open(whole.substr(0, size)), InvalidInput) << size;
  EXPECT_ERROR(InvalidInput, "the file is truncated; its header has", open(whole.substr(0, 20)));
  EXPECT_ERROR(InvalidInput, "the file has 17 bytes of data", open(good, 17));
  EXPECT_ERROR(InvalidInput, "tensor a", open("{" + entry("a", "F32", "[2]", 0, 4) + "}", 4));
  EXPECT_ERROR(InvalidInput, "neither overlap nor hole",
               open("{" + entry("a", "F32", "[2]", 0, 8) + "," + entry("b", "F32", "[2]", 4, 12) + "}", 12));
  EXPECT_ERROR(InvalidInput, "neither overlap nor hole",
               open("{" + entry("a", "F32", "[2]", 0, 8) + "," + entry("b", "F32", "[2]", 12, 20) + "}", 20));
  EXPECT_ERROR(InvalidInput, "neither overlap nor hole",
               open("{" + entry("a", "F32", "[2]", 0, 8) + "," + entry("b", "F32", "[2]", 0, 8) + "}", 8));
  EXPECT_ERROR(InvalidInput, "occurs twice",
               open("{" + entry("a", "F32", "[2]", 0, 8) + "," + entry("a", "F32", "[2]", 8, 16) + "}", 16));
  EXPECT_ERROR(InvalidInput, "absurd", open("{" + entry("a", "F32", "[4611686018427387904,4]", 0, 8) + "}", 8));
  EXPECT_ERROR(InvalidInput, "expected an integer from 0", open("{" + entry("a", "F32", "[-2]", 0, 8) + "}", 8));
  EXPECT_ERROR(InvalidInput, "unknown dtype Q4", open("{" + entry("a", "Q4", "[2]", 0, 8) + "}", 8));
  EXPECT_ERROR(InvalidInput, "more than 4 dimensions", open("{" + entry("a", "F32", "[1,1,1,1,2]", 0, 8) + "}", 8));
  EXPECT_ERROR(InvalidInput, "lacks dtype", open(R"({"a":{"dtype":"F32","shape":[2]}})", 8));
  EXPECT_ERROR(InvalidInput, "has dtype twice",
               open(R"({"a":{"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,8]}})", 8));
  EXPECT_ERROR(InvalidInput, "two numbers", open(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}})", 8));
  EXPECT_ERROR(InvalidInput, "something follows", open(good + "{}", 16));
  EXPECT_ERROR(InvalidInput, "a name or text is longer",
               open("{" + entry(std::string(100000, 'n'), "F32", "[2]", 0, 8) + "}", 8));
  EXPECT_ERROR(InvalidInput, "nested deeper", open(std::string(R"({"a":)") + std::string(100000, '[') + "}", 8));
  EXPECT_ERROR(InvalidInput, "announces a header of 18446744073709551615", open(std::string(64, '\xff')));
}

std::string notes(const std::string& more, const std::string& version = "1") {
  return R"("__metadata__":{"headroom.weights":")" + version + "\"" + more + "},";
}

TEST_F(SafetensorsTest, TakesTensorsForWhatItsNotesSay) {
  const std::string tensors = entry("a", "U8", "[4096]", 0, 4096) + "," + entry("b", "F32", "[2]", 4096, 4104) + "}";
  const SafetensorsFile file = open("{" + notes(R"(,"a":"int4_g32 [16, 64]")") + tensors, 4104);
  EXPECT_EQ(file.tensor(0).shape, (Shape{16, 64}));
  EXPECT_EQ(file.tensor(0).type_name, "int4_g32");
  EXPECT_EQ(file.tensor(0).size_bytes, 4096);
  EXPECT_FALSE(file.tensor(0).in_order);
  EXPECT_EQ(file.tensor(1).type_name, "F32");
  // Without the version, metadata mean nothing here; with it, in any order.
  EXPECT_EQ(open(R"({"__metadata__":{"a":"int4_g32 [16, 64]"},)" + tensors, 4104).tensor(0).type_name, "U8");
  const std::string behind =
      tensors.substr(0, tensors.size() - 1) + R"(,"__metadata__":{"a":"int4_g32 [16, 64]","headroom.weights":"1"}})";
  EXPECT_EQ(open("{" + behind, 4104).tensor(0).type_name, "int4_g32");

  const auto expect = [&](const std::string& more, const std::string& words) {
    EXPECT_ERROR(InvalidInput, words, open("{" + notes(more) + tensors, 4104));
  };
  expect(R"(,"c":"int4_g32 [16, 64]")", "speaks of tensor c, which is not there");
  expect(R"(,"b":"int4_g32 [16, 64]")", "tensor b: is F32 of shape [2]; expected U8 of one dimension");
  expect(R"(,"a":"int4_g32 [16, 64]","a":"int4_g32 [16, 64]")", "tensor a is noted twice");
  expect(R"(,"a":"int4_g32 [16, 6400]")", "tensor a: its 4096 bytes are not those of int4_g32 [16, 6400]");
  expect(R"(,"a":"q4 [16, 64]")", "tensor a: unknown weight format 'q4'");
  expect(R"(,"headroom.weights":"1")", "headroom.weights occurs twice");
  expect(",\"a\":\"" + std::string(200, 'x') + "\"", "a name or text is longer");
  EXPECT_ERROR(InvalidInput, "was written by a newer headroom", open("{" + notes("", "2") + tensors, 4104));
}

// Memory stays at the header's size: this header of 6 MB holds 100,000 of the shortest entries.
TEST_F(SafetensorsTest, OpensAHeaderOfManyTensorsQuickly) {
  std::string header = "{";
  for (int i = 0; i < 100000; ++i) header += (i > 0 ? "," : "") + entry(std::to_string(i), "U8", "[]", i, i + 1);
  const std::string path = directory_.write("a.safetensors", make_file(header + "}", 100000));
  [[maybe_unused]] const auto begin = std::chrono::steady_clock::now();
  const HeapPeak heap;
  const SafetensorsFile file(path);
  EXPECT_LE(heap.bytes(), static_cast<int64_t>(header.size()) + 64 * 1024);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which take their time
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
#endif
  EXPECT_EQ(file.tensor(file.find("77777")).offset_bytes, 8 + file.header_bytes() + 77777);
}

TEST_F(SafetensorsTest, OpensAHeaderOfManyNotesQuickly) {
  std::string header = "{" + notes("");
  header.resize(header.size() - 2);
  for (int i = 0; i < 20000; ++i) header += fmt::format(R"(,"{}":"int2_g32 [1, 32]")", i);
  header += "},";
  for (int64_t i = 0; i < 20000; ++i) {
    header += (i > 0 ? "," : "") + entry(std::to_string(i), "U8", "[4096]", 4096 * i, 4096 * (i + 1));
  }
  const std::string path = directory_.write("a.safetensors", make_file(header + "}", int64_t{4096} * 20000));
  const auto begin = std::chrono::steady_clock::now();
  const HeapPeak heap;
  const SafetensorsFile file(path);
  EXPECT_LE(heap.bytes(), static_cast<int64_t>(header.size()) + 64 * 1024);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_EQ(file.tensor(file.find("7777")).shape, (Shape{1, 32}));
}

// Edits of one or a few bytes, of numbers, and of whole stretches that are dropped, repeated or moved.
std::string mutate(std::string text, std::mt19937& random) {
  const auto place = [&] { return random() % (text.size() + 1); };
  switch (random() % 8) {
    case 0: text.insert(place(), 1, "{}[]\",:\\ \n"[random() % 10]); break;
    case 1:
      text.insert(place(), std::to_string(random() % 2 == 0 ? ~uint64_t{0} >> random() % 64 : random() % 100));
      break;
    case 2: text.insert(place(), std::string(1 + random() % 40, "[{0 \"-9"[random() % 7])); break;
    case 3: text.erase(place(), random() % 60); break;
    case 4: text.insert(place(), text.substr(place(), random() % 200)); break;
    case 5: std::swap(text[random() % text.size()], text[random() % text.size()]); break;
    case 6: text[random() % text.size()] = static_cast<char>(random()); break;
    default: {
      const size_t digit = text.find_first_of("0123456789", place());
      if (digit != std::string::npos) text[digit] = static_cast<char>('0' + random() % 10);
    }
  }
  return text.empty() ? " " : text;
}

// Whatever a damaged header says, it is refused or what it describes lies inside the file: quickly, and in the memory
// of the header and 64 KiB.
TEST_F(SafetensorsTest, SurvivesMutatedHeaders) {
  std::string good = R"({"__metadata__":{"format":"pt"})";
  for (int i = 0; i < 40; ++i) {
    good += "," + entry("model.layers." + std::to_string(i) + ".weight", i % 2 == 0 ? "F32" : "BF16", "[4,2]",
                        i / 2 * 48 + i % 2 * 32, i / 2 * 48 + i % 2 * 32 + (i % 2 == 0 ? 32 : 16));
  }
  ASSERT_EQ(open(good + "}   ", 960).count(), 40);
  std::mt19937 random(11);
  int refused = 0;
  const int rounds = 2000;
  for (int round = 0; round < rounds; ++round) {
    std::string header = good + "}   ";
    for (int edits = 1 + round % 3; edits > 0; --edits) header = mutate(header, random);
    std::string text = make_file(header, 960);
    if (round % 16 == 0) text[random() % 8] = static_cast<char>(random());  // the length, too
    const std::string path = directory_.write("a.safetensors", text);
    const auto begin = std::chrono::steady_clock::now();
    const HeapPeak heap;
    try {
      const SafetensorsFile file(path);
      std::vector<float> values(240);
      for (int64_t index = 0; index < file.count(); ++index) {
        const StoredTensor tensor = file.tensor(index);
        ASSERT_LE(tensor.offset_bytes + tensor.size_bytes, static_cast<int64_t>(text.size()));
        if (tensor.type == StoredType::f32 || tensor.type == StoredType::bf16) {
          file.read(tensor, 0, tensor.shape.elements(), DType::f32, values.data());
        }
      }
    } catch (const InvalidInput& error) {
      EXPECT_LT(std::string(error.what()).size(), 600u);
      ++refused;
    }
    ASSERT_LE(heap.bytes(), static_cast<int64_t>(header.size()) + 64 * 1024) << header;
    ASSERT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1)) << header;
  }
  EXPECT_GT(refused, rounds / 2);
  EXPECT_LT(refused, rounds);
}

TEST_F(SafetensorsTest, RefusesNansOnRequestNamingTheTensor) {
  std::string text = make_file("{" + entry("w", "F32", "[20000]", 0, 80000) + "}", 0);
  std::vector<float> values(20000, 1.0f);
  values[17000] = std::nanf("");
  text.append(reinterpret_cast<const char*>(values.data()), 80000);
  const SafetensorsFile file = open(text);
  const StoredTensor tensor = file.tensor(0);
  EXPECT_NO_THROW(file.read(tensor, 0, 20000, DType::f32, values.data()));
  for (const DType wanted : {DType::f32, DType::bf16}) {
    EXPECT_ERROR(InvalidInput, "tensor w holds a NaN at element 17000",
                 file.read(tensor, 0, 20000, wanted, values.data(), NanCheck::refuse));
  }
  EXPECT_NO_THROW(file.read(tensor, 0, 17000, DType::f32, values.data(), NanCheck::refuse));
}

TEST_F(SafetensorsTest, RefusesToReadWhatItCannotConvert) {
  const SafetensorsFile file = open("{" + entry("w", "I64", "[1]", 0, 8) + "}", 8);
  float value = 0;
  EXPECT_ERROR(InvalidInput, "tensor w is stored as I64", file.read(file.tensor(0), 0, 1, DType::f32, &value));
  EXPECT_ERROR(InternalError, "outside the tensor", file.read(file.tensor(0), 1, 1, DType::f32, &value));
}

}  // namespace
}  // namespace headroom
