// A value of a job as the host sees it: found by its name once, then read and written without looking anything up. Who
// fills inputs and reads results does it through these; nobody else knows where in the arena a value lies.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

#include "headroom/backend/kernel.h"
#include "headroom/base/errors.h"
#include "headroom/graph/graph.h"

namespace headroom {

// Which graph of a job ran last: what another one left in the memory that graphs share is gone.
struct RunLog {
  const Graph* last = nullptr;
};

// T is the type of the value's elements (float of f32, double of f64, int32_t of i32, uint8_t of u8); const for what is
// only read.
template <class T>
class View {
 public:
  View() = default;
  // Of what the job keeps.
  View(const Tensor& tensor, const std::string& name) : elements_(elements_of(tensor, name)) {}
  // Of a result of `graph`, which is gone when another graph has run. All are borrowed.
  View(const Tensor& tensor, const std::string& name, const Graph& graph, const RunLog& log)
      : elements_(elements_of(tensor, name)), name_(&name), graph_(&graph), log_(&log) {}

  bool is_bound() const { return elements_.data() != nullptr; }
  int64_t size() const { return static_cast<int64_t>(elements_.size()); }

  // These throw InternalError for a result that is gone.
  T& operator[](int64_t index) const {
    expect_there();
    return elements_[static_cast<size_t>(index)];
  }
  T& operator*() const { return (*this)[0]; }
  void write(std::span<const T> elements) const { std::copy(elements.begin(), elements.end(), all().begin()); }
  void fill_from(int64_t first, T value) const { std::fill(all().begin() + first, all().end(), value); }
  // All elements; of a result, until a graph runs.
  std::span<T> all() const {
    expect_there();
    return elements_;
  }

 private:
  static std::span<T> elements_of(const Tensor& tensor, const std::string& name) {
    using Element = std::remove_const_t<T>;
    constexpr DType dtype = std::is_same_v<Element, float>     ? DType::f32
                            : std::is_same_v<Element, double>  ? DType::f64
                            : std::is_same_v<Element, int32_t> ? DType::i32
                                                               : DType::u8;
    ensure(tensor.type.dtype == dtype, "'{}' is viewed as {}, but it is {}", name, name_of(dtype),
           to_string(tensor.type));
    return {tensor.as<T>(), static_cast<size_t>(tensor.elements())};
  }

  void expect_there() const {
    if (log_ != nullptr && log_->last != graph_) [[unlikely]] {
      throw InternalError("graph {}: its result '{}' is gone: {} has run", graph_->name, *name_,
                          log_->last == nullptr ? "no graph" : "graph " + log_->last->name);
    }
  }

  std::span<T> elements_;
  const std::string* name_ = nullptr;
  const Graph* graph_ = nullptr;
  const RunLog* log_ = nullptr;  // null: of what the job keeps
};

}  // namespace headroom
