#include <gtest/gtest.h>

#include "tests/techniques/read_settings.h"

namespace headroom {
namespace {

using testing::read_settings;
using testing::refusal_of;

TEST(MicroBatches, DoNotCrossShards) {
  const auto cut = [](const char* shards, const char* micro_batches) {
    return read_settings({{"--data-shards", shards}, {"--grad-accum", micro_batches}}).shape.micro_batches;
  };
  EXPECT_EQ(cut("1", "1"), 1);
  EXPECT_EQ(cut("1", "3"), 3);
  EXPECT_EQ(cut("4", "1"), 4);
  EXPECT_EQ(cut("4", "3"), 4);
  EXPECT_EQ(cut("2", "6"), 6);
  EXPECT_THROW(cut("0", "1"), InvalidInput);
  EXPECT_THROW(cut("5", "1"), InvalidInput);
  EXPECT_EQ(refusal_of({{"--data-shards", "2"}, {"--grad-accum", "3"}}),
            "--grad-accum 3: expected a multiple of --data-shards 2, or less than it");
}

TEST(MicroBatches, LevelsAreDivisorsOfAShard) {
  const Technique& technique = testing::technique_called("micro-batches");
  const TrainingSettings settings = read_settings({{"--data-shards", "2"}});
  EXPECT_EQ(technique.levels(settings)->words,
            (std::vector<std::string>{"2 micro-batches", "4 micro-batches", "6 micro-batches", "12 micro-batches"}));
  EXPECT_EQ(testing::taken(technique, settings, 2).shape.micro_rows, 2);
  EXPECT_EQ(technique.levels(read_settings({{"--grad-accum", "4"}}))->words,
            std::vector<std::string>{"4 micro-batches"});
}

}  // namespace
}  // namespace headroom
