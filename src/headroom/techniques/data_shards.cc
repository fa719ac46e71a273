// Gradients of parts of the batch, added as a balanced tree (docs/techniques/data_shards.md).
#include <fmt/format.h>

#include <bit>
#include <string>
#include <vector>

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
                     "many ranks add them in, by default one for each. Other numbers, and a few more sets of gradients",
             .standard = "1",
             .kind = FlagKind::integer}};
  }

  void read(const Model&, TrainingSettings& settings) const override {
    TrainingShape& shape = settings.shape;
    const int64_t ranks = shape.place.ranks;
    const bool is_given = settings.flags.is_given("--data-shards");
    const int64_t shards = is_given ? settings.flags.integer("--data-shards") : ranks;
    expect_count("--data-shards", shards, 1);
    if (shape.batch_rows() % shards != 0) {
      throw InvalidInput("--data-shards {}: expected a divisor of --batch-size {}", shards, shape.batch_rows());
    }
    // Then a rank's shards are a whole subtree of the tree over all.
    if (shards % ranks != 0 || (ranks > 1 && !std::has_single_bit(static_cast<uint64_t>(shards / ranks)))) {
      throw InvalidInput(
          "--data-shards {}: {} ranks do not cut the tree of its sums into whole parts; expected {}, or "
          "that times a power of two; {}",
          shards, ranks, ranks, ranks_that_work(shards));
    }
    shape.data_shards = shards / ranks;
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
    const TrainingShape& shape = settings.shape;
    numbers.emplace_back("--data-shards", fmt::format("{}", shape.data_shards * shape.place.ranks));
  }

 private:
  // "it runs on 1, 3 or 6 ranks".
  static std::string ranks_that_work(int64_t shards) {
    std::vector<int64_t> ranks = {1};
    for (int64_t count = 2; count <= shards; ++count) {
      if (shards % count == 0 && std::has_single_bit(static_cast<uint64_t>(shards / count))) ranks.push_back(count);
    }
    const std::string last = fmt::format("{}", ranks.back());
    ranks.pop_back();
    return fmt::format("it runs on {}{}{} ranks", fmt::join(ranks, ", "), ranks.empty() ? "" : " or ", last);
  }
};

}  // namespace
}  // namespace headroom

static const headroom::DataShards data_shards;
HEADROOM_TECHNIQUE(data_shards);
