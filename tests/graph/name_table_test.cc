#include "headroom/graph/name_table.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

namespace headroom {
namespace {

TEST(NameTable, FindsWhatIsThereAndWhatIsAppended) {
  Graph graph;
  for (int i = 0; i < 100; ++i) graph.values.push_back({.name = fmt::format("there.{}", i), .type = f32({1})});
  NameTable table(graph);
  for (int i = 0; i < 5000; ++i) {
    graph.values.push_back({.name = fmt::format("appended.{}", i), .type = f32({1})});
    table.add(static_cast<ValueId>(graph.values.size()) - 1);
  }
  for (size_t id = 0; id < graph.values.size(); ++id) {
    EXPECT_EQ(table.find(graph.values[id].name), static_cast<ValueId>(id));
  }
  EXPECT_EQ(table.find("there.100"), kNoValue);
  EXPECT_EQ(table.find(""), kNoValue);
}

TEST(NameTable, OfAnEmptyGraphFindsNothing) {
  const Graph graph;
  EXPECT_EQ(NameTable(graph).find("x"), kNoValue);
}

}  // namespace
}  // namespace headroom
