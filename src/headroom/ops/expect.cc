#include "headroom/ops/expect.h"

#include "headroom/base/errors.h"

namespace headroom {

void expect_inputs(std::string_view op, std::span<const Type> inputs, size_t least, size_t most) {
  if (inputs.size() >= least && inputs.size() <= most) return;
  if (least == most) throw InvalidInput("{}: wrong number of inputs; expected {}, got {}", op, least, inputs.size());
  throw InvalidInput("{}: wrong number of inputs; expected {} to {}, got {}", op, least, most, inputs.size());
}

void expect_type(std::string_view op, std::string_view rule, const Type& expected, const Type& got) {
  expect_dtype(op, rule, expected.dtype, got);
  if (got.shape == expected.shape) return;
  throw InvalidInput("{}: {}; expected {}, got {}", op, rule, to_string(expected.shape), to_string(got.shape));
}

void expect_dtype(std::string_view op, std::string_view rule, DType expected, const Type& got) {
  if (got.dtype != expected)
    throw InvalidInput("{}: {}; expected {}, got {}", op, rule, name_of(expected), to_string(got));
}

void expect_rank(std::string_view op, std::string_view rule, int expected, const Type& got) {
  if (got.shape.rank() == expected) return;
  throw InvalidInput("{}: {}; expected {} dimensions, got {}", op, rule, expected, to_string(got.shape));
}

void expect_rows(std::string_view op, std::string_view rule, const Type& got) {
  expect_weight(op, rule, got);
  expect_rank(op, rule, 2, got);
}

void expect_matrix(std::string_view op, std::string_view rule, const Type& got) {
  expect_dtype(op, rule, DType::f32, got);
  expect_rank(op, rule, 2, got);
}

void expect_weight(std::string_view op, std::string_view rule, const Type& got) {
  if (got.dtype == DType::f32 || got.dtype == DType::bf16 || got.dtype == DType::f16) return;
  throw InvalidInput("{}: {}; expected f32, bf16 or f16, got {}", op, rule, to_string(got));
}

void expect_weight_or_blocks(std::string_view op, std::string_view rule, const Type& got) {
  if (is_scalar(got.dtype)) return expect_weight(op, rule, got);
  (void)got.bytes();  // throws for rows that are no whole blocks
}

void expect_factors(std::string_view op, const Type& left, const Type& right) {
  if (left.dtype == DType::f32 && !is_scalar(right.dtype)) {
    return expect_weight_or_blocks(op, "the right factor is in a weight's format", right);
  }
  expect_weight(op, "the left factor is f32, bf16 or f16", left);
  expect_weight(op, "the right factor is f32, bf16 or f16", right);
  if (left.dtype == DType::f32 || right.dtype == DType::f32 || left.dtype == right.dtype) return;
  throw InvalidInput("{}: the right factor is in the left one's format or f32; expected {}, got {}", op,
                     name_of(left.dtype), to_string(right));
}

void expect_range(std::string_view op, std::string_view what, double value, double below) {
  if (value >= 0 && value < below) return;
  throw InvalidInput("{}: {} is out of range; expected 0 or more and below {}, got {}", op, what, below, value);
}

DType result_dtype(std::string_view op, const Attributes& attributes, DType otherwise) {
  if (!attributes.has("result")) return otherwise;
  const int64_t dtype = attributes.integer("result");
  for (const DType real : {DType::f32, DType::bf16, DType::f16}) {
    if (static_cast<int64_t>(real) == dtype) return real;
  }
  throw InvalidInput("{}: result is the number of a format; expected that of f32, bf16 or f16, got {}", op, dtype);
}

double bytes_touched(const TypedNode& node) {
  double bytes = 0;
  for (const Type& type : node.inputs) bytes += static_cast<double>(type.bytes());
  for (const Type& type : node.outputs) bytes += static_cast<double>(type.bytes());
  return bytes;
}

Role gradient_role(Builder& build, ValueId id) {
  return build.graph().value(id).role == Role::weight ? Role::gradient : Role::activation;
}

}  // namespace headroom
