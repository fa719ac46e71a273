// A safetensors file of weights that another program has quantised; the first byte says by which method. What is put
// together can be read, a part of it as the same numbers, and filled into the format that holds it exactly.
#include <cstring>
#include <vector>

#include "headroom/base/block_format.h"
#include "headroom/base/errors.h"
#include "headroom/formats/weights/foreign_weights.h"
#include "headroom/formats/weights/safetensors.h"
#include "tests/fuzz/input_file.h"

namespace {

using headroom::QuantizationConfig;
using headroom::QuantMethod;

constexpr int64_t kMostElements = 16 * 1024;
constexpr int64_t kMostTensors = 16;

constexpr QuantizationConfig kConfigs[] = {
    {.method = QuantMethod::gptq, .bits = 4, .zeros_less_one = true, .is_symmetric = true},
    {.method = QuantMethod::gptq, .bits = 3, .zeros_less_one = true},
    {.method = QuantMethod::awq},
    {.method = QuantMethod::awq, .by_rows = true, .group_size = 32},
    {.method = QuantMethod::compressed_tensors},
    {.method = QuantMethod::fp8, .block_rows = 32, .block_columns = 48},
    {.method = QuantMethod::bitsandbytes}};

void read_weight(const headroom::TensorFile& file, const headroom::StoredTensor& tensor) {
  const int64_t elements = tensor.shape.elements();
  std::vector<float> out(static_cast<size_t>(elements)), part(out.size());
  file.read(tensor, 0, elements, headroom::DType::f32, out.data(), headroom::NanCheck::refuse);
  const int64_t first = elements / 3, count = elements / 2;
  file.read(tensor, first, count, headroom::DType::f32, part.data(), headroom::NanCheck::refuse);
  if (std::memcmp(out.data() + first, part.data(), static_cast<size_t>(count) * sizeof(float)) != 0) std::abort();
  if (tensor.exact_format == nullptr) return;
  std::vector<std::byte> kept(static_cast<size_t>(tensor.exact_format->bytes(tensor.shape)));
  file.fill(tensor, kept.data(), {});
  tensor.exact_format->decode(tensor.shape, kept.data(), 0, elements, part.data());
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i] != part[i]) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const headroom::testing::InputFile input(data + 1, size - 1);
  try {
    const headroom::WeightFiles files(std::make_unique<headroom::SafetensorsFile>(input.path()));
    if (files.count() == 0) return 0;
    const headroom::ForeignWeights found =
        headroom::find_foreign_weights(files, kConfigs[data[0] % std::size(kConfigs)]);
    for (int64_t i = 0; i < std::min(found.weights->count(), kMostTensors); ++i) {
      const headroom::StoredTensor tensor = found.weights->tensor(i);
      if (found.weights->find(tensor.name) != i) std::abort();
      if (tensor.shape.elements() > kMostElements) continue;
      try {
        read_weight(*found.weights, tensor);
      } catch (const headroom::InvalidInput&) {  // a NaN, scales that are no numbers
      }
    }
  } catch (const headroom::InvalidInput&) {
  }
  return 0;
}
