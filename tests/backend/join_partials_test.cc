// Joined partial sums, against additions one by one from the last.
#include "tests/backend/oracle.h"

namespace headroom::testing {
namespace {

TEST(JoinPartials, AddsFromTheLastToTheFirst) {
  Random random(1);
  for (const Shape& shape : {Shape{1}, Shape{17}, Shape{3, 5, 7}, Shape{2, 5000}, Shape{0}}) {
    for (const int parts : {1, 2, 5}) {
      for (const bool add : {false, true}) {
        std::vector<Array> inputs;
        for (int part = 0; part <= parts; ++part) inputs.push_back(random.array(f32(shape), -1, part + 1));
        const Array sum = expect_kernels_agree("join_partials", inputs, {{"add", int64_t{add}}})[0];
        for (int64_t i = 0; i < sum.elements(); ++i) {
          float expected = inputs.back().as<float>()[i];
          for (int part = parts; part-- > (add ? 0 : 1);) {
            expected = inputs[static_cast<size_t>(part)].as<float>()[i] + expected;
          }
          ASSERT_EQ(sum.as<float>()[i], expected) << parts << " parts, element " << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace headroom::testing
