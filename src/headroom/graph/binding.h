// What a graph input is to those who fill, train and save it: where its elements come from, what they are in a new
// model, whether they are trained. Names in graphs mean nothing to them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "headroom/base/box.h"
#include "headroom/base/rank_parts.h"
#include "headroom/graph/graph.h"

namespace headroom {

// Part of a tensor of a file -> part of the value; of as many elements each.
struct Slice {
  std::string tensor;  // under its Hugging Face name
  Shape shape;         // of the whole tensor
  Box from;            // in the tensor
  Box to;              // in the value
};

// Which of a job's files the slices are in.
enum class Source : uint8_t { model, adapter, reference };

// Elements of a new model: all `scale`, or random numbers of a stream of their own (models/fill_random.h): about normal
// with this deviation, or uniform within +-scale.
struct Initial {
  enum class Kind : uint8_t { constant, normal, uniform };
  Kind kind = Kind::constant;
  double scale = 0;
  uint64_t stream = 0;
};

// Of a value that holds one rank's part of a whole: the whole in rows, and how it is cut. Elements of the value beyond
// the part's are nobody's.
struct Cut {
  Shape whole;
  RankParts parts;
};

struct Binding {
  Source source = Source::model;
  std::vector<Slice> slices;  // every element once
  Initial initial = {};
  bool is_trained = true;  // by the job's updates
  bool is_fixed = false;   // no update ever changes it; it is saved beside those of its source that some do
  bool stays = false;      // small or always in use: it never leaves the memory
  std::optional<Cut> cut = {};
};

// Of a value that is the whole of the tensor of that name.
Binding bind_whole(std::string tensor, const Shape& shape);

// A weight that updates change: any, unless its binding says no.
bool is_trained(Role role, const Binding* binding);
inline bool is_trained(const Value& value) { return is_trained(value.role, value.binding.get()); }

// What the value's binding becomes: a copy of it, or a new one, changed.
template <class Change>
void rebind(Value& value, Change change) {
  auto binding = value.binding ? std::make_shared<Binding>(*value.binding) : std::make_shared<Binding>();
  change(*binding);
  value.binding = std::move(binding);
}

}  // namespace headroom
