#include "headroom/train/metrics_log.h"

#include <gtest/gtest.h>

#include "headroom/base/errors.h"
#include "tests/temporary_directory.h"

namespace headroom {
namespace {

class MetricsLogTest : public ::testing::Test {
 protected:
  std::string write(const std::string& text) { return directory_.write("metrics.jsonl", text); }
  std::string content() { return directory_.read("metrics.jsonl"); }
  TemporaryDirectory directory_;
};

const std::string kOne = R"({"step": 1, "loss": 2.5, "lr": 1e-3})";
const std::string kTwo = R"({"step": 2, "loss": 2.25})";
const std::string kThree = R"({"step": 3, "loss": 2})";

TEST_F(MetricsLogTest, AppendsAndReadsBack) {
  MetricsLog log(directory_ / "metrics.jsonl", 0);
  log.append(kOne);
  log.append(kTwo);
  log.sync();
  EXPECT_EQ(content(), kOne + "\n" + kTwo + "\n");
  std::vector<double> losses;
  log.for_each_loss([&](int64_t step, double loss) {
    EXPECT_EQ(step, static_cast<int64_t>(losses.size()) + 1);
    losses.push_back(loss);
  });
  EXPECT_EQ(losses, (std::vector<double>{2.5, 2.25}));
}

TEST_F(MetricsLogTest, IsCutBackToTheCheckpoint) {
  const std::string all = kOne + "\n" + kTwo + "\n" + kThree + "\n";
  MetricsLog(write(all), 2).append(kThree);
  EXPECT_EQ(content(), all);
  MetricsLog(write(all), 0).append(kOne);
  EXPECT_EQ(content(), kOne + "\n");
  for (size_t half = 0; half <= kThree.size(); ++half) {  // a kill in the middle of the third line
    MetricsLog(write(kOne + "\n" + kTwo + "\n" + kThree.substr(0, half)), 2).append(kThree);
    EXPECT_EQ(content(), all);
  }
  MetricsLog(write(kOne + "\n" + kTwo), 2).append(kThree);  // a kill before the line end
  EXPECT_EQ(content(), all);
}

TEST_F(MetricsLogTest, RefusesToContinueWhatIsNotThere) {
  EXPECT_ERROR(InvalidInput, "ends after step 1", MetricsLog(write(kOne + "\n"), 2));
  EXPECT_ERROR(InvalidInput, "expected step 2, got 3", MetricsLog(write(kOne + kThree), 2));
  EXPECT_ERROR(InvalidInput, "line 2", MetricsLog(write(kOne + "\nrubbish"), 2));
  EXPECT_EQ(content(), kOne + "\nrubbish");
}

}  // namespace
}  // namespace headroom
