#include "headroom/api/gguf_tensors.h"

#include <algorithm>
#include <numeric>

#include "headroom/base/interleaved_rows.h"
#include "headroom/formats/gguf/gguf_names.h"

namespace headroom {
namespace {

// Elements of a tensor from its row `row`, column `column` on.
void read_run(const WeightTensor& tensor, int64_t row, int64_t column, int64_t count, float* out) {
  const Shape& shape = tensor.stored.shape;
  tensor.read(row * (shape.elements() / shape[0]) + column, count, DType::f32, out, NanCheck::refuse);
}

// Calls read(row, column, run, out) for pieces of rows of `columns` elements.
template <class Read>
void for_each_row(int64_t columns, int64_t first, int64_t count, float* out, Read read) {
  for (int64_t done = 0; done < count;) {
    const int64_t row = (first + done) / columns, column = (first + done) % columns;
    const int64_t run = std::min(columns - column, count - done);
    read(row, column, run, out + done);
    done += run;
  }
}

}  // namespace

Shape GgufSource::shape() const {
  const Shape& one = tensors.front().stored.shape;
  switch (order) {
    case Order::keys: return {latent_rows.heads, one[1], latent_rows.of_key};
    case Order::values: return {latent_rows.heads, latent_rows.of_value, one[1]};
    default: break;
  }
  return tensors.size() == 1 ? one : Shape{static_cast<int64_t>(tensors.size()), one[0], one[1]};
}

int64_t GgufSource::size_bytes() const {
  return std::accumulate(tensors.begin(), tensors.end(), int64_t{0},
                         [](int64_t sum, const WeightTensor& tensor) { return sum + tensor.stored.size_bytes; });
}

void GgufSource::read(int64_t first, int64_t count, float* out) const {
  const WeightTensor& tensor = tensors.front();
  const Shape& one = tensor.stored.shape;
  const int64_t of_head = latent_rows.of_key + latent_rows.of_value;
  switch (order) {
    case Order::rows:
      return for_each_row(one.elements(), first, count, out, [&](int64_t n, int64_t at, int64_t run, float* to) {
        tensors[static_cast<size_t>(n)].read(at, run, DType::f32, to, NanCheck::refuse);
      });
    case Order::interleaved:
      return for_each_row(one.elements() / one[0], first, count, out,
                          [&](int64_t row, int64_t at, int64_t run, float* to) {
                            read_run(tensor, halved_row(row, head_dim), at, run, to);
                          });
    case Order::values:
      return for_each_row(one[1], first, count, out, [&](int64_t row, int64_t at, int64_t run, float* to) {
        const int64_t head = row / latent_rows.of_value;
        read_run(tensor, head * of_head + latent_rows.of_key + row % latent_rows.of_value, at, run, to);
      });
    case Order::keys: break;
  }
  const int64_t of_key = latent_rows.of_key, latents = one[1];
  std::vector<float> rows(static_cast<size_t>(of_key * latents));
  for_each_row(of_key * latents, first, count, out, [&](int64_t head, int64_t at, int64_t run, float* to) {
    read_run(tensor, head * of_head, 0, of_key * latents, rows.data());
    for (int64_t i = 0; i < run; ++i) {
      const int64_t latent = (at + i) / of_key, n = (at + i) % of_key;
      to[i] = rows[static_cast<size_t>(n * latents + latent)];
    }
  });
}

void add_gguf_sources(const WeightTensor& tensor, const std::string& name, const GgufArchitecture& architecture,
                      int64_t head_dim, const LatentRows& latent_rows, std::vector<GgufSource>& sources,
                      std::vector<std::string>& names) {
  using Order = GgufSource::Order;
  constexpr std::string_view kBoth = "attn_kv_b.weight";
  if (!names.empty() && names.back() == name && expert_names(name)) {
    sources.back().tensors.push_back(tensor);
    return;
  }
  const auto add = [&](const std::string& as, Order order) {
    sources.push_back({{tensor}, order, head_dim, latent_rows});
    names.push_back(as);
  };
  if (architecture.has_latents && name.ends_with(kBoth)) {
    const std::string layer = name.substr(0, name.size() - kBoth.size());
    add(layer + "attn_k_b.weight", Order::keys);
    add(layer + "attn_v_b.weight", Order::values);
    return;
  }
  const bool interleaved = architecture.interleaved && rotary_projection(name) != RotaryProjection::none;
  add(name, interleaved ? Order::interleaved : Order::rows);
}

}  // namespace headroom
