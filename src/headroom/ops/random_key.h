// The graph input that random numbers of a step are made from: "random_key" i32[4] = the seed of the run and the number
// of the update, 64 bits each, low half first. Kernels add the node's attribute "site" and the element
// (backend/counter_random.h).
#pragma once

#include <string_view>

#include <span>
#include <vector>

#include "headroom/graph/builder.h"

namespace headroom {

inline constexpr std::string_view kRandomKeyName = "random_key";

// Declares the input, or finds it where a node before needed it, too.
ValueId random_key(Builder& build);

// What a node calls its place: a function of a name that no technique changes (a weight's, a value's of the forward).
int64_t random_site(std::string_view name);

// Of an update: a weight in bf16 is rounded stochastically, by words of its own. Adds the random key to `inputs` and
// the site to `attributes`; leaves both as they are for a weight in f32.
void draw_for_weight(Builder& build, ValueId weight, std::vector<ValueId>& inputs, Attributes& attributes);

// Of an update, whose first input is the weight: the inputs without the last, which is the random key of a weight in
// bf16, rounded stochastically; those of a weight in f32 as they are. Throws InvalidInput otherwise.
std::span<const Type> without_random_key(std::string_view op, std::span<const Type> inputs,
                                         const Attributes& attributes);

// Throws InvalidInput unless `got` is i32[4], and `attributes` have a site of 32 bits.
void expect_random_key(std::string_view op, const Type& got, const Attributes& attributes);

}  // namespace headroom
