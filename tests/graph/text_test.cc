#include "headroom/graph/text.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "headroom/graph/builder.h"
#include "headroom/graph/verify.h"

namespace headroom {
namespace {

constexpr const char* kGraph =
    "graph step\n"
    "input %ids: i32[8] input\n"
    "input %table: f32[16, 4] weight\n"
    "input %norm: f32[4] weight\n"
    "input %away: f32[4] weight on disk\n"
    "%embedding: f32[8, 4] activation = embedding(%table, %ids) forward\n"
    "%layers.0/rms_norm: f32[8, 4] activation, %layers.0/rms_norm.1: f32[8] activation = rms_norm(%embedding, %norm) "
    "{eps=1e-05} @layers.0 forward\n"
    "%layers.0/add: f32[8, 4] activation = add(%embedding, %layers.0/rms_norm) @layers.0 backward\n"
    "%zero: f32[4] weight = zero(%norm) update\n"
    "carry %norm = %zero\n"
    "result %layers.0/add\n";

TEST(GraphText, RoundTrips) {
  const Graph graph = parse_graph(kGraph);
  EXPECT_EQ(to_text(graph), kGraph);
  EXPECT_NO_THROW(verify(graph));
  EXPECT_DOUBLE_EQ(graph.nodes[1].attributes.real("eps"), 1e-5);
  EXPECT_EQ(graph.nodes[2].phase, Phase::backward);
  EXPECT_EQ(graph.value(graph.carries[0].next).name, "zero");
}

TEST(GraphText, EveryDoubleReadsBackToItsBits) {
  for (const double number : {1.0, 0.1, 1e-300, 123456789.0, 1.0 / 3.0, 5e-324, -2.5}) {
    Graph graph = parse_graph(kGraph);
    graph.nodes[1].attributes.set("eps", number);
    EXPECT_EQ(parse_graph(to_text(graph)).nodes[1].attributes.real("eps"), number);
  }
}

TEST(GraphText, BuilderWritesTheSameGraph) {
  Graph graph;
  graph.name = "step";
  Builder build(graph);
  const ValueId ids = build.input("ids", i32({8}), Role::input);
  const ValueId table = build.input("table", f32({16, 4}), Role::weight);
  const ValueId norm = build.input("norm", f32({4}), Role::weight);
  graph.value(build.input("away", f32({4}), Role::weight)).tier = Tier::disk;
  const ValueId h = build.value("embedding", {table, ids});
  build.set_segment(layer_segment(0));
  const std::vector<ValueId> normed = build.node("rms_norm", {h, norm}, {{"eps", 1e-5}});
  build.set_phase(Phase::backward);
  build.result(build.value("add", {h, normed[0]}));
  build.set_segment({});
  build.set_phase(Phase::update);
  build.carry(norm, build.value("zero", {norm}, {}, Role::weight));
  EXPECT_EQ(to_text(graph), kGraph);
}

TEST(GraphText, DiffShowsOnlyWhatChanged) {
  const Graph before = parse_graph(kGraph);
  EXPECT_EQ(diff(before, before), "");
  Graph after = before;
  after.nodes[1].attributes.set("eps", 1.0);
  const std::string text = diff(before, after);
  EXPECT_NE(text.find("- %layers.0/rms_norm"), std::string::npos);
  EXPECT_NE(text.find("{eps=1.0}"), std::string::npos);
  EXPECT_EQ(text.find("embedding(%table"), std::string::npos);
}

struct BadText {
  const char* text;
  const char* message;
};

TEST(GraphText, RefusesWhatItWouldNotWrite) {
  for (const BadText& bad :
       {BadText{"input %a f32[2] input", "line 1"}, BadText{"input %a: f99[2] input", "f99"},
        BadText{"input %a: f32[2] input\ninput %a: f32[2] input", "line 2"},
        BadText{"%a: f32[2] activation = add(%b, %c) forward", "defined above"},
        BadText{"input %a: f32[2] input\n%b: f32[2] activation = fold(%a) forward", "no op 'fold'"},
        BadText{"input %a: f32[1, 1, 1, 1, 1] input", "a shape"}, BadText{"input %a: f32[-1] input", "a shape"},
        BadText{"nonsense", "line 1"}, BadText{"input %a: f32[2] nobody", "nobody"}}) {
    try {
      parse_graph(bad.text);
      FAIL() << bad.text;
    } catch (const InvalidInput& error) {
      EXPECT_NE(std::string(error.what()).find(bad.message), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace headroom
