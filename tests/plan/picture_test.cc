#include "headroom/plan/picture.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "headroom/base/bytes.h"
#include "tests/plan/llama_step.h"
#include "tests/plan/sketch.h"

namespace headroom {
namespace {

std::string page_of(const Job& job) {
  std::ostringstream page;
  write_picture(page, job, plan_job(job), {20 * kMiB, 0}, {"a plan </script>", "model", "checkpointing none", ""});
  return page.str();
}

nlohmann::json data_of(const std::string& page) {
  const std::string start = "<script type=\"application/json\" id=\"plan\">";
  const size_t begin = page.find(start) + start.size();
  return nlohmann::json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

TEST(Picture, HoldsThePlanOfAHandComputedStep) {
  testing::Sketch sketch("step");
  const ValueId w = sketch.input(100, Role::weight, "w");
  sketch.scope = "layers.0";
  const ValueId a = sketch.value({w}, {256}, 10);
  sketch.graph.results.push_back(sketch.value({a}, {256, -1, 0}));
  const nlohmann::json data = data_of(page_of({{sketch.graph}, testing::sketched(2)}));
  EXPECT_EQ(data.at("arena"), 128 + 256 + 64);
  EXPECT_EQ(data.at("persistent"), nlohmann::json::parse(R"([["w", 1, 128, 0, 0, 0]])"));
  EXPECT_EQ(data.at("reserve"), 20 * kMiB);
  EXPECT_EQ(data.at("title"), "a plan </script>");
  EXPECT_EQ(data.at("model"), "model");
  EXPECT_EQ(data.at("choice"), "checkpointing none");
  EXPECT_EQ(data.at("disk"), 0);
  EXPECT_EQ(data.at("graphs")[0].at("diskRead"), 0);
  const nlohmann::json& graph = data.at("graphs")[0];
  EXPECT_EQ(graph.at("texts"), nlohmann::json::parse(R"(["sized", "layers.0"])"));
  EXPECT_EQ(graph.at("nodes"), nlohmann::json::parse("[[0, 1, 0], [0, 1, 0]]"));
  EXPECT_EQ(graph.at("values"), nlohmann::json::parse(R"([["v1", 4, 256, 128, 0, 0], ["v2", 4, 256, 128, 1, 2],
                                                          ["scratch", 6, 64, 384, 0, 0]])"));
}

TEST(Picture, NeedsNothingFromOutsideAndSurvivesHostileNames) {
  testing::Sketch sketch("</script><script>alert(1)</script>");
  sketch.value({sketch.input(64, Role::weight, "\"<!--\\\xff")}, {64});
  const std::string page = page_of({{sketch.graph}, testing::sketched(1)});
  EXPECT_EQ(page.find("alert(1)</script>"), std::string::npos);
  EXPECT_EQ(page.find("<!--"), std::string::npos);
  EXPECT_EQ(page.find("http"), std::string::npos);
  EXPECT_EQ(page.find("src="), std::string::npos);
  EXPECT_EQ(data_of(page).at("graphs")[0].at("name"), "</script><script>alert(1)</script>");
}

// What is too much to embed is summed up: per node, values and the rest together are what is alive.
TEST(Picture, SumsUpTheSmallValuesOfALargeGraph) {
  const Graph graph = testing::llama_step({.layers = 100, .tokens = 64, .hidden = 64, .inner = 160, .vocabulary = 500});
  const Job job{{graph}, testing::sketched(1)};
  const Plan plan = plan_job(job);
  const nlohmann::json data = data_of(page_of(job)).at("graphs")[0];
  ASSERT_GT(data.at("hidden"), 100);
  std::vector<int64_t> live(graph.nodes.size() + 2, 0);
  for (const auto& value : data.at("values")) {
    live[value[4]] += value[2].get<int64_t>();
    live[value[5].get<size_t>() + 1] -= value[2].get<int64_t>();
  }
  for (const auto& rest : data.at("rest")) {
    int64_t before = 0;
    for (size_t i = 0; i < rest[1].size(); i += 2) {
      live[rest[1][i]] += rest[1][i + 1].get<int64_t>() - before;
      before = rest[1][i + 1];
    }
  }
  int64_t sum = plan.persistent_bytes;
  for (size_t at = 0; at < graph.nodes.size(); ++at) {
    sum += live[at];
    ASSERT_EQ(sum, plan.graphs[0].live_bytes[at]) << "node " << at;
  }
}

}  // namespace
}  // namespace headroom
