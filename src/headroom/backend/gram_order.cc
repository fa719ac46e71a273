#include "headroom/backend/gram_order.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace headroom {

void order_columns(const float* gram, int64_t group, std::span<int32_t> order) {
  const auto columns = static_cast<int64_t>(order.size());
  const auto weight = [=](int64_t column) { return gram[column * (columns + 1)]; };
  const auto is_heavier = [&](int32_t a, int32_t b) {
    return weight(a) > weight(b) || (weight(a) == weight(b) && a < b);
  };
  std::iota(order.begin(), order.end(), 0);
  // Within each group, so that its first is its heaviest; then the groups by that, each moved whole.
  for (int64_t first = 0; first < columns; first += group) {
    std::sort(order.begin() + first, order.begin() + first + group, is_heavier);
  }
  for (int64_t to = 0; to < columns; to += group) {
    int64_t heaviest = to;
    for (int64_t from = to + group; from < columns; from += group) {
      if (is_heavier(order[static_cast<size_t>(from)], order[static_cast<size_t>(heaviest)])) heaviest = from;
    }
    std::swap_ranges(order.begin() + to, order.begin() + to + group, order.begin() + heaviest);
  }
}

void permute_gram(float* gram, std::span<const int32_t> order, Threads& threads, float* scratch) {
  const auto columns = static_cast<int64_t>(order.size());
  const auto row_bytes = static_cast<size_t>(columns) * sizeof(float);
  threads.split(columns, 1, [&](int64_t begin, int64_t end, int thread) {
    float* spare = scratch + thread * columns;
    for (int64_t row = begin; row < end; ++row) {
      float* elements = gram + row * columns;
      for (size_t to = 0; to < order.size(); ++to) spare[to] = elements[order[to]];
      std::memcpy(elements, spare, row_bytes);
    }
  });
  // Rows along the cycles of the order, each walked from its lowest.
  for (int64_t first = 0; first < columns; ++first) {
    int64_t from = order[static_cast<size_t>(first)];
    while (from > first) from = order[static_cast<size_t>(from)];
    if (from < first || order[static_cast<size_t>(first)] == first) continue;
    std::memcpy(scratch, gram + first * columns, row_bytes);
    int64_t to = first;
    for (from = order[static_cast<size_t>(to)]; from != first; from = order[static_cast<size_t>(to)]) {
      std::memcpy(gram + to * columns, gram + from * columns, row_bytes);
      to = from;
    }
    std::memcpy(gram + to * columns, scratch, row_bytes);
  }
}

float damping_of(const float* gram, int64_t columns, double damping) {
  double sum = 0;
  for (int64_t i = 0; i < columns; ++i) sum += static_cast<double>(gram[i * (columns + 1)]);
  return static_cast<float>(damping * (sum / static_cast<double>(columns)));
}

}  // namespace headroom
