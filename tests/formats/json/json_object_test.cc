#include "headroom/formats/json/json_object.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

class JsonObjectTest : public testing::Test {
 protected:
  JsonObject object(const std::string& text) { return JsonObject::read(directory_.write("config.json", text)); }
  TemporaryDirectory directory_;
};

TEST_F(JsonObjectTest, ReadsTypedMembers) {
  const JsonObject config = object(R"({"hidden_size": 64, "eps": 1e-6, "tied": true, "type": "llama", "ids": [1, 2],
                                       "names": ["a"], "head_dim": null, "rope": {"factor": 4}})");
  EXPECT_EQ(config.integer("hidden_size", 1, 100), 64);
  EXPECT_EQ(config.real("eps", 0, 1), 1e-6);
  EXPECT_EQ(config.real("hidden_size", 0, 100), 64);
  EXPECT_TRUE(config.boolean("tied"));
  EXPECT_EQ(config.text("type"), "llama");
  EXPECT_EQ(config.integers("ids", 0, 9), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(config.texts("names"), (std::vector<std::string>{"a"}));
  EXPECT_FALSE(config.has("head_dim"));
  EXPECT_EQ(config.integer_or("head_dim", 7, 1, 9), 7);
  EXPECT_EQ(config.integer_or("hidden_size", 7, 1, 99), 64);
  EXPECT_EQ(config.object("rope").real("factor", 1, 9), 4);
  EXPECT_FALSE(config.object_if("none").has_value());
  EXPECT_TRUE(config.is_array("ids"));
  EXPECT_TRUE(config.is_text("type"));
}

TEST_F(JsonObjectTest, ErrorsNameFileFieldAndRange) {
  const JsonObject config =
      object(R"({"n": -1, "x": "y", "big": 18446744073709551615, "f": 1.5, "rope": {"factor": "four"}})");
  EXPECT_ERROR(InvalidInput, "config.json: n: expected an integer from 1 to 100, got -1", config.integer("n", 1, 100));
  EXPECT_ERROR(InvalidInput, "config.json: x: expected an integer from 1 to 100, got \"y\"",
               config.integer("x", 1, 100));
  EXPECT_ERROR(InvalidInput, "got 18446744073709551615", config.integer("big", 0, INT64_MAX));
  EXPECT_ERROR(InvalidInput, "got 1.5", config.integer("f", 0, 9));
  EXPECT_ERROR(InvalidInput, "config.json: none: is missing; expected a number", config.real("none", 0, 1));
  EXPECT_ERROR(InvalidInput, "config.json: rope.factor: expected a number from 1 to 10, got \"four\"",
               config.object("rope").real("factor", 1, 10));
  EXPECT_ERROR(InvalidInput, "expected true or false", config.boolean("n"));
  EXPECT_ERROR(InvalidInput, "expected an object", config.object("n"));
  EXPECT_ERROR(InvalidInput, "expected an array", config.texts("n"));
}

TEST_F(JsonObjectTest, TellsWhatNobodyAskedFor) {
  const JsonObject config = object(R"({"b": 1, "a": 2, "gone": null, "c": 3})");
  EXPECT_EQ(config.keys(), (std::vector<std::string>{"b", "a", "c"}));
  (void)config.integer("a", 0, 9);
  EXPECT_EQ(config.unread(), (std::vector<std::string>{"b", "c"}));
}

TEST_F(JsonObjectTest, RefusesWhatIsNoSmallJsonObject) {
  EXPECT_ERROR(InvalidInput, "is empty", object(" \n"));
  EXPECT_ERROR(InvalidInput, "expected a JSON object", object("[1]"));
  EXPECT_ERROR(InvalidInput, "line 2", object("{\n\"a\": }"));
  EXPECT_ERROR(InvalidInput, "the member a occurs twice", object(R"({"x": {"a": 1}, "a": 1, "a": 2})"));
  EXPECT_ERROR(InvalidInput, "at most 262,144", object("{\"a\": \"" + std::string(300000, 'x') + "\"}"));
  EXPECT_ERROR(InvalidInput, "nested deeper",
               object("{\"a\": " + std::string(1000, '[') + std::string(1000, ']') + "}"));
  EXPECT_ERROR(InvalidInput, "No such file", JsonObject::read(directory_ / "none.json"));
}

// Python's json writes them, into fields that nobody reads.
TEST_F(JsonObjectTest, PassesOverNumbersThatAreNoneUntilTheyAreAskedFor) {
  const JsonObject config = object(R"({"a": NaN, "b": [Infinity, {"c": -Infinity}], "d": 1e999, "e": -1e999, "f": 7})");
  EXPECT_EQ(config.integer("f", 0, 9), 7);
  EXPECT_ERROR(InvalidInput, "a: expected a number from 0 to 1, got NaN", config.real("a", 0, 1));
  EXPECT_ERROR(InvalidInput, "a: expected an integer from 0 to 1, got NaN", config.integer("a", 0, 1));
  EXPECT_ERROR(InvalidInput, "d: expected a number from 0 to 1, got Infinity", config.real("d", 0, 1));
  EXPECT_ERROR(InvalidInput, "e: expected a number from 0 to 1, got -Infinity", config.real("e", 0, 1));
  for (const char* text : {"Nan", "nan", "-NaN", "Infinit", "+Infinity", "inf", "NaNs", "--Infinity"}) {
    EXPECT_ERROR(InvalidInput, "line 1", object(fmt::format("{{\"a\": {}}}", text)));
  }
}

TEST_F(JsonObjectTest, RemembersWhatIsPassedOver) {
  const JsonObject refusing = object(R"({"a": 1, "b": {"c": {"d": 2}}})");
  EXPECT_FALSE(refusing.ignores_unknown());
  const JsonObject config = refusing.ignoring_unknown().with("e", 3);
  const JsonObject inner = config.object("b").object("c");
  EXPECT_TRUE(inner.ignores_unknown());
  inner.pass_over("d");
  for (int i = 0; i < 2; ++i) config.pass_over("a");
  EXPECT_EQ(config.passed_over(), (std::vector<std::string>{"b.c.d", "a"}));
  EXPECT_TRUE(config.with("e", nullptr).passed_over().empty());
}

TEST_F(JsonObjectTest, FindsTheConfigOfADirectoryAndOfAFile) {
  const std::string path = directory_.write("config.json", R"({"a": 1})");
  EXPECT_EQ(read_config(directory_.path()).integer("a", 0, 9), 1);
  EXPECT_EQ(read_config(path).integer("a", 0, 9), 1);
}

TEST_F(JsonObjectTest, WritesWhatItReads) {
  write_json(directory_ / "out.json", {{"z", 1}, {"a", {{"b", 0.1}}}, {"path", "\xff.txt"}});
  const JsonObject back = JsonObject::read(directory_ / "out.json");
  EXPECT_EQ(back.keys(), (std::vector<std::string>{"z", "a", "path"}));
  EXPECT_EQ(back.text("path"), "\xef\xbf\xbd.txt");
  EXPECT_EQ(back.object("a").real("b", 0, 1), 0.1);
}

}  // namespace
}  // namespace headroom
