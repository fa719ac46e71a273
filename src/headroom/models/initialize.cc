#include "headroom/models/initialize.h"

#include <algorithm>
#include <vector>

#include "headroom/base/file.h"
#include "headroom/formats/safetensors_writer.h"

namespace headroom {
namespace {

constexpr int64_t kPieceElements = 256 * 1024;

// SplitMix64's finalizer (Steele, Lea, Flood 2014).
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

int32_t sum_of_halves(uint64_t bits) {
  return static_cast<int32_t>((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
}

}  // namespace

void fill_random(std::span<float> out, uint64_t seed, uint64_t parameter, int64_t first_element, double deviation) {
  constexpr int32_t kMean = 4 * 65535;     // of eight numbers from 0 to 65535
  constexpr double kDeviation = 53509.97;  // sqrt(8 * (65536^2 - 1) / 12)
  const float scale = static_cast<float>(deviation / kDeviation);
  const uint64_t key = mix(seed + 0x9e3779b97f4a7c15u * (parameter + 1));
  for (size_t i = 0; i < out.size(); ++i) {
    const uint64_t counter = key + 2 * (static_cast<uint64_t>(first_element) + i) * 0x9e3779b97f4a7c15u;
    const int32_t sum = sum_of_halves(mix(counter)) + sum_of_halves(mix(counter + 0x9e3779b97f4a7c15u));
    out[i] = static_cast<float>(sum - kMean) * scale;
  }
}

void write_initial_weights(const Model& model, const std::string& path, DType dtype, uint64_t seed,
                           const std::function<void(int64_t done_bytes, int64_t total_bytes)>& progress) {
  const std::vector<Parameter> parameters = model.parameters();
  std::vector<TensorDeclaration> declarations;
  for (const Parameter& parameter : parameters) declarations.push_back({parameter.name, {dtype, parameter.shape}});
  const int64_t total = SafetensorsWriter::file_bytes(declarations);
  require_disk_space(path, total, "the model " + path);
  SafetensorsWriter writer(path, std::move(declarations));
  std::vector<float> piece(kPieceElements);
  int64_t done = 0;
  for (size_t p = 0; p < parameters.size(); ++p) {
    const InitialValues values = model.initial_values(parameters[p]);
    const int64_t elements = parameters[p].shape.elements();
    for (int64_t first = 0; first < elements; first += kPieceElements) {
      const int64_t count = std::min(kPieceElements, elements - first);
      const std::span<float> filled(piece.data(), static_cast<size_t>(count));
      if (values.deviation == 0) {
        std::fill(filled.begin(), filled.end(), static_cast<float>(values.constant));
      } else {
        fill_random(filled, seed, p, first, values.deviation);
      }
      writer.write(parameters[p].name, DType::f32, piece.data(), count);
      done += count * size_of(dtype);
      progress(done, total);
    }
  }
  writer.finish();
}

}  // namespace headroom
