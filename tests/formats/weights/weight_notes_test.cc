#include "headroom/formats/weights/weight_notes.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

TEST(WeightNotes, SayFormatAndShape) {
  const GroupedFormat& format = *find_grouped(4, false, 128);
  EXPECT_EQ(weight_note(format, {5504, 2048}), "int4_g128 [5504, 2048]");
  const WeightNote note = read_weight_note("int4_g128 [5504, 2048]", format.bytes({5504, 2048}), "w");
  EXPECT_EQ(note.format, &format);
  EXPECT_EQ(note.shape, (Shape{5504, 2048}));
  const WeightNote row = read_weight_note("uint3_channel [96]", 4096, "w");
  EXPECT_EQ(row.format, find_grouped(3, true, 0));
  EXPECT_EQ(row.shape, Shape{96});
  EXPECT_EQ(read_weight_note("int2_g32 [1, 2, 3, 32]", 4096, "w").shape, (Shape{1, 2, 3, 32}));
}

TEST(WeightNotes, RefuseWhatIsNoneOrDoesNotFit) {
  const auto expect = [](const std::string& text, int64_t bytes, const std::string& words) {
    EXPECT_ERROR(InvalidInput, words, read_weight_note(text, bytes, "file: tensor w"));
  };
  for (const char* name : {"", "int5_g32", "nf4", "f32", "int4_g32\n"}) {
    expect(std::string(name) + " [16, 32]", 4096, "file: tensor w: unknown weight format");
  }
  for (const char* shape :
       {"", "[]", "[16,32]", "[16, 32", "[16, 32]]", "[16, 32] ", " [16, 32]", "[16, -32]", "[0, 32]", "[016, 32]",
        "[+1, 32]", "[16, 32, ]", "[1, 1, 1, 1, 32]", "[99999999999999999999, 32]", "["}) {
    expect(std::string("int4_g32 ") + shape, 4096, "expected 'int4_g32 [rows, columns]'");
  }
  expect("int4_g32 [16, 32]", 8192, "its 8192 bytes are not those of int4_g32 [16, 32]");
  expect("int4_g32 [4096, 4096]", 4096, "are not those of");
  expect("int2_channel [1, 4611686018427387904]", 4096, "are not those of");
  expect("int4_g32 [4611686018427387904, 4]", 4096, "absurd");
  expect("int4_g32 [16, 48]", 4096, "rows are whole groups");
}

TEST(WeightNotes, HaveAVersion) {
  EXPECT_NO_THROW(expect_weights_version("1", "file"));
  EXPECT_ERROR(InvalidInput,
               "file: was written by a newer headroom (weights of version 12; this one reads version 1); try that",
               expect_weights_version("12", "file"));
  for (const char* version : {"", "0", "-1", "1.5", "new", "2 "}) {
    EXPECT_ERROR(InvalidInput, "expected '1'", expect_weights_version(version, "file"));
  }
}

}  // namespace
}  // namespace headroom
