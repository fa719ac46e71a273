// How fast this processor multiplies pairs of bf16. Both ways of a product of bf16 have the same bits, so which one
// runs is a matter of time alone: some processors do twice as many terms by dot products as by multiply-adds, others
// half.
#pragma once

namespace headroom {

// Terms a second by vdpbf16ps over those by multiply-adds of f32, measured now within a millisecond: for a processor
// that has AVX512_BF16.
double dot_product_rate();

}  // namespace headroom
