// A safetensors file: what opens is sound, so every small tensor of it can be read.
#include <vector>

#include "headroom/base/errors.h"
#include "headroom/formats/weights/safetensors.h"
#include "tests/fuzz/input_file.h"

namespace {

constexpr int64_t kMostElements = 4096;

void read_all(const std::string& path) {
  const headroom::SafetensorsFile file(path);
  for (int64_t i = 0; i < file.count(); ++i) {
    const headroom::StoredTensor tensor = file.tensor(i);
    if (file.find(tensor.name) != i) std::abort();
    if (tensor.shape.elements() > kMostElements) continue;
    std::vector<float> out(static_cast<size_t>(tensor.shape.elements()));
    try {
      file.read(tensor, 0, tensor.shape.elements(), headroom::DType::f32, out.data(), headroom::NanCheck::refuse);
    } catch (const headroom::InvalidInput&) {  // integers, a NaN
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const headroom::testing::InputFile input(data, size);
  try {
    read_all(input.path());
  } catch (const headroom::InvalidInput&) {
  }
  return 0;
}
