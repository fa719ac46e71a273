// A safetensors file: what opens is sound, so every small tensor of it can be read, a part of it as the same numbers,
// and what lies in a grouped format as the bytes that it is.
#include <cstring>
#include <vector>

#include "headroom/base/block_reader.h"
#include "headroom/base/errors.h"
#include "headroom/base/grouped_format.h"
#include "headroom/formats/weights/tensor_loader.h"
#include "tests/fuzz/input_file.h"

namespace {

constexpr int64_t kMostElements = 4096;

// The whole tensor, and its middle once more.
void read_numbers(const headroom::SafetensorsFile& file, const headroom::StoredTensor& tensor) {
  const int64_t elements = tensor.shape.elements();
  std::vector<float> out(static_cast<size_t>(elements)), part(out.size());
  file.read(tensor, 0, elements, headroom::DType::f32, out.data(), headroom::NanCheck::refuse);
  const int64_t first = elements / 3, count = elements / 2;
  file.read(tensor, first, count, headroom::DType::f32, part.data(), headroom::NanCheck::refuse);
  if (count > 0 && std::memcmp(out.data() + first, part.data(), static_cast<size_t>(count) * sizeof(float)) != 0) {
    std::abort();
  }
}

void load_bytes(const headroom::SafetensorsFile& file, const headroom::StoredTensor& tensor) {
  std::vector<std::byte> out(static_cast<size_t>(tensor.size_bytes));
  std::vector<std::byte> staging(headroom::BlockReader::kLeastStagingBytes);
  headroom::load_tensors({{{&file, tensor}, tensor.format->dtype(), out.data()}}, staging, headroom::NanCheck::refuse);
}

void read_all(const std::string& path) {
  const headroom::SafetensorsFile file(path);
  for (int64_t i = 0; i < file.count(); ++i) {
    const headroom::StoredTensor tensor = file.tensor(i);
    if (file.find(tensor.name) != i) std::abort();
    if (tensor.shape.elements() > kMostElements) continue;
    try {
      read_numbers(file, tensor);
      if (tensor.format != nullptr) load_bytes(file, tensor);
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
