#include "headroom/data/label_files.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "headroom/data/marked_token.h"
#include "tests/temporary_directory.h"
#include "tests/train/letter_encoder.h"

namespace headroom {
namespace {

class LabelFilesTest : public testing::Test {
 protected:
  TokenFileInfo label(const std::string& lines) {
    const std::string path = directory_.write("data.jsonl", lines);
    return label_files(std::vector<std::string>{path}, encoder_, settings_, directory_ / "out.tokens");
  }
  std::vector<int32_t> tokens() const {
    const TokenFile file(directory_ / "out.tokens");
    std::vector<int32_t> all(static_cast<size_t>(file.info().tokens));
    file.read(0, file.info().tokens, all.data());
    return all;
  }

  TemporaryDirectory directory_;
  LetterEncoder encoder_;
  LabelSettings settings_{.names = {"good", "bad"}, .padding = 'x', .max_tokens = 4};
};

int32_t given(char letter, bool begins = false) { return mark_token(letter, false, begins); }
int32_t label_of(int32_t number) { return mark_token(number, true, false); }

TEST_F(LabelFilesTest, EachTextIsARowWithItsLabelBehindIt) {
  const TokenFileInfo info = label(R"({"text": "ab", "label": 1} {"id": [3], "label": "good", "text": "abcdef"})");
  EXPECT_EQ(tokens(), (std::vector<int32_t>{given('a', true), given('b'), label_of(1), kPadding, kPadding,
                                            given('a', true), given('b'), given('c'), given('d'), label_of(0)}));
  EXPECT_EQ(info.documents, 2);
  EXPECT_EQ(info.row_length, 5);
  EXPECT_EQ(info.truncated, 1);
  EXPECT_EQ(info.truncated_tokens, 2);
  EXPECT_EQ(info.padding, 2);
}

TEST_F(LabelFilesTest, PaddingBehindATextIsLeftOut) {
  label(R"({"text": "axxb", "label": 0} {"text": "axx", "label": 0} {"text": "xxx", "label": 1})");
  EXPECT_EQ(tokens(), (std::vector<int32_t>{given('a', true), given('x'), given('x'), given('b'), label_of(0),  //
                                            given('a', true), label_of(0), kPadding, kPadding, kPadding,        //
                                            given('x', true), label_of(1), kPadding, kPadding, kPadding}));
}

TEST_F(LabelFilesTest, ATextThatIsNotToBeLearnedIsRefused) {
  EXPECT_EQ(label(R"({"text": "ab", "label": 1, "weight": 1})").documents, 1);
  EXPECT_ERROR(InvalidInput, "not to be learned", label(R"({"text": "ab", "label": 1, "weight": 0})"));
  EXPECT_ERROR(InvalidInput, "a \"weight\" of 0.5", label(R"({"text": "ab", "label": 1, "weight": 0.5})"));
}

TEST_F(LabelFilesTest, IsMadeAgainWhenTheLabelsAreOthers) {
  const std::string line = R"({"text": "ab", "label": 1})";
  label(line);
  const int64_t documents = encoder_.documents;
  label(line);
  EXPECT_EQ(encoder_.documents, documents);
  settings_.names = {"good", "ugly"};
  label(line);
  EXPECT_GT(encoder_.documents, documents);
}

TEST_F(LabelFilesTest, RefusesWhatHasNoLabel) {
  for (const char* line : {R"({"text": "a"})", R"({"label": 0})", R"({"text": "a", "label": 2})",
                           R"({"text": "a", "label": "so"})", R"({"text": "", "label": 0})", "[]", ""}) {
    EXPECT_THROW(label(line), InvalidInput) << line;
  }
  const std::string text = directory_.write("data.txt", "a text");
  EXPECT_THROW(label_files(std::vector<std::string>{text}, encoder_, settings_, directory_ / "o"), InvalidInput);
}

}  // namespace
}  // namespace headroom
