#include "headroom/measure/trace_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/temporary_directory.h"

namespace headroom {
namespace {

// Ops in name only: a trace asks for nothing but names and prices.
class Named : public Op {
 public:
  using Op::Op;
  std::vector<Type> output_types(std::span<const Type>, const Attributes&) const override { return {}; }
  Price price(const TypedNode& node) const override {
    return {.flops = 0, .bytes = static_cast<double>(node.inputs[0].bytes())};
  }
};

const Named load("load"), loaded("loaded"), store("store"), stored("stored"), work("add");

TEST(TraceFile, ShowsTransfersFromTheirBeginToTheEndOfTheWait) {
  TemporaryDirectory directory;
  Graph graph{.name = "step", .values = {}, .inputs = {}, .nodes = {}, .carries = {}, .results = {}};
  for (const char* name : {"w", "buffer", "w.here", "y", "w.next"}) graph.values.push_back({name, f32({100})});
  graph.nodes = {{&load, {0}, {1}, {}, {}, Phase::forward},
                 {&work, {3}, {3}, {}, {}, Phase::forward},
                 {&loaded, {1}, {2}, {}, {}, Phase::forward},
                 {&store, {2}, {4}, {}, {}, Phase::update},
                 {&stored, {2, 4}, {4}, {}, {}, Phase::update}};
  const std::vector<const Graph*> graphs = {&graph};
  TraceFile trace(directory / "trace.json", graphs);
  trace.add(graph, std::vector<int64_t>{1000, 2000, 5000, 9000, 10000, 16000}, std::vector<int64_t>{1, 2, 3, 3, 3});
  trace.finish();

  std::ifstream in(directory / "trace.json");
  std::vector<nlohmann::json> transfers;
  const nlohmann::json file = nlohmann::json::parse(in);
  for (const auto& event : file["traceEvents"]) {
    if (event["ph"] == "b" || event["ph"] == "e") transfers.push_back(event);
  }
  ASSERT_EQ(transfers.size(), 4u);
  const auto expect = [](const nlohmann::json& event, const char* name, const char* kind, int id, double us) {
    EXPECT_EQ(event["name"], name);
    EXPECT_EQ(event["cat"], kind);
    EXPECT_EQ(event["id"], id);
    EXPECT_EQ(event["pid"], 2);
    EXPECT_EQ(event["args"]["bytes"], 400);
    EXPECT_DOUBLE_EQ(event["ts"].get<double>(), us);
  };
  expect(transfers[0], "w", "load", 1, 0);
  expect(transfers[1], "w", "load", 1, 8);
  expect(transfers[2], "w.next", "store", 2, 8);
  expect(transfers[3], "w.next", "store", 2, 15);
}

class SendsAll final : public Named {
 public:
  using Named::Named;
  Lane lane() const override { return Lane::network; }
  Transfer transfer() const override { return Transfer::gather; }
};
const SendsAll gather("gather");

TEST(TraceFile, ShowsExchangesUntilAllHasArrived) {
  TemporaryDirectory directory;
  Graph graph{.name = "step", .values = {}, .inputs = {}, .nodes = {}, .carries = {}, .results = {}};
  for (const char* name : {"w", "w.whole"}) graph.values.push_back({name, f32({100})});
  graph.nodes = {{&work, {0}, {0}, {}, {}, Phase::forward}, {&gather, {0}, {1}, {}, {}, Phase::forward}};
  const std::vector<const Graph*> graphs = {&graph};
  TraceFile trace(directory / "trace.json", graphs);
  trace.add(graph, std::vector<int64_t>{1000, 2000, 3000}, std::vector<int64_t>{1, 2});
  trace.add_exchange(graph, 1, 12000, 15500);
  trace.finish();

  std::ifstream in(directory / "trace.json");
  std::vector<nlohmann::json> exchanges;
  std::vector<std::string> processes;
  const nlohmann::json file = nlohmann::json::parse(in);
  for (const auto& event : file["traceEvents"]) {
    if (event["ph"] == "b" || event["ph"] == "e") exchanges.push_back(event);
    if (event["name"] == "process_name") processes.push_back(event["args"]["name"]);
  }
  EXPECT_EQ(processes, std::vector<std::string>{"network"});
  ASSERT_EQ(exchanges.size(), 2u);
  for (const auto& event : exchanges) {
    EXPECT_EQ(event["name"], "w");
    EXPECT_EQ(event["cat"], "gather");
    EXPECT_EQ(event["pid"], 3);
  }
  EXPECT_DOUBLE_EQ(exchanges[0]["ts"].get<double>(), 11);
  EXPECT_DOUBLE_EQ(exchanges[1]["ts"].get<double>(), 14.5);
}

}  // namespace
}  // namespace headroom
