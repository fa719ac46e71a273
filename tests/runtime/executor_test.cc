#include "headroom/runtime/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "headroom/backend/isa.h"
#include "headroom/graph/text.h"
#include "headroom/models/presets.h"
#include "headroom/passes/checkpoint.h"
#include "headroom/runtime/workspace.h"
#include "headroom/train/training_graphs.h"

namespace {

std::atomic<int64_t> allocations{0};

}  // namespace

// Every allocation of this program is counted. Not inlined: GCC 12 under sanitizers sees half of a pair and warns.
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
[[gnu::noinline]] void* operator new(size_t size) {
  void* memory = operator new(size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace headroom {
namespace {

Workspace workspace_of(Job job, const Backend& backend, int threads) {
  job.processor = backend.on(threads);
  Plan plan = plan_job(job);
  return {std::move(job.graphs), std::move(plan), backend};
}

TEST(Executor, RunsAGraphAndCarriesItsState) {
  Workspace workspace =
      workspace_of({{parse_graph("graph g\n"
                                 "input %a: f32[4] input\n"
                                 "input %target: f32[4] optimizer_state\n"
                                 "input %range: i32[2] input\n"
                                 "%b: f32[4] activation = add(%a, %a) forward\n"
                                 "%target.next: f32[4] optimizer_state = write_rows(%target, %b, %range) update\n"
                                 "carry %target = %target.next\n")}},
                   cpu_backend(Isa::reference), 1);
  const Tensor a = workspace.persistent("a");
  for (int i = 0; i < 4; ++i) a.as<float>()[i] = static_cast<float>(i);
  workspace.persistent("range").as<int32_t>()[1] = 4;
  workspace.at("g").run();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(workspace.persistent("target").as<float>()[i], static_cast<float>(2 * i));
}

TEST(Executor, AllocatesNothingInATrainingStep) {
  for (const Isa isa : {Isa::reference, Isa::avx2, Isa::avx512}) {
    if (!is_supported(isa)) continue;
    TrainingWay way{.shape = {1, 2, 9}};
    way.rewrites.step = {{PassPhase::checkpointing, {"checkpoint", checkpoint_layers}}};
    Workspace workspace = workspace_of(
        build_training_job(*make_model(config_of(*find_preset("tiny-300k"))), way, {}, true), cpu_backend(isa), 2);
    const int64_t before = allocations;
    for (const char* schedule : {"update", "evaluation"}) workspace.run(workspace.plan().schedule(schedule));
    EXPECT_EQ(allocations - before, 0) << name_of(isa);
  }
}

}  // namespace
}  // namespace headroom
