#include "headroom/plan/mesh.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "headroom/base/errors.h"

namespace headroom {
namespace {

constexpr int64_t kMostRanks = 1 << 20;

int64_t* axis_of(Mesh& mesh, std::string_view name) {
  if (name == "data") return &mesh.data;
  if (name == "pipe") return &mesh.pipe;
  if (name == "tensor") return &mesh.tensor;
  return nullptr;
}

int64_t bytes_of(int64_t elements, double bytes_each) {
  const double bytes = std::ceil(static_cast<double>(elements) * bytes_each);
  if (bytes > 1e18) throw InvalidInput("--mesh: {} parameters on a rank are absurd; expected fewer", elements);
  return static_cast<int64_t>(bytes);
}

}  // namespace

Mesh parse_mesh(std::string_view text) {
  Mesh mesh;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    const size_t equals = part.find('=');
    int64_t* const axis = axis_of(mesh, part.substr(0, equals));
    const std::string_view digits = equals == std::string_view::npos ? "" : part.substr(equals + 1);
    int64_t count = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    const bool whole = error == std::errc() && end == digits.data() + digits.size();
    if (axis == nullptr || !whole || count < 1 || count > kMostRanks) {
      throw InvalidInput("--mesh {}: '{}'; expected ranks along each axis, as data=8,pipe=2,tensor=4", text, part);
    }
    *axis = count;
  }
  if (mesh.data * mesh.pipe > kMostRanks || mesh.ranks() > kMostRanks) {
    throw InvalidInput("--mesh {}: expected at most {} ranks", text, kMostRanks);
  }
  return mesh;
}

std::string name_of(const Mesh& mesh) {
  return fmt::format("data={},pipe={},tensor={}", mesh.data, mesh.pipe, mesh.tensor);
}

BytesPerParameter bytes_per_parameter(const TrainingFormat& format) {
  if (!format.half_weights) return {4, 4, format.optimizer_bytes};
  return {2, 2, format.optimizer_bytes + (format.master_weights ? 4 : 0)};
}

ModelStates states_of(int64_t parameters, const BytesPerParameter& bytes, int stage, int64_t data_ranks) {
  const int64_t share = (parameters + data_ranks - 1) / data_ranks;
  return {.weights = bytes_of(stage >= 3 ? share : parameters, bytes.weights),
          .gradients = bytes_of(stage >= 2 ? share : parameters, bytes.gradients),
          .optimizer = bytes_of(stage >= 1 ? share : parameters, bytes.optimizer)};
}

int64_t sent_by_gather(int64_t bytes, int64_t ranks) {
  return static_cast<int64_t>(static_cast<double>(bytes) * static_cast<double>(ranks - 1) / static_cast<double>(ranks));
}

int64_t sent_for_states(int64_t parameters, const BytesPerParameter& bytes, int stage, int64_t data_ranks,
                        int64_t micro_batches) {
  const int64_t weights = sent_by_gather(bytes_of(parameters, bytes.weights), data_ranks);
  const int64_t gradients = sent_by_gather(bytes_of(parameters, bytes.gradients), data_ranks);
  if (stage == 0) return 2 * gradients;
  if (stage == 1) return gradients + weights;
  if (stage == 2) return micro_batches * gradients + weights;
  return micro_batches * (gradients + 2 * weights);
}

std::vector<int64_t> divide_layers(int64_t layers, int64_t stages, int64_t layer, int64_t embedding, int64_t head) {
  if (layers < stages) {
    throw InvalidInput("--mesh: pipe={}, but the model has {} layers; expected at most one stage a layer", stages,
                       layers);
  }
  // Each layer goes to the stage that is the least full: with layers of one size nothing is fuller than it must be.
  std::vector<int64_t> counts(static_cast<size_t>(stages), 1);
  std::vector<int64_t> held(counts.size(), layer);
  held.front() += embedding;
  held.back() += head;
  for (int64_t left = layers - stages; left > 0; --left) {
    const auto least = static_cast<size_t>(std::min_element(held.begin(), held.end()) - held.begin());
    ++counts[least];
    held[least] += layer;
  }
  return counts;
}

}  // namespace headroom
