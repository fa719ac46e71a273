#include "headroom/measure/memory_page.h"

#include <fmt/core.h>

#include "headroom/graph/op.h"
#include "headroom/measure/text_file.h"
#include "headroom/plan/picture.h"
#include "headroom/plan/picture_page.h"

namespace headroom {

void write_memory_page(const std::string& path, const MemoryPage& page) {
  TextFile out(path);
  out.write(kPictureHead);
  out.write(fmt::format(
      R"({{{},"roles":[],"phases":["forward","backward","update"],"arena":{},"persistentBytes":{},"bound":{},)"
      R"("reserve":{},"budget":{},"disk":{},"threads":{},"peakGraph":-1,"peakNode":-1,"persistent":[],)"
      R"("persistentRest":[],"graphs":[],"names":[)",
      json_of({"memory of a step, planned and measured", "", "", ""}), page.plan.arena_bytes,
      page.plan.persistent_bytes, page.plan.lower_bound_bytes, page.budget.reserve_bytes, page.budget.budget_bytes,
      page.plan.disk_bytes, page.plan.threads));
  for (size_t i = 0; i < page.graphs.size(); ++i) {
    out.write(fmt::format("{}{}", i == 0 ? "" : ",", script_string(page.graphs[i]->name)));
  }
  out.write("],\"points\":[");
  for (size_t i = 0; i < page.points.size(); ++i) {
    const MemoryTimeline::Point& point = page.points[i];
    const Node& node = page.graphs[static_cast<size_t>(point.graph)]->nodes[static_cast<size_t>(point.node)];
    out.write(fmt::format("{}\n[{:.4f},{},{},{},{},{},{}]", i == 0 ? "" : ",",
                          1e-6 * static_cast<double>(point.end_ns - page.begin_ns), point.live_bytes,
                          point.resident_bytes, point.graph, point.node, script_string(place_of(node)),
                          static_cast<int>(node.phase)));
  }
  out.write("]}");
  out.write(kPictureMiddle);
  out.write(kPictureScript);
  out.write(kPictureTail);
  out.commit();
}

}  // namespace headroom
