// Graphs that choose the codes of a model's weights by what the weights are multiplied with. Layer after layer, and in
// a layer group after group of weights that read the same input:
//   "collect", for each row of tokens: the layer up to that input, with the weights before it quantised already, and
//     the input's Gram matrix going on;
//   "solve", once: the group's weights in their formats, by that matrix (ops/gptq.h);
//   "advance", for each row, when all groups are done: the layer as it is now.
//   T tokens a row, F features, K inputs of a group.
//
// Values by name: "hidden" f32[T, F], the layer's input, and of embed and advance the result "next_hidden"; "tokens",
// "positions", "sequences" and "rotary_table" as everywhere (models/step_inputs.h), where a graph reads them; "gram"
// f32[K, K], zeros at first. Weights as the model has them are bound to its files, those in their new formats, under
// quantised_name(), to Source::reference.
//
// Where codes make good what layers before have changed, the whole model goes along: "original_hidden" and
// "original_next_hidden" beside the others, and of each weight a pull, pull_name() f32[N, K], zeros at first.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "headroom/graph/graph.h"
#include "headroom/models/model.h"
#include "headroom/ops/gptq.h"

namespace headroom {

// How codes are chosen.
struct SolveSettings {
  double damping = 0.01;  // of the mean of the Gram matrix' diagonal
  GptqSettings codes = {};
  // Whether codes also make good what the layers before have changed (ops/gptq.h, pull).
  bool corrects = false;
};

// Which weights become what: formats by names, of the weights that are quantised.
using NewFormats = std::map<std::string, DType>;

// Rows of tokens as a step has them, one at a time.
struct RowShape {
  int64_t tokens = 0;
  int64_t sequences = 1;  // at most
};

// Weights of a layer whose products read one input.
struct LinearGroup {
  int64_t layer = 0;
  std::vector<std::string> weights;  // those that are quantised, as the forward declares them
};

inline std::string quantised_name(const std::string& weight) { return "quantised." + weight; }
inline std::string pull_name(const std::string& weight) { return weight + ".pull"; }
// Results of "solve", f32[N] each: the rows' losses with the codes that were chosen, with each number to its nearest
// code, and with zeros.
inline std::string loss_name(const std::string& weight) { return weight + ".loss"; }
inline std::string rounding_loss_name(const std::string& weight) { return weight + ".rounding_loss"; }
inline std::string energy_name(const std::string& weight) { return weight + ".energy"; }

class CalibrationGraphs {
 public:
  // `model` is borrowed.
  CalibrationGraphs(const Model& model, NewFormats formats, const RowShape& row, const SolveSettings& settings);

  // Of all layers, in the order in which they are solved.
  const std::vector<LinearGroup>& groups() const { return groups_; }

  Graph embed() const;
  // "collect" and "solve" of group `group`.
  std::vector<Graph> choose(size_t group) const;
  Graph advance(int64_t layer) const;

 private:
  Graph layer(int64_t number) const;
  void find_groups();

  const NewFormats formats_;
  const SolveSettings settings_;
  Graph forward_;
  std::vector<LinearGroup> groups_;
};

}  // namespace headroom
