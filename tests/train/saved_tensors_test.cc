// What files hold of trained weights.
#include "headroom/train/saved_tensors.h"

#include <numeric>

#include "headroom/formats/weights/weight_writer.h"
#include "tests/models/config_text.h"
#include "tests/models/stack_model.h"
#include "tests/temporary_directory.h"

namespace headroom::testing {
namespace {

// In files of one tensor, of two, and of all.
TEST(SavedTensors, AStackIsSavedAsItsTensors) {
  const StackModel model({"b", "c", "a"}, {4, 6});
  const Workspace workspace = workspace_of(model, DType::f32);
  auto* numbers = reinterpret_cast<float*>(workspace.persistent("stack").data);
  std::iota(numbers, numbers + 72, 0.0f);
  const std::vector<SavedTensor> saved = saved_tensors(workspace);
  const std::vector<StoredValue> weights = saved_weights(workspace);
  for (const int64_t shard_bytes : {1, 200, 1000}) {
    const TemporaryDirectory directory;
    WeightWriter(declarations_of(saved), shard_bytes)
        .write(directory.path(),
               [&](SafetensorsWriter& file, auto members) { write_tensors(file, saved, members, weights); });
    const WeightFiles files(directory.path());
    EXPECT_EQ(files.count(), 3);
    float expected = 0;
    for (const char* name : {"b", "c", "a"}) {
      std::vector<float> got(24);
      files.require(name, {4, 6}).read(0, 24, DType::f32, got.data());
      for (const float number : got) EXPECT_EQ(number, expected++) << name;
    }
  }
}

}  // namespace
}  // namespace headroom::testing
