// Gradients of parts of the batch, added as a balanced tree (docs/techniques/data_shards.md).
#include <fmt/format.h>

#include "headroom/base/errors.h"
#include "headroom/base/expect_count.h"
#include "headroom/passes/data_shards.h"
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

class DataShards final : public Technique {
 public:
  DataShards() : Technique("data shards", 50) {}

  std::vector<Flag> flags() const override {
    return {{.name = "--data-shards",
             .group = "Batch",
             .help = "Add the gradients of this many equal parts of the batch as a balanced tree: the order that as "
                     "many machines would add them in. Other numbers, and a few more sets of gradients",
             .standard = "1",
             .kind = FlagKind::integer}};
  }

  void read(const Model&, TrainingSettings& settings) const override {
    const int64_t shards = settings.flags.integer("--data-shards");
    expect_count("--data-shards", shards, 1);
    if (settings.shape.rows() % shards != 0) {
      throw InvalidInput("--data-shards {}: expected a divisor of --batch-size {}", shards, settings.shape.rows());
    }
    settings.shape.data_shards = shards;
  }

  void apply(const TrainingSettings& settings, int, TrainingWay& way) const override {
    const int64_t shards = settings.shape.data_shards;
    if (shards == 1) return;
    way.rewrites.job.push_back({JobPhase::shards, [shards](Job& job, PassTrace* trace) {
                                  add_data_shards(job, shards);
                                  const auto join = [&](Graph step) {
                                    return join_last_shard(std::move(step), shards);
                                  };
                                  Graph& step = job.graphs.back();
                                  step = run_passes(std::move(step), {{"join_last_shard", join, false}}, trace);
                                }});
  }

  void add_numbers(const TrainingSettings& settings, const Model&, RunSettings& numbers) const override {
    numbers.emplace_back("--data-shards", fmt::format("{}", settings.shape.data_shards));
  }
};

}  // namespace
}  // namespace headroom

static const headroom::DataShards data_shards;
HEADROOM_TECHNIQUE(data_shards);
