#include "headroom/models/labels.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "headroom/base/errors.h"
#include "headroom/models/model.h"
#include "headroom/models/presets.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

using Names = std::vector<std::string>;

JsonObject config_with(const nlohmann::ordered_json& fields) {
  JsonObject config = config_of(*find_preset("tiny-300k"));
  config = config.with("architectures", {"LlamaForSequenceClassification"});
  for (const auto& [key, value] : fields.items()) config = config.with(key, value);
  return config;
}

TEST(Labels, OfAConfig) {
  EXPECT_EQ(read_labels(config_with({{"id2label", {{"1", "b"}, {"0", "a"}}}}), 10), (Names{"a", "b"}));
  EXPECT_EQ(read_labels(config_with({{"num_labels", 3}}), 10), (Names{"LABEL_0", "LABEL_1", "LABEL_2"}));
  EXPECT_EQ(read_labels(config_with({{"problem_type", nullptr}}), 10).size(), 2u);
  EXPECT_THROW(read_labels(config_with({{"num_labels", 11}}), 10), InvalidInput);
  EXPECT_THROW(read_labels(config_with({{"num_labels", 1}}), 10), InvalidInput);
  EXPECT_THROW(read_labels(config_with({{"id2label", {{"0", "a"}, {"2", "b"}}}}), 10), InvalidInput);
  EXPECT_THROW(read_labels(config_with({{"problem_type", "regression"}}), 10), InvalidInput);
}

TEST(Labels, OnTopOfALanguageModel) {
  const JsonObject body = config_of(*find_preset("tiny-300k"));
  const auto model = make_model(with_labels(body, "good,bad,ugly"));
  EXPECT_EQ(model->architecture(), "LlamaForSequenceClassification");
  EXPECT_EQ(model->labels(), (Names{"good", "bad", "ugly"}));
  const std::vector<Parameter> parameters = model->parameters();
  EXPECT_EQ(parameters.back().name, "score.weight");
  EXPECT_EQ(parameters.back().shape, (Shape{3, model->features()}));
  EXPECT_TRUE(model->aliases().empty());
  EXPECT_EQ(make_model(with_labels(body, "2"))->labels(), (Names{"LABEL_0", "LABEL_1"}));
  for (const char* labels : {"1", "0", "a", "a,a", "a,", "-3"}) EXPECT_THROW(with_labels(body, labels), InvalidInput);
  EXPECT_THROW(with_labels(config_with({}), "2"), InvalidInput);
}

}  // namespace
}  // namespace headroom
