// GPTQ (ops/gptq.h), row by row. With columns in the factor's order: w'_k is a chain that starts at w_k, over the
// columns j < k ascending, fma(w_j - q_j, U_jk, .). The weights that a group's grid is found of, when its first column
// k comes: v_i of its columns i is that chain over j < k, continued over k <= j < i with fma(w_j - v_j, U_jk, .). A
// row's loss is a chain over its columns, fma(d_k (w'_k - q_k), w'_k - q_k, .), from +0.
#include "headroom/backend/code_grid.h"
#include "headroom/backend/gptq_scratch.h"
#include "headroom/backend/reference/weight_elements.h"
#include "headroom/base/grouped_format.h"

namespace headroom::reference {
namespace {

// The factor of a Gram matrix and its order.
struct Columns {
  explicit Columns(const Invocation& call)
      : factor(call.inputs[1].as<const float>()),
        order(call.inputs[2].as<const int32_t>()),
        count(call.inputs[1].dim(0)) {}

  float u(int64_t j, int64_t k) const { return factor[j * count + k]; }
  float d(int64_t k) const { return factor[k * count + k]; }

  const float* factor;
  const int32_t* order;
  int64_t count;
};

}  // namespace

void gptq(const Invocation& call) {
  const Tensor& target = call.outputs[0];
  const GroupedFormat& format = *as_grouped(target.type.dtype);
  const GroupedLayout layout(format, target.type.shape);
  const Columns columns(call);
  const int64_t search = call.attributes.integer("search");
  const int64_t group = layout.group;
  auto* lost = reinterpret_cast<float*>(call.scratch.data());  // of a row, in order: w, then w - q
  float* range = lost + columns.count;                         // v of a group
  auto* codes = reinterpret_cast<uint8_t*>(range + columns.count);
  for (int64_t row = 0; row < layout.rows; ++row) {
    with_weights(call.inputs[0], [&](auto weight) {
      for (int64_t k = 0; k < columns.count; ++k) lost[k] = load_one(weight + row * columns.count + columns.order[k]);
    });
    const auto chain = [&](int64_t k, int64_t end) {
      float w = lost[k];
      for (int64_t j = 0; j < end; ++j) w = std::fma(lost[j], columns.u(j, k), w);
      return w;
    };
    float loss = 0;
    CodeGrid grid;
    for (int64_t k = 0; k < columns.count; ++k) {
      if (k % group == 0) {
        for (int64_t i = 0; i < group; ++i) range[i] = chain(k + i, k);
        for (int64_t j = 0; j < group; ++j) {
          const float moved = lost[k + j] - range[j];
          for (int64_t i = j + 1; i < group; ++i) range[i] = std::fma(moved, columns.u(k + j, k + i), range[i]);
        }
        grid = find_grid(
            range, [&](int64_t i) { return columns.d(k + i); }, group, layout.bits, layout.has_zeros, search);
      }
      const float w = chain(k, k);
      const float code = code_on(grid, w);
      const float q = value_on(grid, code);
      lost[k] = lost[k] - q;
      loss = std::fma(columns.d(k) * (w - q), w - q, loss);
      codes[columns.order[k] % group] = static_cast<uint8_t>(code);
      if ((k + 1) % group == 0) {
        const int64_t first = columns.order[k] / group * group;
        format.put_group(layout, row * columns.count + first, {codes, static_cast<size_t>(group)}, grid.scale_bits,
                         static_cast<uint8_t>(grid.zero), target.data);
      }
    }
    call.outputs[1].as<float>()[row] = loss;
  }
  format.finish(target.type.shape, target.data, {});
}

int64_t gptq_scratch(const TypedNode& node, int threads) {
  const GroupedLayout layout(*as_grouped(node.inputs[3].dtype), node.inputs[3].shape);
  return std::max(GptqScratch(layout.rows, layout.columns, layout.groups, threads).bytes,
                  round_up(9 * layout.columns, 64));
}

// With e = w - q in the factor's order: z_k a chain that starts at e_k, over j < k ascending, fma(e_j, U_jk, .); the
// loss a chain over k, fma(d_k z_k, z_k, .), from +0.
void gram_losses(const Invocation& call) {
  const Columns columns(call);
  auto* lost = reinterpret_cast<float*>(call.scratch.data());
  for (int64_t row = 0; row < call.inputs[0].dim(0); ++row) {
    const auto element = [&](const Tensor& tensor, int64_t k) {
      float value = 0;
      with_weights(tensor, [&](auto first) { value = load_one(first + row * columns.count + columns.order[k]); });
      return value;
    };
    for (int64_t k = 0; k < columns.count; ++k) {
      lost[k] = element(call.inputs[0], k);
      if (call.inputs.size() == 4) lost[k] = lost[k] - element(call.inputs[3], k);
    }
    float loss = 0;
    for (int64_t k = 0; k < columns.count; ++k) {
      float z = lost[k];
      for (int64_t j = 0; j < k; ++j) z = std::fma(lost[j], columns.u(j, k), z);
      loss = std::fma(columns.d(k) * z, z, loss);
    }
    call.outputs[0].as<float>()[row] = loss;
  }
}

int64_t gram_losses_scratch(const TypedNode& node, int threads) {
  return GptqScratch(node.inputs[0].shape[0], node.inputs[0].shape[1], 0, threads).bytes;
}

}  // namespace headroom::reference

HEADROOM_KERNEL(gptq, gptq_scratch);
HEADROOM_KERNEL(gram_losses, gram_losses_scratch);
