#include "headroom/generate/token_log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/temporary_directory.h"

namespace headroom {
namespace {

TEST(TokenLog, GivesBackIdsTextsAndTheBitsOfNumbers) {
  const TemporaryDirectory directory;
  const std::vector<int32_t> prompt = {1, 22};
  TokenLog log(directory / "log.json", prompt);
  const float numbers[] = {-0.1f, -1.23456789f, -3e-9f, 0.0f};
  for (const float number : numbers) log.add(7, "a \"quote\"\n\xc3\xa9", number);
  EXPECT_EQ(directory.read("log.json"), "");  // nothing under the name before it is whole
  log.finish();
  const auto json = nlohmann::json::parse(directory.read("log.json"));
  EXPECT_EQ(json.at("prompt_ids"), (nlohmann::json{1, 22}));
  ASSERT_EQ(json.at("tokens").size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(json["tokens"][i].at("logprob").get<float>(), numbers[i]);
    EXPECT_EQ(json["tokens"][i].at("text"), "a \"quote\"\n\xc3\xa9");
    EXPECT_EQ(json["tokens"][i].at("id"), 7);
  }
}

TEST(TokenLog, IsNotThereWithoutAnEnd) {
  const TemporaryDirectory directory;
  { TokenLog(directory / "log.json", {}).add(1, "a", -1); }
  EXPECT_EQ(directory.count_entries(), 0);
}

}  // namespace
}  // namespace headroom
