// GPTQ (ops/gptq.h) and the losses by a Gram matrix, on tiles of the weight (gram_tile.h).
#include <algorithm>

#include "headroom/backend/code_grid.h"
#include "headroom/backend/cpu/gram_tile.h"
#include "headroom/base/grouped_format.h"

namespace headroom::HEADROOM_ISA {
namespace {

// The codes of a tile's rows.
class TileCodes {
 public:
  TileCodes(const Invocation& call, const GptqScratch& scratch, const GramTile& tile)
      : tile_(tile),
        target_(call.outputs[0]),
        format_(*as_grouped(target_.type.dtype)),
        layout_(format_, target_.type.shape),
        search_(call.attributes.integer("search")),
        losses_(call.outputs[1].as<float>()),
        grids_(reinterpret_cast<int32_t*>(call.scratch.data() + scratch.grids_at)),
        codes_(reinterpret_cast<uint8_t*>(call.scratch.data() + scratch.codes_at)) {}

  // Of row `i` of the tile in the block's columns.
  void find(const TileRows& rows, int64_t i, const TileColumns& block) const {
    float* w = tile_.block_row(i);
    float* lost = tile_.row(i);
    uint8_t* codes = codes_ + i * layout_.columns;
    float& loss = losses_[rows.first + i];
    if (block.begin == 0) loss = 0;
    CodeGrid grid;
    if (block.begin % layout_.group != 0) grid = grid_of(i, block.begin);
    for (int64_t k = block.begin; k < block.end; ++k) {
      const int64_t at = k - block.begin;
      if (k % layout_.group == 0) {
        grid = find_grid_of(w, lost, block, at);
        int32_t* kept = kept_grid(i, k);
        kept[0] = grid.scale_bits;
        kept[1] = static_cast<int32_t>(grid.zero);
      }
      const float code = code_on(grid, w[at]);
      const float q = value_on(grid, code);
      const float rounded = w[at] - q;
      loss = __builtin_fmaf(tile_.d(k) * rounded, rounded, loss);
      codes[tile_.column(k)] = static_cast<uint8_t>(code);
      lost[k] = lost[k] - q;
      add_scaled(lost[k], tile_.triangle_row(at), w, at + 1, block.size());
    }
  }

  // The best scales and codes of row `i` beside all others, as they are, in the block's columns; the block holds what
  // begin_sweep has put there.
  void refine(const TileRows& rows, int64_t i, const TileColumns& block) const {
    float* g = tile_.block_row(i);
    float* lost = tile_.row(i) + block.begin;
    uint8_t* codes = codes_ + i * layout_.columns;
    float& loss = losses_[rows.first + i];
    for (int64_t k = 0; layout_.group <= kGptqColumns && k < block.size(); k += layout_.group) {
      loss = loss + fit_scale(i, block, k);
    }
    for (int64_t k = 0; k < block.size(); ++k) {
      const CodeGrid grid = grid_of(i, block.begin + k);
      uint8_t& code = codes[tile_.column(block.begin + k)];
      const float s = tile_.triangle_row(k)[k];
      const float q = value_on(grid, static_cast<float>(code));
      const float better = code_on(grid, q + g[k] / s);
      const float delta = value_on(grid, better) - q;
      code = static_cast<uint8_t>(better);
      loss = loss + delta * __builtin_fmaf(delta, s, -2 * g[k]);
      lost[k] = lost[k] - delta;
      add_scaled(-delta, tile_.triangle_row(k), g, k + 1, block.size());
    }
  }

  // Of all columns of the tile's row `i`, into the tensor.
  void put(const TileRows& rows, int64_t i) const {
    for (int64_t g = 0; g < layout_.groups; ++g) {
      const int32_t* kept = grids_ + 2 * (i * layout_.groups + g);
      const std::span codes(codes_ + i * layout_.columns + g * layout_.group, static_cast<size_t>(layout_.group));
      format_.put_group(layout_, (rows.first + i) * layout_.columns + g * layout_.group, codes,
                        static_cast<uint16_t>(kept[0]), static_cast<uint8_t>(kept[1]), target_.data);
    }
  }

  void finish() const { format_.finish(target_.type.shape, target_.data, {}); }

 private:
  // By the group as the weight has it that holds column k in the factor's order.
  int32_t* kept_grid(int64_t i, int64_t k) const {
    return grids_ + 2 * (i * layout_.groups + tile_.column(k) / layout_.group);
  }

  // Of the group whose first column is that of the block at `at`. Returns what the loss grows by.
  float fit_scale(int64_t i, const TileColumns& block, int64_t at) const {
    const CodeGrid grid = grid_of(i, block.begin + at);
    float* g = tile_.block_row(i);
    float* lost = tile_.row(i) + block.begin;
    alignas(64) float codes[kGptqColumns];
    alignas(64) float v[kGptqColumns] = {};
    for (int64_t k = 0; k < layout_.group; ++k) {
      codes[k] = static_cast<float>(codes_[i * layout_.columns + tile_.column(block.begin + at + k)]);
      add_scaled(codes[k] - grid.zero, tile_.triangle_row(at + k), v, 0, block.size());
    }
    float t = 0, u = 0;
    for (int64_t k = 0; k < layout_.group; ++k) {
      t = __builtin_fmaf(codes[k] - grid.zero, g[at + k], t);
      u = __builtin_fmaf(codes[k] - grid.zero, v[at + k], u);
    }
    const CodeGrid better = with_scale(grid, grid.scale + t / u);
    const float growth = better.scale - grid.scale;
    const float change = growth * __builtin_fmaf(growth, u, -2 * t);
    if (!(u > 0) || !(change < 0)) return 0;
    for (int64_t k = 0; k < layout_.group; ++k) {
      lost[at + k] = lost[at + k] - (value_on(better, codes[k]) - value_on(grid, codes[k]));
    }
    add_scaled(-growth, v, g, 0, block.size());
    kept_grid(i, block.begin + at)[0] = better.scale_bits;
    return change;
  }

  CodeGrid grid_of(int64_t i, int64_t k) const {
    const int32_t* kept = kept_grid(i, k);
    const auto bits = static_cast<uint16_t>(kept[0]);
    return {f16_to_f32(bits), static_cast<float>(kept[1]), static_cast<float>((1 << layout_.bits) - 1), bits};
  }

  // Of the group whose first column is that of the block at `at`; of a row that is one group, of the row as it is.
  CodeGrid find_grid_of(const float* w, const float* lost, const TileColumns& block, int64_t at) const {
    const int64_t first = block.begin + at;
    const auto find = [&](const float* group) {
      return find_grid(
          group, [&](int64_t k) { return tile_.d(first + k); }, layout_.group, layout_.bits, layout_.has_zeros,
          search_);
    };
    if (layout_.group > kGptqColumns) return find(lost);
    alignas(64) float moved[kGptqColumns];
    std::copy_n(w + at, layout_.group, moved);
    for (int64_t j = 0; j < layout_.group; ++j) {
      add_scaled(lost[first + j] - moved[j], tile_.triangle_row(at + j) + at, moved, j + 1, layout_.group);
    }
    return find(moved);
  }

  const GramTile& tile_;
  const Tensor& target_;
  const GroupedFormat& format_;
  GroupedLayout layout_;
  int64_t search_;
  float* losses_;
  int32_t* grids_;
  uint8_t* codes_;
};

}  // namespace

void gptq(const Invocation& call) {
  const GroupedLayout layout(*as_grouped(call.outputs[0].type.dtype), call.outputs[0].type.shape);
  const GptqScratch scratch(layout.rows, layout.columns, layout.groups, call.threads.count());
  const float* diagonal = call.inputs[3].as<const float>();
  GramTile tile(call, scratch);
  const TileCodes codes(call, scratch, tile);
  for (int64_t first = 0; first < layout.rows; first += scratch.tile_rows) {
    const TileRows rows{first, std::min(scratch.tile_rows, layout.rows - first)};
    if (call.inputs.size() == 6) {
      tile.load_corrected(rows, call.inputs[0], call.inputs[5]);
    } else {
      tile.load(rows, call.inputs[0], nullptr);
    }
    tile.for_each_block([&](const TileColumns& block) {
      tile.begin_block(rows, block);
      tile.for_rows(rows, [&](int64_t i) { codes.find(rows, i, block); });
    });
    for (int64_t sweep = 0; sweep < call.attributes.integer("sweeps"); ++sweep) {
      tile.for_each_block([&](const TileColumns& block) {
        tile.begin_sweep(rows, block, diagonal);
        tile.for_rows(rows, [&](int64_t i) { codes.refine(rows, i, block); });
      });
    }
    tile.for_rows(rows, [&](int64_t i) { codes.put(rows, i); });
  }
  codes.finish();
}

void gram_losses(const Invocation& call) {
  const int64_t all_rows = call.inputs[0].dim(0);
  const GptqScratch scratch(all_rows, call.inputs[0].dim(1), 0, call.threads.count());
  GramTile tile(call, scratch);
  float* losses = call.outputs[0].as<float>();
  for (int64_t first = 0; first < all_rows; first += scratch.tile_rows) {
    const TileRows rows{first, std::min(scratch.tile_rows, all_rows - first)};
    tile.load(rows, call.inputs[0], call.inputs.size() == 4 ? &call.inputs[3] : nullptr);
    tile.for_each_block([&](const TileColumns& block) {
      tile.begin_block(rows, block);
      tile.for_rows(rows, [&](int64_t i) {
        float* z = tile.block_row(i);
        float loss = block.begin == 0 ? 0 : losses[first + i];
        for (int64_t k = 0; k < block.size(); ++k) {
          loss = __builtin_fmaf(tile.d(block.begin + k) * z[k], z[k], loss);
          add_scaled(tile.row(i)[block.begin + k], tile.triangle_row(k), z, k + 1, block.size());
        }
        losses[first + i] = loss;
      });
    });
  }
}

}  // namespace headroom::HEADROOM_ISA

HEADROOM_KERNEL(gptq);
HEADROOM_KERNEL(gram_losses);
