// GPTQ (ops/gptq.h), row by row. With columns in the factor's order: w'_k is a chain that starts at w_k, over the
// columns j < k ascending, fma(w_j - q_j, U_jk, .). The weights that a group's grid is found of, when its first column
// k comes: v_i of its columns i is that chain over j < k, continued over k <= j < i with fma(w_j - v_j, U_jk, .). A
// row's loss is a chain over its columns, fma(d_k (w'_k - q_k), w'_k - q_k, .), from +0.
//
// With a pull p, w is w + z first. a_k is a chain that starts at p_k: with columns in blocks [b, e) of kGptqColumns,
// over j >= e ascending, then over k < j < e descending, fma(-a_j, U_kj, .). z_k starts at a_k / d_k, over j < k
// ascending, fma(-z_j, U_jk, .).
//
// A sweep goes through the same blocks. With e = w - q and S = G + lambda I, g_k of a block's columns is a chain from
// +0 over j >= e ascending, j < b ascending, b <= j < e ascending, fma(e_j, S_jk, .). Then, where groups are no longer
// than blocks, for each of the block's groups: with c_k its codes less the zero, v_i of the block's columns a chain
// from +0 over the group's, fma(c_k, S_ki, .), and t and u chains of c_k g_k and of c_k v_k, the scale becomes
// f16(scale + t / u) if u > 0 and growth * fma(growth, u, -2 t) < 0, which the loss grows by; e_k is less by what q_k
// has grown, and g_i becomes fma(-growth, v_i, g_i). Then for its columns, ascending: the code of q_k + g_k / S_kk;
// with delta what q_k has grown by, the loss grows by delta * fma(delta, S_kk, -2 g_k), and the columns c > k of the
// block become fma(-delta, S_kc, g_c).
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

// w += z of the row's pull; `a` holds as many numbers.
void correct(const Columns& columns, const float* pull, float* a, float* w) {
  for (int64_t k = columns.count - 1; k >= 0; --k) {
    const int64_t end = std::min(columns.count, k / kGptqColumns * kGptqColumns + kGptqColumns);
    a[k] = pull[columns.order[k]];
    for (int64_t j = end; j < columns.count; ++j) a[k] = std::fma(-a[j], columns.u(k, j), a[k]);
    for (int64_t j = end - 1; j > k; --j) a[k] = std::fma(-a[j], columns.u(k, j), a[k]);
  }
  for (int64_t k = 0; k < columns.count; ++k) a[k] = a[k] / columns.d(k);
  for (int64_t k = 0; k < columns.count; ++k) {
    for (int64_t j = 0; j < k; ++j) a[k] = std::fma(-a[j], columns.u(j, k), a[k]);
    w[k] = w[k] + a[k];
  }
}

// What is known of a row: codes and grids as the weight has them, the rest in the columns' order.
struct Row {
  float* lost;   // w, and once a column has its code w - q
  float* spare;  // as many numbers
  float* v;      // kGptqColumns numbers
  CodeGrid* grids;
  uint8_t* codes;
  int64_t group;
  float loss = 0;
};

void choose(const Columns& columns, const GroupedLayout& layout, int64_t search, Row& row) {
  const auto chain = [&](int64_t k, int64_t end) {
    float w = row.lost[k];
    for (int64_t j = 0; j < end; ++j) w = std::fma(row.lost[j], columns.u(j, k), w);
    return w;
  };
  row.loss = 0;
  for (int64_t k = 0; k < columns.count; ++k) {
    CodeGrid& grid = row.grids[columns.order[k] / row.group];
    if (k % row.group == 0) {
      float* v = row.spare;
      for (int64_t i = 0; i < row.group; ++i) v[i] = chain(k + i, k);
      for (int64_t j = 0; j < row.group; ++j) {
        const float moved = row.lost[k + j] - v[j];
        for (int64_t i = j + 1; i < row.group; ++i) v[i] = std::fma(moved, columns.u(k + j, k + i), v[i]);
      }
      const auto d = [&](int64_t i) { return columns.d(k + i); };
      grid = find_grid(v, d, row.group, layout.bits, layout.has_zeros, search);
    }
    const float w = chain(k, k);
    const float code = code_on(grid, w);
    const float q = value_on(grid, code);
    row.codes[columns.order[k]] = static_cast<uint8_t>(code);
    row.lost[k] = row.lost[k] - q;
    row.loss = std::fma(columns.d(k) * (w - q), w - q, row.loss);
  }
}

void sweep(const Columns& columns, const float* diagonal, Row& row) {
  const auto s = [&](int64_t j, int64_t k) {
    return j == k ? diagonal[k] : columns.factor[std::max(j, k) * columns.count + std::min(j, k)];
  };
  float* g = row.spare;
  const auto fit_scale = [&](int64_t first, int64_t begin, int64_t end) {
    CodeGrid& grid = row.grids[columns.order[first] / row.group];
    const auto c = [&](int64_t k) { return static_cast<float>(row.codes[columns.order[k]]) - grid.zero; };
    float t = 0, u = 0;
    for (int64_t i = begin; i < end; ++i) {
      row.v[i - begin] = 0;
      for (int64_t k = first; k < first + row.group; ++k) row.v[i - begin] = std::fma(c(k), s(k, i), row.v[i - begin]);
    }
    for (int64_t k = first; k < first + row.group; ++k) {
      t = std::fma(c(k), g[k], t);
      u = std::fma(c(k), row.v[k - begin], u);
    }
    const CodeGrid better = with_scale(grid, grid.scale + t / u);
    const float growth = better.scale - grid.scale;
    const float change = growth * std::fma(growth, u, -2 * t);
    if (!(u > 0) || !(change < 0)) return;
    for (int64_t k = first; k < first + row.group; ++k) {
      const auto code = static_cast<float>(row.codes[columns.order[k]]);
      row.lost[k] = row.lost[k] - (value_on(better, code) - value_on(grid, code));
    }
    for (int64_t i = begin; i < end; ++i) g[i] = std::fma(-growth, row.v[i - begin], g[i]);
    row.loss = row.loss + change;
    grid = better;
  };
  for (int64_t begin = 0; begin < columns.count; begin += kGptqColumns) {
    const int64_t end = std::min(columns.count, begin + kGptqColumns);
    for (int64_t k = begin; k < end; ++k) {
      g[k] = 0;
      for (int64_t j = end; j < columns.count; ++j) g[k] = std::fma(row.lost[j], s(j, k), g[k]);
      for (int64_t j = 0; j < begin; ++j) g[k] = std::fma(row.lost[j], s(j, k), g[k]);
      for (int64_t j = begin; j < end; ++j) g[k] = std::fma(row.lost[j], s(j, k), g[k]);
    }
    for (int64_t k = begin; row.group <= kGptqColumns && k < end; k += row.group) fit_scale(k, begin, end);
    for (int64_t k = begin; k < end; ++k) {
      const CodeGrid& grid = row.grids[columns.order[k] / row.group];
      uint8_t& code = row.codes[columns.order[k]];
      const float q = value_on(grid, static_cast<float>(code));
      const float better = code_on(grid, q + g[k] / s(k, k));
      const float delta = value_on(grid, better) - q;
      code = static_cast<uint8_t>(better);
      row.loss = row.loss + delta * std::fma(delta, s(k, k), -2 * g[k]);
      row.lost[k] = row.lost[k] - delta;
      for (int64_t c = k + 1; c < end; ++c) g[c] = std::fma(-delta, s(k, c), g[c]);
    }
  }
}

}  // namespace

void gptq(const Invocation& call) {
  const Tensor& target = call.outputs[0];
  const GroupedFormat& format = *as_grouped(target.type.dtype);
  const GroupedLayout layout(format, target.type.shape);
  const Columns columns(call);
  Row row{};
  row.lost = reinterpret_cast<float*>(call.scratch.data());
  row.spare = row.lost + columns.count;
  row.v = row.spare + columns.count;
  row.grids = reinterpret_cast<CodeGrid*>(row.v + kGptqColumns);
  row.codes = reinterpret_cast<uint8_t*>(row.grids + layout.groups);
  row.group = layout.group;
  for (int64_t n = 0; n < layout.rows; ++n) {
    const int64_t first = n * columns.count;
    with_weights(call.inputs[0], [&](auto weight) {
      for (int64_t k = 0; k < columns.count; ++k) row.lost[k] = load_one(weight + first + columns.order[k]);
    });
    if (call.inputs.size() == 6) correct(columns, call.inputs[5].as<const float>() + first, row.spare, row.lost);
    choose(columns, layout, call.attributes.integer("search"), row);
    for (int64_t i = 0; i < call.attributes.integer("sweeps"); ++i) {
      sweep(columns, call.inputs[3].as<const float>(), row);
    }
    for (int64_t g = 0; g < layout.groups; ++g) {
      const std::span codes(row.codes + g * row.group, static_cast<size_t>(row.group));
      format.put_group(layout, first + g * row.group, codes, row.grids[g].scale_bits,
                       static_cast<uint8_t>(row.grids[g].zero), target.data);
    }
    call.outputs[1].as<float>()[n] = row.loss;
  }
  format.finish(target.type.shape, target.data, {});
}

int64_t gptq_scratch(const TypedNode& node, int threads) {
  const GroupedLayout layout(*as_grouped(node.inputs[4].dtype), node.inputs[4].shape);
  const int64_t of_row = 9 * layout.columns + 4 * kGptqColumns + static_cast<int64_t>(sizeof(CodeGrid)) * layout.groups;
  return std::max(GptqScratch(layout.rows, layout.columns, layout.groups, threads).bytes, round_up(of_row, 64));
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
