// How a file is read is decided by what it holds.
#include "headroom/data/data_file.h"

#include <gtest/gtest.h>

#include "headroom/data/records.h"
#include "tests/data_floor/collector.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

using Documents = std::vector<std::string>;

// printf '{"text": "a"}\n{"text": "b"}\n' | gzip -9n
constexpr std::string_view kPacked(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x2a\x49\xad\x28\x51\xb2\x52\x50\x4a\x54\xaa\xe5\xaa\x86\xf3\x92"
    "\x80\x3c\x00\x3d\xbd\xe6\x10\x1c\x00\x00\x00",
    39);

class DataFileTest : public testing::Test {
 protected:
  Documents documents(const std::string& name, std::string_view content) {
    Collector collector;
    read_documents(directory_.write(name, std::string(content)), collector);
    return collector.documents;
  }
  TemporaryDirectory directory_;
};

TEST_F(DataFileTest, JsonLinesAreReadAsSuchWhateverTheFileIsCalled) {
  const std::string lines = "{\"text\": \"a\"}\n{\"text\": \"b\"}\n";
  for (const char* name : {"a.jsonl", "a.JSONL", "a.jsonlines", "a.ndjson", "a.jsonl.txt", "a.txt", "a", "a.csv"}) {
    EXPECT_EQ(documents(name, lines), (Documents{"a", "b"})) << name;
    EXPECT_EQ(documents(name, "\xef\xbb\xbf \n" + lines), (Documents{"a", "b"})) << name;
  }
  EXPECT_EQ(documents("a.txt", "{\n  \"text\": \"a\"\n}\n{\n  \"text\": \"b\"\n}"), (Documents{"a", "b"}));
}

TEST_F(DataFileTest, AListOfObjectsIsTheSame) {
  for (const char* name : {"a.json", "a.txt", "a.jsonl"}) {
    EXPECT_EQ(documents(name, "[{\"text\": \"a\"},\n {\"text\": \"b\"}]\n"), (Documents{"a", "b"})) << name;
  }
  EXPECT_TRUE(documents("a.json", "[]").empty());
  EXPECT_ERROR(InvalidInput, "something follows the end", documents("a.json", "[{\"text\": \"a\"}] {}"));
  EXPECT_ERROR(InvalidInput, "a.json: expected an object (line 1", documents("a.json", "[\"a\"]"));
  EXPECT_ERROR(InvalidInput, "not the JSON that belongs here", documents("a.json", "[{\"text\": \"a\"} {}]"));
}

TEST_F(DataFileTest, ProseIsOneTextEvenIfItBeginsWithABracket) {
  for (const char* text : {"{ what: now }", "{\"Hello\", she said}", "[1] A note", "[Music]", "text, and more\nb\n",
                           "text\nmore", "the prompt,completion\n"}) {
    EXPECT_EQ(documents("a.txt", text), Documents{std::string(text) + "..."});
  }
  EXPECT_ERROR(InvalidInput, "not valid JSON", documents("a.jsonl", "Once upon a time"));
}

TEST_F(DataFileTest, ATableHasADocumentInEachLine) {
  for (const char* name : {"a.csv", "a.CSV", "a.txt", "a"}) {
    EXPECT_EQ(documents(name, "id,text\r\n1,a\r\n2,\"b, \"\"c\"\"\nd\"\r\n\r\n3,"), (Documents{"a", "b, \"c\"\nd"}))
        << name;
  }
  EXPECT_EQ(documents("a.tsv", "prompt\tcompletion\na\tb"), Documents{"a>b"});
  EXPECT_EQ(documents("a.csv", "completion;prompt\nb;\n"), Documents{">b"});
  EXPECT_EQ(documents("a.csv", "text\na\n"), Documents{"a"});
  EXPECT_EQ(documents("a.csv", "prompt,completion,weight\na,b,0\nc,d,\n"), (Documents{"-", "c>d"}));
  const std::string long_text(100'000, 'x');
  EXPECT_EQ(documents("a.csv", "text\n" + long_text), Documents{long_text});
}

TEST_F(DataFileTest, RefusesWhatIsNoTable) {
  const auto refused = [&](const std::string& text, const std::string& words) {
    EXPECT_ERROR(InvalidInput, words, documents("a.csv", text));
  };
  refused("a,b\n1,2", "no field that says what to learn but \"a\", \"b\"");
  refused("id,text\n1\n", "a line of 1 cells; expected 2, as many as there are names (line ");
  refused("id,text\n1,a,b\n", "a line of more than 2 cells");
  refused("id,text\n1,\"a\n", "ends inside the quotes of a cell that begins in line 2");
  refused("id,text\n1,\"a\"b\n", "something follows the end of a cell in quotes");
  refused("text,text\n1,a\n", "two columns have the name \"text\"");
  refused("id,text\n1,\xff\n", "not valid UTF-8");
}

TEST_F(DataFileTest, PackedFilesAreUnpackedAsTheyAreRead) {
  for (const char* name : {"a.jsonl.gz", "a.gz", "a.txt"}) {
    EXPECT_EQ(documents(name, kPacked), (Documents{"a", "b"})) << name;
    EXPECT_EQ(documents(name, std::string(kPacked) + std::string(kPacked)), (Documents{"a", "b", "a", "b"})) << name;
  }
  EXPECT_EQ(documents("a.gz", std::string(kPacked) + std::string(3, '\0')), (Documents{"a", "b"}));
  EXPECT_ERROR(InvalidInput, "a.gz: the gzip data end in the middle", documents("a.gz", kPacked.substr(0, 30)));
  EXPECT_ERROR(InvalidInput, "no gzip follows the packed data", documents("a.gz", std::string(kPacked) + "more"));
  std::string damaged(kPacked);
  damaged[damaged.size() - 6] ^= 1;
  EXPECT_ERROR(InvalidInput, "the gzip data are damaged", documents("a.gz", damaged));
}

TEST_F(DataFileTest, SaysHowToConvertWhatIsNotRead) {
  const auto refused = [&](std::string_view content, const std::string& words) {
    EXPECT_ERROR(InvalidInput, words, DataFile(directory_.write("a.data", std::string(content))));
  };
  refused("PAR1....", "is a Parquet file; expected text, JSON or a table; try python3 -c \"import pandas");
  refused("\x28\xb5\x2f\xfd....", "is packed with zstd");
  refused(
      "\xfd"
      "7zXZ....",
      "is packed with xz");
  refused("BZh91AY", "is packed with bzip2");
  refused(std::string("\xff\xff\xff\xff\x10\0", 6), "is an Arrow stream; expected text, JSON or a table; try python3");
  refused("PK\x03\x04", "is a zip archive");
  refused("%PDF-1.4", "is a PDF");
  refused(std::string("\xff\xfe{\0", 4), "is UTF-16; expected text, JSON or a table; try iconv -f UTF-16");
  refused(std::string(257, 'a') + "ustar", "is a tar archive");
}

TEST_F(DataFileTest, RefusesMissingFilesAndFolders) {
  const std::string sound = directory_.write("a.txt", "a");
  const std::vector<std::string> missing = {sound, directory_ / "none.txt"};
  const std::vector<std::string> folder = {sound, directory_.path()};
  EXPECT_ERROR(InvalidInput, "none.txt", check_data_files(missing));
  EXPECT_ERROR(InvalidInput, "is a directory", check_data_files(folder));
}

}  // namespace
}  // namespace headroom
