// matmul_int8 of many rows by AMX: a tile is 16 rows, a line of 64 bytes each. Two strips of rows by two panels make
// four tiles of sums, which leave for the vectors after every group.
#pragma once

#include "headroom/backend/cpu/byte_block.h"

namespace headroom::HEADROOM_ISA {

inline constexpr int64_t kTileStrip = 16;  // rows
inline constexpr int64_t kTilePanels = 2;

// Elements of a row in a tile.
constexpr int64_t tile_line(int64_t group) { return group < 64 ? group : 64; }

// Rows and bytes of each tile, as the processor takes them.
class TileShapes {
 public:
  void set(int tile, int64_t rows, int64_t row_bytes) {
    config_.rows[tile] = static_cast<uint8_t>(rows);
    config_.row_bytes[tile] = static_cast<uint16_t>(row_bytes);
  }
  void load() const {
    asm volatile("" : : "r"(&config_) : "memory");  // GCC 12 takes the instruction to read no more than 8 bytes
    _tile_loadconfig(&config_);
  }

 private:
  struct {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
  } config_;
};

// The tiles of this thread, while it lives: 0 to 3 sums, of strip i and panel p in 2 i + p; 4 and 5 rows; 6 and 7
// weights.
class ByteTiles {
 public:
  explicit ByteTiles(int64_t line) {
    TileShapes shapes;
    for (const int sums : {0, 1, 2, 3}) shapes.set(sums, kTileStrip, kLineBytes);
    for (const int rows : {4, 5}) shapes.set(rows, kTileStrip, line);
    for (const int weights : {6, 7}) shapes.set(weights, line / 4, kLineBytes);
    shapes.load();
  }
  ~ByteTiles() { _tile_release(); }
  ByteTiles(const ByteTiles&) = delete;
  ByteTiles& operator=(const ByteTiles&) = delete;

  // Once the codes are unpacked; rows lie in strips of kTileStrip with lines as long as a tile's.
  void multiply(const ByteBlockCall& call) const {
    int64_t t = call.row;
    for (; t + kTileStrip < call.row_end; t += 2 * kTileStrip) multiply_strips<2>(call, t);
    if (t < call.row_end) multiply_strips<1>(call, t);
  }

 private:
  template <int kStrips>
  static void multiply_strips(const ByteBlockCall& call, int64_t t) {
    if (call.panels == kTilePanels) return multiply_groups<kStrips, kTilePanels>(call, t);
    multiply_groups<kStrips, 1>(call, t);
  }

  // While the tiles multiply a group, the vectors take the products of the one before it.
  template <int kStrips, int kPanels>
  static void multiply_groups(const ByteBlockCall& call, int64_t t) {
    alignas(64) int32_t products[kStrips][kPanels][kTileStrip * kPanelRows];
    const int64_t group = call.rows.scratch.group;
    for (int64_t g = call.group; g <= call.group_end; ++g) {
      if (g < call.group_end) multiply_group<kStrips, kPanels>(call, t, g * group, (g - call.group) * group);
      for (int p = 0; g > call.group && p < kPanels; ++p) {
        const PanelGroup of_panel = call.group_of(p, g - 1);
        for (int strip = 0; strip < kStrips; ++strip) {
          add_products(call, t + strip * kTileStrip, g - 1, p, of_panel, products[strip][p]);
        }
      }
      if (g < call.group_end) store_tiles<kStrips, kPanels>(products);
    }
  }

  template <int kStrips, int kPanels>
  HEADROOM_INLINE static void store_tiles(int32_t (&products)[kStrips][kPanels][kTileStrip * kPanelRows]) {
    _tile_stored(0, products[0][0], kLineBytes);
    if constexpr (kPanels == 2) _tile_stored(1, products[0][1], kLineBytes);
    if constexpr (kStrips == 2) _tile_stored(2, products[1][0], kLineBytes);
    if constexpr (kStrips == 2 && kPanels == 2) _tile_stored(3, products[1][1], kLineBytes);
  }

  // `k` of the rows, `at` of the unpacked codes.
  template <int kStrips, int kPanels>
  HEADROOM_INLINE static void multiply_group(const ByteBlockCall& call, int64_t t, int64_t k, int64_t at) {
    const RoundedRows& rows = call.rows;
    _tile_zero(0);
    if constexpr (kPanels == 2) _tile_zero(1);
    if constexpr (kStrips == 2) _tile_zero(2);
    if constexpr (kStrips == 2 && kPanels == 2) _tile_zero(3);
    for (int64_t i = 0; i < rows.scratch.group; i += rows.line) {
      const uint8_t* weights = call.codes + (at + i) * kPanelRows;
      _tile_loadd(6, weights, kLineBytes);
      if constexpr (kPanels == 2) _tile_loadd(7, weights + kBlockPanelBytes, kLineBytes);
      _tile_loadd(4, rows.codes(t, k + i), rows.line);
      _tile_dpbsud(0, 4, 6);
      if constexpr (kPanels == 2) _tile_dpbsud(1, 4, 7);
      if constexpr (kStrips == 2) {
        _tile_loadd(5, rows.codes(t + kTileStrip, k + i), rows.line);
        _tile_dpbsud(2, 5, 6);
        if constexpr (kPanels == 2) _tile_dpbsud(3, 5, 7);
      }
    }
  }

  // A tile of products to the sums of the strip's rows, those beyond the last one of the block left out.
  static void add_products(const ByteBlockCall& call, int64_t t, int64_t g, int64_t p, const PanelGroup& of_panel,
                           const int32_t* products) {
    const float* scales = call.rows.scale(t, g);
    const int32_t* code_sums = call.rows.sum(t, g);
    float* sums = call.sums + (t - call.row) * kBlockSums + p * kPanelRows;
    const auto row = [&](int64_t r) __attribute__((always_inline)) {
      const I32x16 product = subtract_zeros<4>(load_integers(products + r * kPanelRows), of_panel.zero, code_sums[r]);
      float* sum = sums + r * kBlockSums;
      store(sum, fma(to_f32(product), F32x16(scales[r]) * of_panel.scale, load(sum)));
    };
    if (t + kTileStrip <= call.row_end) {
#pragma GCC unroll 16
      for (int64_t r = 0; r < kTileStrip; ++r) row(r);
    } else {
      for (int64_t r = 0; r < call.row_end - t; ++r) row(r);
    }
  }
};

}  // namespace headroom::HEADROOM_ISA
