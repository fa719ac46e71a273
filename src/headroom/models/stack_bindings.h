// The bindings of stacks: values that hold many matrices of a model's files, as a layer's experts are. A model of
// thousands of experts makes each once and shares it among its graphs.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "headroom/graph/binding.h"

namespace headroom {

class StackBindings {
 public:
  // Of the tensors FIRST.N.LAST, matrix N of the value of `shape` [how many, rows, columns]. Elements of a new model
  // have that deviation and a stream of random numbers of their own. Thread-safe.
  std::shared_ptr<const Binding> of(const std::string& first, std::string_view last, const Shape& shape,
                                    double deviation, bool is_trained);

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const Binding>> made_;  // by name, and whether trained
};

}  // namespace headroom
