// Checks of an op's operands, so that every op words its errors alike. All throw InvalidInput:
//   rms_norm: weight is [F] where x is [T, F]; expected [64], got [63]
// `rule` says what the operand is; dimension letters are those of the op's file.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "headroom/base/shape.h"
#include "headroom/graph/builder.h"

namespace headroom {

// Between `least` and `most` inputs.
void expect_inputs(std::string_view op, std::span<const Type> inputs, size_t least, size_t most);

// Exactly that dtype and shape.
void expect_type(std::string_view op, std::string_view rule, const Type& expected, const Type& got);

void expect_dtype(std::string_view op, std::string_view rule, DType expected, const Type& got);
void expect_rank(std::string_view op, std::string_view rule, int expected, const Type& got);

// f32, bf16 or f16, rank 2: activations.
void expect_rows(std::string_view op, std::string_view rule, const Type& got);

// f32, rank 2.
void expect_matrix(std::string_view op, std::string_view rule, const Type& got);

// f32, bf16 or f16: what kernels read as f32.
void expect_weight(std::string_view op, std::string_view rule, const Type& got);

// A weight, or one in a block format.
void expect_weight_or_blocks(std::string_view op, std::string_view rule, const Type& got);

// Factors of a product, both f32, bf16 or f16: beside a left one of 16 bits the right one is of the same format, or
// f32; beside one of f32 it may be in a block format.
void expect_factors(std::string_view op, const Type& left, const Type& right);

// What the attribute "result" says that a rounded result is stored in (an integer: the DType), or without it
// `otherwise`.
DType result_dtype(std::string_view op, const Attributes& attributes, DType otherwise);

// An attribute: 0 <= value < below.
void expect_range(std::string_view op, std::string_view what, double value, double below);

// The bytes of all operands, each touched once.
double bytes_touched(const TypedNode& node);

// The role of the gradient of `id`: Role::gradient for a weight's, an activation otherwise.
Role gradient_role(Builder& build, ValueId id);

}  // namespace headroom
