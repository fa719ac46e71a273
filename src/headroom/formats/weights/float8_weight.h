// Weights in 8-bit floats beside scales: those of DeepSeek-V3 (a scale for 128 x 128 elements), of vLLM and FBGEMM (one
// a tensor or a row), of compressed-tensors. An element is float * scale in f32, rounded once.
#pragma once

#include "headroom/formats/weights/coded_weight.h"
#include "headroom/formats/weights/scale_grid.h"

namespace headroom {

class Float8Format;

class Float8Weight final : public CodedWeight {
 public:
  // `codes` are F8_E4M3, of two dimensions.
  Float8Weight(const WeightTensor& codes, ScaleGrid scales);

  const WeightTensor& codes() const override { return codes_; }
  int64_t size_bytes() const override { return codes_.stored.size_bytes + scales_.size_bytes(); }
  void decode(const Tile& tile, float* out, int64_t stride) const override;
  // Of scales of 128 x 128 elements, of rows, and of a tensor, which each row then has. Filling throws InvalidInput for
  // a NaN.
  const BlockFormat* exact_format() const override;
  void fill(std::byte* out, StackPlace place) const override;

 private:
  WeightTensor codes_;
  ScaleGrid scales_;
  const Float8Format* exact_ = nullptr;
};

}  // namespace headroom
