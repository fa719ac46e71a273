// Keys and values in the formats of caches (base/cache_format.h) for attention: read by panels of 16 rows, decoded in
// registers on their way into the products of few rows, or into the packed tiles of many.
//   D head size
#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "headroom/backend/cpu/attention_few_rows.h"
#include "headroom/base/cache_format.h"

namespace headroom::HEADROOM_ISA {

// Groups that vectors decode; kernels read others as their definition says.
inline constexpr int64_t kCacheGroup = 32;
inline constexpr int64_t kCacheLine = 64;  // bytes

// One head of a cache. Rows are those of the cache; elements those of the head.
class CacheHead {
 public:
  CacheHead(const Tensor& cache, const CacheLayout& layout, int64_t kv_head, int64_t head_size)
      : cache_(&cache),
        layout_(&layout),
        first_(kv_head * head_size),
        group_(first_ / layout.group),
        size_(head_size) {}

  int64_t groups() const { return size_ / layout_->group; }
  int64_t size() const { return size_; }

  // Of the panel that begins with row `row`, a multiple of 16, and group `group` of the head.
  HEADROOM_INLINE const uint8_t* codes(int64_t row, int64_t group) const {
    return panel(row) + (group_ + group) * layout_->group_bytes();
  }
  HEADROOM_INLINE F32x16 scales(int64_t row, int64_t group) const { return numbers(row, group, layout_->scales_at()); }
  HEADROOM_INLINE F32x16 lows(int64_t row, int64_t group) const { return numbers(row, group, layout_->lows_at()); }

  // Asks for the scales and lows of the panel's group, which are a line.
  HEADROOM_INLINE void ask_numbers(int64_t row, int64_t group) const {
    prefetch<1>(codes(row, group), layout_->scales_at());
  }

  // The head's elements of a row, in f32.
  void decode_row(int64_t row, float* out) const {
    const Shape& shape = cache_->type.shape;
    block_format(cache_->type.dtype).decode(shape, cache_->data, row * shape[1] + first_, size_, out);
  }

 private:
  HEADROOM_INLINE const uint8_t* panel(int64_t row) const {
    return cache_->as<const uint8_t>() + row / kCachePanelRows * layout_->panel_bytes;
  }
  HEADROOM_INLINE F32x16 numbers(int64_t row, int64_t group, int64_t at) const {
    return load(reinterpret_cast<const F16*>(codes(row, group) + at));
  }

  const Tensor* cache_;
  const CacheLayout* layout_;
  int64_t first_;  // element of a row
  int64_t group_;  // of a row
  int64_t size_;
};

// Keys and values of a head from a row on. What comes ahead is asked for, whole, though there may be less of it.
struct CacheRows {
  CacheHead keys;
  CacheHead values;
  int64_t first;
};

// Codes of 4 bits as floats: the low and the high halves of sixteen bytes that stand in lanes.
#if defined(__AVX512F__)
class HalfCodes {
 public:
  HalfCodes() : numbers_(to_f32(lane_numbers())) {}
  // The permutation looks at four bits.
  HEADROOM_INLINE F32x16 low(I32x16 bytes) const { return F32x16(_mm512_permutexvar_ps(bytes.v, numbers_.v)); }
  HEADROOM_INLINE F32x16 high(I32x16 bytes) const { return low(shift_right_logical<4>(bytes)); }

 private:
  F32x16 numbers_;
};
#else
struct HalfCodes {
  HEADROOM_INLINE F32x16 low(I32x16 bytes) const { return to_f32(bytes & I32x16(15)); }
  HEADROOM_INLINE F32x16 high(I32x16 bytes) const { return to_f32(shift_right_logical<4>(bytes)); }
};
#endif

// What 16 bytes or twice as many hold: of keys a step, of values two of them a row's 32 elements.
template <int kBits>
class CacheCodec {
 public:
  static constexpr bool kIsScaled = true;
  static constexpr int kElements = 8 / kBits;  // of a row, in a step
  static constexpr int64_t kStepBytes = kLanes;
  static constexpr int64_t kRowBytes = kCacheGroup * kBits / 8;

  // The elements of a step.
  HEADROOM_INLINE void decode_step(const uint8_t* from, F32x16 scale, F32x16 low, F32x16 (&out)[kElements]) const {
    const I32x16 bytes = load_bytes(from);
    if constexpr (kBits == 8) {
      out[0] = fma(to_f32(bytes), scale, low);
    } else {
      out[0] = fma(half_.low(bytes), scale, low);
      out[1] = fma(half_.high(bytes), scale, low);
    }
  }
  // A row's 32 elements of a group.
  HEADROOM_INLINE void decode_row(const uint8_t* from, F32x16 scale, F32x16 low, F32x16* out) const {
    if constexpr (kBits == 8) {
      out[0] = fma(to_f32(load_bytes(from)), scale, low);
      out[1] = fma(to_f32(load_bytes(from + kLanes)), scale, low);
    } else {
      const I32x16 bytes = load_bytes(from);
      out[0] = fma(half_.low(bytes), scale, low);
      out[1] = fma(half_.high(bytes), scale, low);
    }
  }

 private:
  HalfCodes half_;
};

// The same of f32, bf16 and f16.
template <class Number>
class CacheNumbers {
 public:
  static constexpr bool kIsScaled = false;
  static constexpr int kElements = 1;
  static constexpr int64_t kStepBytes = kLanes * static_cast<int64_t>(sizeof(Number));
  static constexpr int64_t kRowBytes = 2 * kStepBytes;

  HEADROOM_INLINE void decode_step(const uint8_t* from, F32x16, F32x16, F32x16 (&out)[1]) const {
    out[0] = load(reinterpret_cast<const Number*>(from));
  }
  HEADROOM_INLINE void decode_row(const uint8_t* from, F32x16, F32x16, F32x16* out) const {
    out[0] = load(reinterpret_cast<const Number*>(from));
    out[1] = load(reinterpret_cast<const Number*>(from) + kLanes);
  }
};

// scores[r, j] = the chain over d of q[r, d] * keys[j, d] for kRows rows and kPanels panels of keys. Rows of q are
// q_stride apart, those of scores 64.
template <class Codec, int kRows, int kPanels>
void score_panels(const float* q, int64_t q_stride, const CacheHead& keys, int64_t row, float* scores,
                  const CacheHead& ahead, int64_t ahead_row) {
  const Codec codec;
  F32x16 sums[kRows][kPanels];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p) sums[r][p] = F32x16(0.0f);
  }
  for (int64_t group = 0; group < keys.groups(); ++group) {
    const uint8_t *codes[kPanels], *next_codes[kPanels];
    F32x16 scale[kPanels] = {}, low[kPanels] = {};
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p) {
      codes[p] = keys.codes(row + p * kCachePanelRows, group);
      next_codes[p] = ahead.codes(ahead_row + p * kCachePanelRows, group);
      if constexpr (Codec::kIsScaled) {
        scale[p] = keys.scales(row + p * kCachePanelRows, group);
        low[p] = keys.lows(row + p * kCachePanelRows, group);
        ahead.ask_numbers(ahead_row + p * kCachePanelRows, group);
      }
    }
    const float* factors = q + group * kCacheGroup;
    // A line of each panel at a time, and as many asked for: more at once would wait for each other.
    constexpr int64_t kSteps = kCacheLine / Codec::kStepBytes;
    for (int64_t at = 0; at < kCacheGroup / Codec::kElements; at += kSteps) {
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) prefetch<1>(next_codes[p], at * Codec::kStepBytes);
#pragma GCC unroll 4
      for (int64_t step = at; step < at + kSteps; ++step) {
#pragma GCC unroll 4
        for (int p = 0; p < kPanels; ++p) {
          F32x16 columns[Codec::kElements];
          codec.decode_step(codes[p] + step * Codec::kStepBytes, scale[p], low[p], columns);
#pragma GCC unroll 2
          for (int i = 0; i < Codec::kElements; ++i) {
#pragma GCC unroll 8
            for (int r = 0; r < kRows; ++r) {
              sums[r][p] = fma(F32x16(factors[r * q_stride + step * Codec::kElements + i]), columns[i], sums[r][p]);
            }
          }
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p) store(scores + r * kKeyBlock + p * kCachePanelRows, sums[r][p]);
  }
}

// Panels that pass kRows rows at once: as many as registers hold.
constexpr int panels_beside(int rows) {
  if (kWideRegisters) return rows <= 4 ? 4 : 2;
  return rows == 1 ? 2 : 1;
}

template <class Codec, int kRows>
void score_strip_of_cache(const float* q, int64_t q_stride, const CacheRows& from, float* scores,
                          const CacheRows& ahead) {
  constexpr int kPanels = panels_beside(kRows);
  for (int64_t j = 0; j < kKeyBlock; j += kPanels * kCachePanelRows) {
    score_panels<Codec, kRows, kPanels>(q, q_stride, from.keys, from.first + j, scores + j, ahead.keys,
                                        ahead.first + j);
  }
}

template <class Codec, size_t... kRowsBelow>
constexpr auto cache_strip_functions(std::index_sequence<kRowsBelow...>) {
  return std::array{&score_strip_of_cache<Codec, static_cast<int>(kRowsBelow) + 1>...};
}

// The scores of `rows` rows, at most kFewRows, with a whole block of keys.
template <class Codec>
void score_cache_block(const float* q, int64_t q_stride, int64_t rows, const CacheRows& from, float* scores,
                       const CacheRows& ahead) {
  static constexpr auto kFunctions = cache_strip_functions<Codec>(std::make_index_sequence<kStripHeight>());
  for (int64_t row = 0; row < rows; row += kStripHeight) {
    const int64_t height = std::min<int64_t>(kStripHeight, rows - row);
    kFunctions[static_cast<size_t>(height - 1)](q + row * q_stride, q_stride, from, scores + row * kKeyBlock, ahead);
  }
}

// Scales and lows of a block of values, one after the other, so that products take them by one element: [4 panels,
// groups, 2, 16].
inline void load_cache_numbers(const CacheRows& from, float* numbers) {
  for (int64_t j = 0; j < kKeyBlock; j += kCachePanelRows) {
    for (int64_t group = 0; group < from.values.groups(); ++group) {
      store(numbers, from.values.scales(from.first + j, group));
      store(numbers + kLanes, from.values.lows(from.first + j, group));
      numbers += 2 * kLanes;
    }
  }
}

// c[r, d] for kRows rows and kGroups groups of the head from `group` on, as SmallProduct says, the values for b.
template <class Codec, int kRows, int kGroups>
void multiply_cache_groups(const SmallProduct& product, int64_t row, const CacheRows& from, const float* numbers,
                           int64_t group, const CacheRows& ahead) {
  constexpr int kVectors = 2 * kGroups;
  const Codec codec;
  const CacheHead& values = from.values;
  float* c = product.c + row * product.c_row + group * kCacheGroup;
  const float* a = product.a + row * product.a_row;
  F32x16 sums[kRows][kVectors];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      sums[r][j] = product.from_zero ? F32x16(0.0f)
                                     : load(c + r * product.c_row + kLanes * j) * F32x16(product.factors[row + r]);
    }
  }
  for (int64_t panel = 0; panel < kKeyBlock; panel += kCachePanelRows) {
    const uint8_t *codes[kGroups], *next_codes[kGroups];
    const float* scales[kGroups];
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) {
      codes[g] = values.codes(from.first + panel, group + g);
      scales[g] = numbers + (panel / kCachePanelRows * values.groups() + group + g) * 2 * kLanes;
      next_codes[g] = ahead.values.codes(ahead.first + panel, group + g);
      if constexpr (Codec::kIsScaled) ahead.values.ask_numbers(ahead.first + panel, group + g);
    }
    constexpr int64_t kRowsOfLine = std::max<int64_t>(kCacheLine / Codec::kRowBytes, 1);
    for (int64_t lane = 0; lane < kCachePanelRows; ++lane, ++a) {
      if (lane % kRowsOfLine == 0) {
#pragma GCC unroll 2
        for (int g = 0; g < kGroups; ++g) {
          prefetch<1>(next_codes[g], lane * Codec::kRowBytes);
          if (Codec::kRowBytes > kCacheLine) prefetch<1>(next_codes[g], lane * Codec::kRowBytes + kCacheLine);
        }
      }
      F32x16 elements[kVectors];
#pragma GCC unroll 2
      for (int g = 0; g < kGroups; ++g) {
        F32x16 scale = {}, low = {};
        if constexpr (Codec::kIsScaled) {
          scale = F32x16(scales[g][lane]);
          low = F32x16(scales[g][kLanes + lane]);
        }
        codec.decode_row(codes[g] + lane * Codec::kRowBytes, scale, low, elements + 2 * g);
      }
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        const F32x16 p(a[r * product.a_row]);
#pragma GCC unroll 4
        for (int j = 0; j < kVectors; ++j) sums[r][j] = fma(p, elements[j], sums[r][j]);
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) store(c + r * product.c_row + kLanes * j, sums[r][j]);
  }
}

// Rows that pass the values at once, and groups of theirs.
inline constexpr int kValueRows = kWideRegisters ? 4 : 2;
inline constexpr int kValueGroups = kWideRegisters ? 2 : 1;

template <class Codec, size_t... kPlaces>
constexpr auto value_functions(std::index_sequence<kPlaces...>) {
  return std::array{&multiply_cache_groups<Codec, static_cast<int>(kPlaces) / kValueGroups + 1,
                                           static_cast<int>(kPlaces) % kValueGroups + 1>...};
}

// The product with a whole block of values: a's rows are 64 probabilities. `numbers`: 64 / 16 * D / 32 * 32 floats.
template <class Codec>
void multiply_cache_block(const SmallProduct& product, int64_t rows, const CacheRows& from, float* numbers,
                          const CacheRows& ahead) {
  static constexpr auto kFunctions = value_functions<Codec>(std::make_index_sequence<kValueRows * kValueGroups>());
  if constexpr (Codec::kIsScaled) load_cache_numbers(from, numbers);
  for (int64_t row = 0; row < rows; row += kValueRows) {
    const int64_t height = std::min<int64_t>(kValueRows, rows - row);
    for (int64_t group = 0; group < from.values.groups(); group += kValueGroups) {
      const int64_t width = std::min<int64_t>(kValueGroups, from.values.groups() - group);
      kFunctions[static_cast<size_t>((height - 1) * kValueGroups + width - 1)](product, row, from, numbers, group,
                                                                               ahead);
    }
  }
}

// to[d, j] = key j of the first `rows` <= 64; what follows them up to 16 is what the cache holds there.
template <class Codec>
void pack_cache_keys(const CacheRows& from, int64_t rows, const Panels& to) {
  const Codec codec;
  for (int64_t j = 0; j < rows; j += kCachePanelRows) {
    for (int64_t group = 0; group < from.keys.groups(); ++group) {
      const uint8_t* codes = from.keys.codes(from.first + j, group);
      F32x16 scale = {}, low = {};
      if constexpr (Codec::kIsScaled) {
        scale = from.keys.scales(from.first + j, group);
        low = from.keys.lows(from.first + j, group);
      }
      for (int64_t d = 0; d < kCacheGroup; d += Codec::kElements) {
        F32x16 columns[Codec::kElements];
        codec.decode_step(codes + d / Codec::kElements * Codec::kStepBytes, scale, low, columns);
        for (int i = 0; i < Codec::kElements; ++i) store(to.at(group * kCacheGroup + d + i, j), columns[i]);
      }
    }
  }
}

// to[j, d] = value j of the first `rows` <= 64. D is a multiple of 32, so that nothing is left to fill.
template <class Codec>
void pack_cache_values(const CacheRows& from, int64_t rows, const Panels& to) {
  const Codec codec;
  for (int64_t j = 0; j < rows; ++j) {
    const int64_t lane = j % kCachePanelRows;
    for (int64_t group = 0; group < from.values.groups(); ++group) {
      const uint8_t* codes = from.values.codes(from.first + j - lane, group);
      F32x16 scale = {}, low = {};
      if constexpr (Codec::kIsScaled) {
        float numbers[2][kLanes];
        store(numbers[0], from.values.scales(from.first + j - lane, group));
        store(numbers[1], from.values.lows(from.first + j - lane, group));
        scale = F32x16(numbers[0][lane]);
        low = F32x16(numbers[1][lane]);
      }
      F32x16 elements[2];
      codec.decode_row(codes + lane * Codec::kRowBytes, scale, low, elements);
      store(to.at(j, group * kCacheGroup), elements[0]);
      store(to.at(j, group * kCacheGroup + kLanes), elements[1]);
    }
  }
}

// The same, row by row, of any groups and from any row on.
inline void pack_cache_rows(const CacheRows& from, int64_t rows, int64_t padded, const Panels& keys,
                            const Panels& values) {
  float row[kMaxHeadSize];
  for (int64_t j = 0; j < rows; ++j) {
    from.keys.decode_row(from.first + j, row);
    for (int64_t d = 0; d < from.keys.size(); ++d) *keys.at(d, j) = row[d];
    std::fill(row + from.keys.size(), row + padded, 0.0f);
    from.values.decode_row(from.first + j, row);
    for (int64_t d = 0; d < padded; d += kLanes) store(values.at(j, d), load(row + d));
  }
}

}  // namespace headroom::HEADROOM_ISA
