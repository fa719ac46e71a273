// Parts of the batch that run one after the other, their gradients added up (docs/techniques/gradient_accumulation.md).
#include <fmt/format.h>

#include "headroom/base/errors.h"
#include "headroom/base/expect_count.h"
#include "headroom/techniques/technique.h"

namespace headroom {
namespace {

// The divisors of `rows` that are a third above the one before: a batch of a million rows has no use for all.
std::vector<int64_t> divisors(int64_t rows) {
  std::vector<int64_t> small;
  std::vector<int64_t> large;
  for (int64_t count = 1; count * count <= rows; ++count) {
    if (rows % count != 0) continue;
    small.push_back(count);
    if (count * count != rows) large.push_back(rows / count);
  }
  small.insert(small.end(), large.rbegin(), large.rend());
  std::vector<int64_t> chosen;
  for (const int64_t count : small) {
    if (chosen.empty() || 3 * count >= 4 * chosen.back()) chosen.push_back(count);
  }
  return chosen;
}

class MicroBatches final : public Technique {
 public:
  MicroBatches() : Technique("micro-batches", 80) {}

  std::vector<Flag> flags() const override {
    return {{.name = "--grad-accum",
             .group = "Batch",
             .help = "Cut the batch into this many micro-batches: less memory, the same bits; 0: as many as the budget "
                     "asks for",
             .standard = "0",
             .kind = FlagKind::integer}};
  }

  // No micro-batch holds rows of two shards.
  void read(const Model&, TrainingSettings& settings) const override {
    TrainingShape& shape = settings.shape;
    const int64_t rows = shape.rows();
    const int64_t count = settings.flags.integer("--grad-accum");
    expect_count("--grad-accum", count, 0);
    if (count > 0 && rows % count != 0) {
      throw InvalidInput("--grad-accum {}: expected a divisor of --batch-size {}, or 0 for what the budget asks", count,
                         rows);
    }
    if (count > shape.data_shards && count % shape.data_shards != 0) {
      throw InvalidInput("--grad-accum {}: expected a multiple of --data-shards {}, or less than it", count,
                         shape.data_shards);
    }
    cut(shape, rows, std::max(count, shape.data_shards));
  }

  std::optional<Levels> levels(const TrainingSettings& settings) const override {
    Levels levels{.forced = is_forced(settings)};
    for (const int64_t count : counts(settings)) {
      levels.words.push_back(count == 1 ? "" : fmt::format("{} micro-batches", count));
    }
    return levels;
  }

  void apply(const TrainingSettings& settings, int level, TrainingWay& way) const override {
    cut(way.shape, settings.shape.rows(), counts(settings)[static_cast<size_t>(level)]);
  }

  std::vector<Offer> offers() const override {
    return {{"--grad-accum 0", Offer::Cost::nothing, "the same numbers", set_flag("--grad-accum", "0")}};
  }

 private:
  static bool is_forced(const TrainingSettings& settings) { return settings.flags.integer("--grad-accum") > 0; }

  static std::vector<int64_t> counts(const TrainingSettings& settings) {
    if (is_forced(settings)) return {settings.shape.micro_batches};
    std::vector<int64_t> counts = divisors(settings.shape.micro_rows);
    for (int64_t& count : counts) count *= settings.shape.micro_batches;
    return counts;
  }

  static void cut(TrainingShape& shape, int64_t rows, int64_t micro_batches) {
    shape.micro_batches = micro_batches;
    shape.micro_rows = rows / micro_batches;
  }
};

}  // namespace
}  // namespace headroom

static const headroom::MicroBatches micro_batches;
HEADROOM_TECHNIQUE(micro_batches);
