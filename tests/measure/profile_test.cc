#include "headroom/measure/profile.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "headroom/graph/text.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

using Json = nlohmann::json;

const char* const kStep =
    "graph step\n"
    "input %a: f32[64, 32] input\n"
    "input %w: f32[32, 32] weight\n"
    "%b: f32[64, 32] activation = matmul(%a, %w) {transpose_a=0, transpose_b=1} @layers.0 forward\n"
    "%c: f32[64, 32] activation = add(%b, %a) @layers.0 forward\n"
    "%d: f32[64, 32] activation = add(%c, %a) backward\n"
    "%s: f64[1] activation = sum(%d) update\n"
    "result %s\n";

Json read(const std::string& path) {
  std::ifstream in(path);
  return Json::parse(in);
}

class ProfileOfAGraph : public ::testing::Test {
 protected:
  Workspace workspace() const {
    const Job job{.graphs = {parse_graph(kStep)},
                  .processor = cpu_backend(Isa::reference).on(1),
                  .schedules = {{.name = "update", .given = {"a"}, .rows = {{.graph = 0}}}}};
    return {job.graphs, plan_job(job), cpu_backend(Isa::reference)};
  }
  static MachineLimits limits() {
    MachineLimits limits;
    limits.fma = {{Isa::reference, 1, 1e9}};
    limits.memory = {{1, 1e9, 2e9, 3e9, 4e9}};
    return limits;
  }
  std::string file(const char* name) const { return directory_.path() + "/" + name; }

  TemporaryDirectory directory_;
};

TEST_F(ProfileOfAGraph, AddsUp) {
  Workspace workspace = this->workspace();
  {
    Profile profile(workspace, "update", directory_.path(), limits());
    for (int step = 0; step < 6; ++step) workspace.at("step").run();
    profile.finish();
  }
  const Json ops = read(file("ops.json"));
  EXPECT_EQ(ops["steps"], 5);  // the first warms up
  double seconds = 0;
  for (const Json& op : ops["ops"]) {
    EXPECT_EQ(op["calls"], 5);
    seconds += op["seconds"].get<double>();
    if (op["op"] != "matmul") continue;
    EXPECT_EQ(op["flops"], 5.0 * 2 * 64 * 32 * 32);
    EXPECT_EQ(op["bytes"], 5.0 * 4 * (64 * 32 + 32 * 32 + 64 * 32));
    // A machine at its limits needs the longer of the two: flops at 1e9 a second, bytes at 4e9.
    EXPECT_DOUBLE_EQ(op["share_of_limit"].get<double>() * op["seconds"].get<double>(), 5.0 * 2 * 64 * 32 * 32 * 1e-9);
  }
  EXPECT_EQ(ops["ops"].size(), 4u);  // add is there forwards and backwards
  EXPECT_NEAR(seconds, ops["graphs"][0]["seconds"].get<double>(), 1e-9);
  EXPECT_NEAR(ops["seconds"].get<double>(), seconds + ops["outside_seconds"].get<double>(), 1e-9);
  EXPECT_GE(ops["outside_seconds"].get<double>(), 0);
}

TEST_F(ProfileOfAGraph, TracesStepsAfterTheFirst) {
  Workspace workspace = this->workspace();
  Profile profile(workspace, "update", directory_.path(), {});
  for (int step = 0; step < 9; ++step) workspace.at("step").run();
  profile.finish();
  constexpr std::array<const char*, 4> kNames = {"layers.0 matmul", "layers.0 add", "add", "sum"};
  constexpr std::array<int, 4> kTracks = {1, 1, 2, 3};
  std::vector<std::string> tracks;
  int slices = 0;
  double end = 0;
  std::vector<int64_t> alive;  // where it changes
  const std::vector<int64_t> planned = workspace.plan().graphs[0].live_bytes;
  const Json trace = read(file("trace.json"));
  for (const Json& event : trace["traceEvents"]) {
    if (event["ph"] == "M") {
      tracks.push_back(event["args"]["name"]);
      continue;
    }
    if (event["ph"] == "C") {
      alive.push_back(event["args"]["bytes"]);
      continue;
    }
    const size_t node = static_cast<size_t>(slices % 4);
    EXPECT_EQ(event["name"], kNames[node]);
    EXPECT_EQ(event["args"]["node"], node);
    EXPECT_EQ(event["tid"], kTracks[node]);
    EXPECT_EQ(event["args"]["live"], planned[node]);
    if (node > 0) {
      EXPECT_NEAR(event["ts"].get<double>(), end, 2e-3);  // each begins where the last one ended
    }
    end = event["ts"].get<double>() + event["dur"].get<double>();
    ++slices;
  }
  EXPECT_EQ(slices, 4 * Profile::kTracedSteps);
  ASSERT_GE(alive.size(), static_cast<size_t>(Profile::kTracedSteps));
  EXPECT_EQ(alive.front(), planned.front());
  EXPECT_EQ(tracks, (std::vector<std::string>{"step: forward", "step: backward", "step: update"}));
  EXPECT_FALSE(read(file("ops.json"))["ops"][0].contains("share_of_limit"));  // no limits are known
}

TEST_F(ProfileOfAGraph, OfOneStepIsThatStep) {
  Workspace workspace = this->workspace();
  Profile profile(workspace, "update", directory_.path(), {});
  workspace.at("step").run();
  EXPECT_NE(profile.finish().find("profile: 1 step,"), std::string::npos);
  EXPECT_EQ(read(file("ops.json"))["steps"], 1);
}

TEST_F(ProfileOfAGraph, SaysWhatIsAlive) {
  Workspace workspace = this->workspace();
  Profile profile(workspace, "update", directory_.path(), {}, {1000, 2000});
  for (int step = 0; step < 4; ++step) workspace.at("step").run();
  const std::string tables = profile.finish();
  const std::vector<int64_t>& live = workspace.plan().graphs[0].live_bytes;
  const auto peak = std::max_element(live.begin(), live.end());
  EXPECT_EQ(*peak, workspace.plan().lower_bound_bytes);
  // The first place of the table of memory is the peak.
  const std::string row = tables.substr(tables.find("where\n"));
  EXPECT_NE(row.substr(0, row.find('\n', 8))
                .find(place_of(workspace.at("step").graph().nodes[static_cast<size_t>(peak - live.begin())])),
            std::string::npos)
      << tables;
  const Json ops = read(file("ops.json"));
  for (const Json& op : ops["ops"]) {
    if (op["op"] == "add") continue;  // two nodes, in two phases
    EXPECT_EQ(op["live_bytes"], live[op["op"] == "matmul" ? 0 : 3]);
  }
  std::ifstream csv(file("nodes.csv"));
  std::string line;
  std::getline(csv, line);
  EXPECT_EQ(line, "graph,node,phase,scope,op,runs,seconds,live_bytes");
  for (size_t node = 0; node < live.size(); ++node) {
    ASSERT_TRUE(std::getline(csv, line));
    EXPECT_TRUE(line.starts_with(fmt::format("step,{},", node))) << line;
    EXPECT_TRUE(line.ends_with(fmt::format(",{}", live[node]))) << line;
  }
  EXPECT_FALSE(std::getline(csv, line));

  std::ifstream in(file("memory.html"));
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  const std::string begin = R"(<script type="application/json" id="plan">)";
  const size_t at = page.find(begin) + begin.size();
  const Json data = Json::parse(page.substr(at, page.find("</script>", at) - at));
  EXPECT_EQ(data["arena"], workspace.plan().arena_bytes);
  EXPECT_EQ(data["reserve"], 1000);
  EXPECT_EQ(data["budget"], 2000);
  ASSERT_EQ(data["points"].size(), live.size());  // of one step
  for (size_t node = 0; node < live.size(); ++node) {
    const Json& point = data["points"][node];
    EXPECT_GT(point[0].get<double>(), 0);
    EXPECT_LT(point[0].get<double>(), 10'000);
    EXPECT_EQ(point[1], live[node]);
    EXPECT_EQ(point[4], node);
  }
}

TEST_F(ProfileOfAGraph, LeavesNothingWithoutAnEnd) {
  Workspace workspace = this->workspace();
  {
    Profile profile(workspace, "update", directory_.path(), {});
    workspace.at("step").run();
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
  workspace.at("step").run();  // nobody listens any more
}

}  // namespace
}  // namespace headroom
