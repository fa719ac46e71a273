#include "headroom/plan/schedule.h"

#include "headroom/base/bytes.h"
#include "headroom/base/shape.h"

namespace headroom {
namespace {

void visit_rows(const Schedule& schedule, const std::vector<Row>& rows, const std::function<void(const Row&)>& visit) {
  for (const Row& row : rows) {
    for (int64_t time = 0; time < row.times; ++time) {
      if (row.block < 0) {
        visit(row);
      } else {
        visit_rows(schedule, schedule.blocks[static_cast<size_t>(row.block)], visit);
      }
    }
  }
}

}  // namespace

void for_each_run(const Schedule& schedule, const std::function<void(const Row&)>& visit) {
  visit_rows(schedule, schedule.rows, visit);
}

const Row& last_row(const Schedule& schedule) {
  const Row* row = &schedule.rows.back();
  while (row->block >= 0) row = &schedule.blocks[static_cast<size_t>(row->block)].back();
  return *row;
}

std::vector<int64_t> runs_of(const Schedule& schedule, size_t graphs) {
  std::vector<std::vector<int64_t>> of_blocks;
  const auto count = [&](const std::vector<Row>& rows) {
    std::vector<int64_t> runs(graphs, 0);
    for (const Row& row : rows) {
      for (size_t graph = 0; graph < graphs; ++graph) {
        const int64_t once = row.block >= 0 ? of_blocks[static_cast<size_t>(row.block)][graph]
                                            : int64_t{row.graph == static_cast<int32_t>(graph)};
        runs[graph] = add_sizes(runs[graph], multiply_sizes(once, row.times, schedule.name), schedule.name);
      }
    }
    return runs;
  };
  for (const std::vector<Row>& block : schedule.blocks) of_blocks.push_back(count(block));
  return count(schedule.rows);
}

}  // namespace headroom
