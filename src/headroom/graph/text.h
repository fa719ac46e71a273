// The text form of a graph: reads like code, round-trips exactly, and is what tests compare.
//
//   graph step
//   input %ids: i32[508] input
//   input %norm.weight: f32[64] weight
//   %rms_norm: f32[508, 64] activation, %rms_norm.1: f32[508] activation = rms_norm(%embedding, %norm.weight)
//   {eps=1e-05} @layers.0 forward carry %norm.weight = %adamw result %loss
#pragma once

#include <string>
#include <string_view>

#include "headroom/graph/graph.h"

namespace headroom {

std::string to_text(const Graph& graph);

// Throws InvalidInput naming the line on anything that to_text would not have written, unknown ops included.
Graph parse_graph(std::string_view text);

// The lines that differ, as "- before" and "+ after", in order; empty when the graphs are equal.
std::string diff(const Graph& before, const Graph& after);

}  // namespace headroom
