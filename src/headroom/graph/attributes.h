// A node's constants, and a node as its kernel and its op see it: constants and the types of its operands.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "headroom/base/shape.h"

namespace headroom {

// A short list of (key, integer or real), in the order they were set. Keys are literals or interned.
class Attributes {
 public:
  using Number = std::variant<int64_t, double>;

  Attributes() = default;
  Attributes(std::initializer_list<std::pair<std::string_view, Number>> entries);
  void set(std::string_view key, Number number);
  bool has(std::string_view key) const;
  int64_t integer(std::string_view key) const;  // throws InternalError when absent or of the other kind
  double real(std::string_view key) const;
  const std::vector<std::pair<std::string_view, Number>>& entries() const { return entries_; }
  bool operator==(const Attributes&) const = default;

 private:
  const Number& at(std::string_view key) const;
  std::vector<std::pair<std::string_view, Number>> entries_;
};

// A node with the types of its operands in place of their ids.
struct TypedNode {
  std::span<const Type> inputs;
  std::span<const Type> outputs;
  const Attributes& attributes;
};

}  // namespace headroom
