// What runs in which order: the rows of an update, of an evaluation, of a new token. Rows are data: techniques rewrite
// them (passes/accumulate_gradients.h), prices are sums over them, and who runs a job walks them and knows no
// technique.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace headroom {

// Some runs of a graph, one after the other; or, each time, all rows of a block.
struct Row {
  int32_t graph = -1;  // its index in the job; -1: a block
  int32_t block = -1;  // its index in the schedule; -1: a graph
  int64_t times = 1;
  int32_t slot = 0;                     // which copy of the values that have several (Job::slots)
  std::vector<std::string> fills = {};  // graph inputs that the host writes before each run
  std::vector<std::string> reads = {};  // results that the host reads after each run, before their memory is used again
};

// What repeats is written once, as a block, so that the rows take no more memory for a larger batch.
struct Schedule {
  std::string name;
  std::vector<std::string> given = {};  // graph inputs that the host has set before the first row
  std::vector<Row> rows = {};
  std::vector<std::vector<Row>> blocks = {};  // rows of a block name only blocks before it
};

// Calls `visit` with the row of each run of a graph, in order.
void for_each_run(const Schedule& schedule, const std::function<void(const Row&)>& visit);

// That of the last run.
const Row& last_row(const Schedule& schedule);

// How often the schedule runs each of `graphs` graphs. Throws InvalidInput on overflow.
std::vector<int64_t> runs_of(const Schedule& schedule, size_t graphs);

}  // namespace headroom
