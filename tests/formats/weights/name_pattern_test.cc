#include "headroom/formats/weights/name_pattern.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr const char* kLayer = "model.layers.1.self_attn.q_proj";

// Python's re is the oracle of these: re.fullmatch(pattern, name), re.match(rf"(.*\.)?({pattern})$", name).
TEST(NamePattern, MatchesAsPeftDoes) {
  EXPECT_TRUE(NamePattern("q_proj").matches(kLayer));
  EXPECT_TRUE(NamePattern("self_attn.q_proj").matches(kLayer));
  EXPECT_FALSE(NamePattern("proj").matches(kLayer));
  EXPECT_TRUE(NamePattern(kLayer).matches(kLayer));
  EXPECT_FALSE(NamePattern::whole("q_proj", "").matches(kLayer));
  EXPECT_TRUE(NamePattern::whole(R"(.*\.[13]\..*_proj)", "").matches(kLayer));
  EXPECT_FALSE(NamePattern::whole(R"(.*\.[13]\..*)", "").matches("model.layers.13.mlp"));
  EXPECT_TRUE(NamePattern::whole(R"((?P<list>model)\.layers\.\d+\.(?!mlp).*)", "").matches(kLayer));
  EXPECT_TRUE(NamePattern::ending("[qk]_proj", "").matches(kLayer));
  EXPECT_FALSE(NamePattern::ending("_pro.", "").matches(kLayer));
  EXPECT_TRUE(NamePattern::ending("a|q_proj", "").matches(kLayer));
  EXPECT_TRUE(NamePattern::ending("attn.q_pro.", "").matches("model.attn.q_proj"));
  EXPECT_FALSE(NamePattern::ending("attn.q_pro.", "").matches(kLayer));
  EXPECT_FALSE(NamePattern("q_pro.").matches(kLayer));
  EXPECT_TRUE(NamePattern::all().matches(kLayer));
}

TEST(NamePattern, RefusesWhatIsWrongOrTakesTooLong) {
  EXPECT_THROW(NamePattern::whole("(q", "here"), InvalidInput);
  EXPECT_THROW(NamePattern::whole(std::string(NamePattern::kMaxBytes + 1, 'a'), "here"), InvalidInput);
  EXPECT_THROW(NamePattern::whole("(a|aa)*(a|aa)*[^a]", "here").matches(std::string(60, 'a')), InvalidInput);
}

}  // namespace
}  // namespace headroom
