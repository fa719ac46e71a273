// The checker of schedules against a walk through every run, on random jobs; and what it says about each kind of fault.
#include "headroom/plan/check_schedules.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "headroom/base/errors.h"
#include "tests/plan/sketch.h"

namespace headroom {
namespace {

using testing::Sketch;

std::string error_of(const Job& job) {
  try {
    check_schedules(job);
  } catch (const InternalError& error) {
    return error.what();
  }
  return "";
}

// `write` overwrites the activation "h" without looking at it, from "x"; `read` reads "h" and the weight "w".
class CheckedSchedules : public ::testing::Test {
 protected:
  CheckedSchedules() {
    Sketch write("write");
    const ValueId h = write.input(64, Role::activation, "h");
    const ValueId x = write.input(64, Role::input, "x");
    write.graph.carries.push_back({h, write.value({h, x}, {64, 0})});
    write.overwrites_in_place();
    Sketch read("read");
    read.graph.results.push_back(
        read.value({read.input(64, Role::activation, "h"), read.input(64, Role::weight, "w")}, {64}));
    job = {.graphs = {write.graph, read.graph}};
  }
  void expect(std::vector<Row> rows, const std::string& part, std::vector<std::vector<Row>> blocks = {}) {
    job.schedules = {{.name = "s", .given = given, .rows = std::move(rows), .blocks = std::move(blocks)}};
    const std::string error = error_of(job);
    EXPECT_TRUE(part.empty() ? error.empty() : error.find(part) != std::string::npos) << "got: " << error;
  }

  Job job;
  std::vector<std::string> given = {"x"};
};

TEST_F(CheckedSchedules, WhatIsReadWasWritten) {
  expect({{.graph = 0}, {.graph = 1}}, "");
  expect({{.graph = 1}, {.graph = 0}},
         "schedule 's', graph 'read': nobody has written 'h' in slot 0 before it is read");
  expect({{.block = 0}, {.graph = 1}}, "", {{{.graph = 0}}});
  expect({{.block = 0}}, "'h'", {{{.graph = 1}, {.graph = 0}}});
  expect({{.block = 1}, {.block = 0}}, "", {{{.graph = 1}}, {{.graph = 0}, {.block = 0}}});
}

TEST_F(CheckedSchedules, TheHostFillsOrGives) {
  given.clear();
  expect({{.graph = 0}}, "nobody has written 'x'");
  expect({{.graph = 0, .fills = {"x"}}}, "");
  expect({{.graph = 0, .fills = {"y"}}}, "no graph has the input 'y' that the host writes");
  given = {"h"};
  expect({{.graph = 1}}, "");
}

TEST_F(CheckedSchedules, SlotsAreApart) {
  job.slots = {{"h", 2}};
  expect({{.graph = 0, .slot = 1}, {.graph = 1, .slot = 1}}, "");
  expect({{.graph = 0, .slot = 0}, {.graph = 1, .slot = 1}}, "nobody has written 'h' in slot 1");
  expect({{.graph = 0, .slot = 2}}, "slot 2 of 'h', which has 2");
}

TEST_F(CheckedSchedules, RowsNameWhatThereIs) {
  expect({{.graph = 2}}, "no graph 2 of 2");
  expect({{}}, "no graph -1 of 2");
  expect({{.graph = 0, .times = 0}}, "a row runs 0 times");
  expect({{.block = 0}}, "a row names block 0 of 0");
  expect({{.block = 0}}, "a row names block 0 of 0", {{{.block = 0}}});
  expect({{.graph = 0, .reads = {"h"}}}, "'h' is no result");
}

// Some graphs over the same activations, each of which writes some and reads others.
Job random_job(std::mt19937_64& random) {
  Job job;
  for (size_t count = 1 + random() % 4; count > 0; --count) {
    Sketch sketch(fmt::format("g{}", count));
    for (int i = 0; i < 4; ++i) {
      const size_t kind = random() % 3;
      if (kind == 0) continue;
      const ValueId h = sketch.input(64, Role::activation, fmt::format("h{}", i));
      if (kind == 1) {
        sketch.value({h}, {64});
      } else {
        sketch.graph.carries.push_back({h, sketch.value({h}, {64, 0})});
        sketch.overwrites_in_place();
      }
    }
    job.graphs.push_back(std::move(sketch.graph));
  }
  for (int i = 0; i < 4; ++i) {
    if (random() % 2 == 0) job.slots[fmt::format("h{}", i)] = 2;
  }
  return job;
}

std::vector<Row> random_rows(std::mt19937_64& random, size_t graphs, size_t blocks) {
  std::vector<Row> rows;
  for (size_t count = 1 + random() % 4; count > 0; --count) {
    Row row{.times = 1 + static_cast<int64_t>(random() % 2)};
    if (blocks > 0 && random() % 2 == 0) {
      row.block = static_cast<int32_t>(random() % blocks);
    } else {
      row.graph = static_cast<int32_t>(random() % graphs);
      row.slot = static_cast<int32_t>(random() % 2);
    }
    rows.push_back(row);
  }
  return rows;
}

// Run by run, every value of every graph.
bool finds_all(const Job& job, const Schedule& schedule) {
  std::set<std::pair<std::string, int32_t>> written;
  bool finds = true;
  for_each_run(schedule, [&](const Row& row) {
    const Graph& graph = job.graphs[static_cast<size_t>(row.graph)];
    const auto place = [&](ValueId id) {
      const std::string& name = graph.value(id).name;
      return std::pair(name, job.slots.contains(name) ? row.slot : 0);
    };
    for (const ValueId id : graph.inputs) {
      const bool is_carried = std::any_of(graph.carries.begin(), graph.carries.end(),
                                          [&](const Carry& carry) { return carry.input == id; });
      finds = finds && (is_carried || written.contains(place(id)));
    }
    for (const Carry& carry : graph.carries) written.insert(place(carry.input));
  });
  return finds;
}

TEST(CheckedSchedule, OfRandomJobsIsWhatAWalkFinds) {
  int found = 0;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    std::mt19937_64 random(seed);
    Job job = random_job(random);
    Schedule schedule{.name = "s"};
    for (size_t blocks = random() % 3; schedule.blocks.size() < blocks;) {
      schedule.blocks.push_back(random_rows(random, job.graphs.size(), schedule.blocks.size()));
    }
    schedule.rows = random_rows(random, job.graphs.size(), schedule.blocks.size());
    job.schedules = {schedule};
    const bool expected = finds_all(job, schedule);
    ASSERT_EQ(error_of(job).empty(), expected) << "seed " << seed;
    found += expected ? 1 : 0;
  }
  EXPECT_GT(found, 300);
}

}  // namespace
}  // namespace headroom
